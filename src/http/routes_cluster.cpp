// What operators do to the cluster: let nodes in, send them away, say how many copies there are and who leads.
#include "codec/times.hpp"
#include "core/text_id.hpp"
#include "domain/feature_level.hpp"
#include "http/routes.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <chrono>

namespace sluice::http::routes {

namespace {

constexpr std::int64_t token_ttl_default = 3'600;       // seconds
constexpr std::int64_t token_ttl_most = 7 * 24 * 3'600; // likewise

/// The body's fields, read by `fields`. False: the call was answered.
bool read_body(bridge& b, const call_ptr& c, bool may_be_absent,
               const std::function<void(codec::object_reader&)>& fields) {
  auto body = b.json_body(c, may_be_absent);
  if (!body)
    return false;
  std::vector<codec::document_error> mistakes;
  codec::object_reader r{*body, "", mistakes};
  fields(r);
  r.finish();
  return b.accept(c, mistakes);
}

void read_node_name(codec::object_reader& r, std::string_view field, std::string& name, bool required) {
  const auto* text = r.take(field, codec::document::kind::string, required);
  if (text == nullptr)
    return;
  name = text->text;
  if (!is_valid_name(name))
    r.fail(field, "must be 1 to 64 characters of A-Z a-z 0-9 . _ ~ -");
}

/// {"node": NAME}. Empty: the call was answered.
std::optional<std::string> node_name(bridge& b, const call_ptr& c) {
  std::string name;
  if (!read_body(b, c, false, [&](codec::object_reader& r) { read_node_name(r, "node", name, true); }))
    return std::nullopt;
  return name;
}

/// Where a new node may knock: this node first, then the other active members, without the one it replaces.
std::vector<std::string> peer_addresses(bridge& b, const std::string& replaces) {
  std::vector<std::string> all;
  auto shared = b.services().models.catalogue();
  for (const auto& node : shared->nodes) {
    if (node.state != domain::node_state::active || node.role != domain::node_role::member ||
        node.peer_address.empty() || node.name == replaces)
      continue;
    all.insert(node.name == b.services().node.name ? all.begin() : all.end(), node.peer_address);
  }
  return all;
}

/// Makes a token, and answers with it once its hash is in the log. It is shown this once.
void make_token(bridge& b, const call_ptr& c, std::int64_t ttl_seconds, const std::string& replaces) {
  auto token = "slj_" + base32(random_bytes<16>());
  auto expires =
      std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now()) + std::chrono::seconds{ttl_seconds};
  b.partitions().propose(entity_ref::of_catalogue(),
                         domain::add_join_token{sha256_hex(token), expires, replaces, c->key_name, new_request_id()},
                         [&b, c, token, expires, replaces](const domain::reply& reply, log_index) {
                           if (const auto* why = std::get_if<domain::refusal>(&reply))
                             return b.fail(c, *why);
                           std::string text;
                           codec::json_writer w{text};
                           w.begin_object().field("token", token).field("expiresAt", codec::to_text(expires));
                           w.key("peers").begin_array();
                           for (const auto& address : peer_addresses(b, replaces))
                             w.string(address);
                           w.end_array().end_object();
                           b.answer_json(c, 201, std::move(text));
                         });
}

void change_node_to(bridge& b, const call_ptr& c, const std::string& name, domain::node_state state) {
  b.partitions().propose(entity_ref::of_catalogue(), domain::change_node{name, state, c->key_name, new_request_id()},
                         [&b, c](const domain::reply& reply, log_index) { answer_done(b, c, reply); });
}

/// The node that has this name today; null if none has.
const domain::node_entry* find_node(const domain::catalogue_update& shared, std::string_view name) {
  auto found = std::find_if(shared.nodes.begin(), shared.nodes.end(), [&](const domain::node_entry& n) {
    return n.name == name && n.state != domain::node_state::removed;
  });
  return found == shared.nodes.end() ? nullptr : &*found;
}

/// Goes on with `then` on this bridge's thread when the node is done; an error is the answer.
std::function<void(std::string)> on_done(bridge& b, const call_ptr& c, std::function<void()> then) {
  return [&b, c, then = std::move(then)](std::string error) {
    asio::post(b.context(), [&b, c, then, error = std::move(error)] {
      if (error.empty())
        return then();
      b.fail(c, errc::action_not_allowed, error);
    });
  };
}

/// 204, once it is noted.
std::function<void()> answer_noted(bridge& b, const call_ptr& c, std::string what, std::string subject,
                                   std::string detail) {
  return [&b, c, what = std::move(what), subject = std::move(subject), detail = std::move(detail)] {
    note(b, c, what, subject, detail, [&b, c] { answer_done(b, c, domain::done{}); });
  };
}

} // namespace

