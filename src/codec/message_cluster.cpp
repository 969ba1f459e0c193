#include "codec/message_cluster.hpp"

#include "codec/catalogue.hpp"
#include "codec/fields.hpp"
#include "sluice/message.pb.h"

namespace sluice::codec {

namespace {

using maybe = std::optional<domain::message>;

/// What a node says of itself, when it joins and when it starts.
template <class Command, class Proto>
void put_node(const Command& m, Proto& p) {
  p.set_name(m.name);
  p.set_peer_address(m.peer_address);
  p.set_http_address(m.http_address);
  p.set_disk(m.disk);
  p.set_role(static_cast<std::uint32_t>(m.role));
  p.set_version(m.version);
  p.set_feature_level(m.feature_level);
}

template <class Command, class Proto>
maybe take_node(Command m, const Proto& p) {
  if (!in_range(p.role(), domain::node_role::member, domain::node_role::bridge))
    return std::nullopt;
  m.name = p.name();
  m.peer_address = p.peer_address();
  m.http_address = p.http_address();
  m.disk = p.disk();
  m.role = static_cast<domain::node_role>(p.role());
  m.version = p.version();
  m.feature_level = p.feature_level();
  return m;
}

} // namespace

void put(const domain::found_cluster& m, proto::Message& out) {
  auto& p = *out.mutable_found_cluster();
  p.set_cluster_id(m.cluster_id);
  p.set_wrapped_keys(m.wrapped_keys);
  p.set_admin_key_hash(m.admin_key_hash);
  if (m.first)
    encode(*m.first, *p.mutable_first());
  if (m.epoch > 1)
    p.set_epoch(m.epoch);
  p.set_recovered(m.recovered);
  p.set_last_event(m.last_event.value);
}

void put(const domain::add_join_token& m, proto::Message& out) {
  auto& p = *out.mutable_add_join_token();
  p.set_hash(m.hash);
  p.set_expires_ms(to_ms(m.expires));
  p.set_replaces(m.replaces);
  p.set_by(m.by);
  p.set_request_id(m.request_id);
}

void put(const domain::join_cluster& m, proto::Message& out) {
  auto& p = *out.mutable_join_cluster();
  p.set_token_hash(m.token_hash);
  put_node(m, p);
}

void put(const domain::announce_node& m, proto::Message& out) {
  auto& p = *out.mutable_announce_node();
  p.set_id(m.id.value);
  put_node(m, p);
}

void put(const domain::change_node& m, proto::Message& out) {
  auto& p = *out.mutable_change_node();
  p.set_name(m.name);
  p.set_state(static_cast<std::uint32_t>(m.state));
  p.set_by(m.by);
  p.set_request_id(m.request_id);
}

void put(const domain::set_replication& m, proto::Message& out) {
  auto& p = *out.mutable_set_replication();
  p.set_factor(m.factor);
  p.set_by(m.by);
  p.set_request_id(m.request_id);
}

void put(const domain::activate_feature& m, proto::Message& out) {
  auto& p = *out.mutable_activate_feature();
  p.set_level(m.level);
  p.set_by(m.by);
  p.set_request_id(m.request_id);
}

void put(const domain::note_deed& m, proto::Message& out) {
  auto& p = *out.mutable_note_deed();
  p.set_what(m.what);
  p.set_subject(m.subject);
  p.set_detail(m.detail);
  p.set_by(m.by);
  p.set_request_id(m.request_id);
}

maybe take(const proto::FoundCluster& p) {
  domain::found_cluster m{p.cluster_id(), p.wrapped_keys(), p.admin_key_hash()};
  m.epoch = std::max<std::uint32_t>(p.epoch(), 1);
  m.recovered = p.recovered();
  m.last_event = {p.last_event()};
  if (p.has_first() && !read(p.first(), m.first.emplace()))
    return std::nullopt;
  return m;
}

maybe take(const proto::AddJoinToken& p) {
  domain::add_join_token m{p.hash(), {}, p.replaces(), p.by(), p.request_id()};
  return read_time(p.expires_ms(), m.expires) ? maybe{std::move(m)} : std::nullopt;
}

maybe take(const proto::JoinCluster& p) {
  domain::join_cluster m;
  m.token_hash = p.token_hash();
  return take_node(std::move(m), p);
}

maybe take(const proto::AnnounceNode& p) {
  domain::announce_node m;
  m.id = {p.id()};
  return take_node(std::move(m), p);
}

maybe take(const proto::ChangeNode& p) {
  if (!in_range(p.state(), domain::node_state::active, domain::node_state::removed))
    return std::nullopt;
  return domain::change_node{p.name(), static_cast<domain::node_state>(p.state()), p.by(), p.request_id()};
}

maybe take(const proto::SetReplication& p) {
  return domain::set_replication{p.factor(), p.by(), p.request_id()};
}

maybe take(const proto::ActivateFeature& p) {
  return domain::activate_feature{p.level(), p.by(), p.request_id()};
}

maybe take(const proto::NoteDeed& p) {
  return domain::note_deed{p.what(), p.subject(), p.detail(), p.by(), p.request_id()};
}

} // namespace sluice::codec
