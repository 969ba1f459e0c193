#include "codec/catalogue.hpp"

#include "codec/fields.hpp"
#include "codec/json_of.hpp"
#include "codec/reply.hpp"
#include "sluice/catalogue.pb.h"

namespace sluice::codec {

namespace {

proto::CatalogueRecord record_of(const domain::catalogue& machine) {
  const auto& state = machine.state();
  proto::CatalogueRecord p;
  p.set_founded(state.founded);
  p.set_cluster_id(state.cluster_id);
  p.set_epoch(state.epoch);
  p.set_wrapped_keys(state.wrapped_keys);
  p.set_last_event(state.last_event);
  for (const auto& [slug, entry] : state.events)
    encode(entry, *p.add_events());
  for (const auto& [name, key] : state.keys)
    encode(key, *p.add_keys());
  for (const auto& [id, node] : state.nodes)
    encode(node, *p.add_nodes());
  p.set_last_node(state.last_node);
  for (const auto& [hash, token] : state.join_tokens) {
    auto& t = *p.add_join_tokens();
    t.set_hash(token.hash);
    t.set_expires_ms(to_ms(token.expires));
    t.set_replaces(token.replaces);
    t.set_spent(token.spent);
  }
  p.set_replication(state.replication);
  p.set_feature_level(state.feature_level);
  if (!state.requests.all().empty())
    encode(state.requests, *p.mutable_requests());
  return p;
}

} // namespace

void encode(const domain::catalogue_entry& from, proto::CatalogueEntry& to) {
  to.set_number(from.number.value);
  to.set_slug(from.slug);
  to.set_slot(from.slot.value);
  to.set_defined(from.defined);
  to.set_name(from.name);
  to.set_venue(from.venue);
  to.set_starts_at_ms(to_ms(from.starts_at));
  to.set_time_zone(from.time_zone);
}

domain::catalogue_entry decode(const proto::CatalogueEntry& from) {
  return {{from.number()}, from.slug(),  {static_cast<std::uint16_t>(from.slot())}, from.defined(),
          from.name(),     from.venue(), wall_time_from_ms(from.starts_at_ms()),    from.time_zone()};
}

void encode(const domain::key_entry& from, proto::AddKey& to) {
  to.set_name(from.name);
  to.set_hash(from.hash);
  to.set_role(static_cast<std::uint32_t>(from.role));
}

domain::key_entry decode(const proto::AddKey& from) {
  return {from.name(), from.hash(), static_cast<domain::key_role>(from.role())};
}

void encode(const domain::node_entry& from, proto::NodeEntry& to) {
  to.set_id(from.id.value);
  to.set_name(from.name);
  to.set_peer_address(from.peer_address);
  to.set_http_address(from.http_address);
  to.set_disk(from.disk);
  to.set_generation(from.generation);
  to.set_role(static_cast<std::uint32_t>(from.role));
  to.set_state(static_cast<std::uint32_t>(from.state));
  to.set_version(from.version);
  to.set_feature_level(from.feature_level);
}

bool read(const proto::NodeEntry& from, domain::node_entry& to) {
  if (from.id() == 0 || from.generation() == 0 ||
      !in_range(from.role(), domain::node_role::member, domain::node_role::bridge) ||
      !in_range(from.state(), domain::node_state::active, domain::node_state::removed))
    return false;
  to = {{from.id()},
        from.name(),
        from.peer_address(),
        from.http_address(),
        from.disk(),
        from.generation(),
        static_cast<domain::node_role>(from.role()),
        static_cast<domain::node_state>(from.state()),
        from.version(),
        from.feature_level()};
  return true;
}

record_pieces save_changed(domain::catalogue& machine) {
  return save_all(machine);
}

record_pieces save_all(const domain::catalogue& machine) {
  return one_piece(record_of(machine).SerializeAsString());
}

domain::catalogue load(const entity_ref&, const loaded_pieces& pieces, const domain::catalogue*) {
  const auto* bytes = only_piece(pieces);
  if (bytes == nullptr)
    return domain::catalogue{};
  auto p = parsed<proto::CatalogueRecord>(*bytes);
  domain::catalogue_state state;
  state.founded = p.founded();
  state.cluster_id = p.cluster_id();
  state.epoch = p.epoch();
  state.wrapped_keys = p.wrapped_keys();
  state.last_event = p.last_event();
  for (const auto& e : p.events())
    state.events.emplace(e.slug(), decode(e));
  for (const auto& k : p.keys())
    state.keys.emplace(k.name(), decode(k));
  for (const auto& n : p.nodes())
    SLUICE_ASSERT(read(n, state.nodes[{n.id()}]), "a node that makes no sense in a checkpoint");
  state.last_node = p.last_node();
  for (const auto& t : p.join_tokens())
    state.join_tokens[t.hash()] = {t.hash(), wall_time_from_ms(t.expires_ms()), t.replaces(), t.spent()};
  state.replication = std::max(p.replication(), 1u);
  state.feature_level = p.feature_level();
  state.requests = decode(p.requests());
  return domain::catalogue{std::move(state)};
}

std::string describe(const domain::catalogue& machine) {
  auto p = record_of(machine);
  p.set_wrapped_keys("(left out)");
  for (auto& k : *p.mutable_keys())
    k.set_hash("(left out)");
  for (auto& t : *p.mutable_join_tokens())
    t.set_hash("(left out)");
  return json_of(p);
}

} // namespace sluice::codec