void note(bridge& b, const call_ptr& c, const std::string& what, const std::string& subject, const std::string& detail,
          std::function<void()> then) {
  domain::note_deed deed{what, subject, detail, c->key_name, new_request_id()};
  if (b.services().models.catalogue()->feature_level < domain::level_of(deed))
    return then();
  b.partitions().propose(entity_ref::of_catalogue(), deed,
                         [then = std::move(then)](const domain::reply&, log_index) { then(); });
}

void invite_node(bridge& b, const call_ptr& c) {
  std::int64_t ttl = token_ttl_default;
  if (read_body(b, c, true, [&](codec::object_reader& r) { r.read("ttlSeconds", ttl, 1, token_ttl_most); }))
    make_token(b, c, ttl, {});
}

void replace_node(bridge& b, const call_ptr& c) {
  std::string name;
  std::int64_t ttl = token_ttl_default;
  auto fields = [&](codec::object_reader& r) {
    read_node_name(r, "node", name, true);
    r.read("ttlSeconds", ttl, 1, token_ttl_most);
  };
  if (read_body(b, c, false, fields))
    make_token(b, c, ttl, name);
}

void drain_node(bridge& b, const call_ptr& c) {
  if (auto name = node_name(b, c))
    change_node_to(b, c, *name, domain::node_state::draining);
}

void activate_node(bridge& b, const call_ptr& c) {
  if (auto name = node_name(b, c))
    change_node_to(b, c, *name, domain::node_state::active);
}

void remove_node(bridge& b, const call_ptr& c) {
  auto name = node_name(b, c);
  if (!name)
    return;
  auto go_on = [&b, c, name = *name] { change_node_to(b, c, name, domain::node_state::removed); };
  // The catalogue knows who is draining, not whether it is done.
  auto shared = b.services().models.catalogue();
  const auto* node = find_node(*shared, *name);
  if (node != nullptr && node->state == domain::node_state::draining && b.services().node.may_remove)
    return b.services().node.may_remove(node->id, on_done(b, c, std::move(go_on)));
  go_on();
}

void change_replication(bridge& b, const call_ptr& c) {
  std::uint32_t factor = 0;
  if (!read_body(b, c, false, [&](codec::object_reader& r) { r.read("factor", factor, 1, 5, true); }))
    return;
  b.partitions().propose(entity_ref::of_catalogue(), domain::set_replication{factor, c->key_name, new_request_id()},
                         [&b, c](const domain::reply& reply, log_index) { answer_done(b, c, reply); });
}

void raise_feature_level(bridge& b, const call_ptr& c) {
  std::uint32_t level = 0;
  if (!read_body(b, c, false, [&](codec::object_reader& r) { r.read("level", level, 0, UINT32_MAX, true); }))
    return;
  b.partitions().propose(entity_ref::of_catalogue(), domain::activate_feature{level, c->key_name, new_request_id()},
                         [&b, c](const domain::reply& reply, log_index) { answer_done(b, c, reply); });
}

void transfer_leader(bridge& b, const call_ptr& c) {
  std::uint32_t partition = 0;
  std::string to;
  auto fields = [&](codec::object_reader& r) {
    r.read("partition", partition, 0, std::int64_t{b.services().routes.places().partitions()} - 1, true);
    read_node_name(r, "to", to, false);
  };
  if (!read_body(b, c, false, fields))
    return;
  node_id target{};
  if (!to.empty()) {
    auto shared = b.services().models.catalogue();
    const auto* node = find_node(*shared, to);
    if (node == nullptr)
      return b.fail(c, errc::node_unknown, "there is no node '" + to + "'");
    target = node->id;
  }
  if (!b.services().node.transfer)
    return b.fail(c, errc::node_not_ready, "this node moves no leaders yet");
  auto noted = answer_noted(b, c, "leader moved", "partition " + std::to_string(partition),
                            to.empty() ? "to whoever is best" : "to " + to);
  b.services().node.transfer({partition}, target, on_done(b, c, std::move(noted)));
}

void move_event(bridge& b, const call_ptr& c) {
  std::string slug;
  std::uint32_t partition = 0;
  auto fields = [&](codec::object_reader& r) {
    read_node_name(r, "event", slug, true);
    r.read("partition", partition, 0, std::int64_t{b.services().routes.places().partitions()} - 1, true);
  };
  if (!read_body(b, c, false, fields))
    return;
  constexpr std::uint32_t moves_from_level = 3; // see domain/feature_level.hpp
  if (b.services().models.catalogue()->feature_level < moves_from_level)
    return b.fail(c, errc::version_too_old,
                  "events move from feature level 3 on: `sluicectl cluster activate-feature 3`");
  c->parameters = {slug};
  if (!b.find_event(c))
    return;
  if (!b.services().node.move)
    return b.fail(c, errc::node_not_ready, "this node moves no events yet");
  auto told = [&b, c, slug, partition](bool moved) {
    std::string text;
    codec::json_writer w{text};
    w.begin_object().field("event", slug).field("partition", partition).field("moved", moved).end_object();
    b.answer_json(c, 200, std::move(text));
  };
  using state = node_services::move_state;
  b.services().node.move(
      c->event->number(), {partition}, [&b, c, slug, partition, told](state moved, std::string error) {
        asio::post(b.context(), [&b, c, slug, partition, told, moved, error = std::move(error)] {
          if (moved == state::impossible)
            return b.fail(c, errc::action_not_allowed, error);
          if (moved != state::begun)
            return told(moved == state::done);
          note(b, c, "event moved", slug, "to partition " + std::to_string(partition), [told] { told(false); });
        });
      });
}

void event_place(bridge& b, const call_ptr& c) {
  if (!b.find_event(c))
    return;
  if (!b.services().node.place)
    return b.fail(c, errc::node_not_ready, "this node does not know where events are yet");
  using place = node_services::event_place;
  b.services().node.place(c->event->number(), [&b, c](std::optional<place> found) {
    asio::post(b.context(), [&b, c, found = std::move(found)] {
      if (!found)
        return b.fail(c, errc::not_leader, "the leader of where the event is does not answer; try again");
      std::string text;
      codec::json_writer w{text};
      w.begin_object().field("event", c->parameters[0]).field("partition", found->partition.value);
      w.field("leader", found->leader);
      if (found->moving_to)
        w.field("movingTo", found->moving_to->value);
      w.end_object();
      b.answer_json(c, 200, std::move(text));
    });
  });
}

void rebalance(bridge& b, const call_ptr& c) {
  if (!read_body(b, c, true, [](codec::object_reader&) {}))
    return;
  if (!b.services().node.rebalance)
    return b.fail(c, errc::node_not_ready, "this node moves no leaders yet");
  b.services().node.rebalance(on_done(b, c, answer_noted(b, c, "leaders spread", {}, {})));
}

} // namespace sluice::http::routes
