#include "domain/catalogue.hpp"

#include "core/assert.hpp"
#include "core/slot.hpp"

#include <algorithm>

namespace sluice::domain {

std::string_view word_of(key_role role) {
  switch (role) {
  case key_role::viewer:
    return "viewer";
  case key_role::operator_:
    return "operator";
  case key_role::admin:
    break;
  }
  return "admin";
}

void catalogue::apply(const moment& at, const message& m, effects& out) {
  std::visit(
      [&](const auto& body) {
        if constexpr (requires { this->on(at, body, out); })
          once(state_.requests, request_id_of(body), out, [&] { on(at, body, out); });
        else
          SLUICE_ASSERT(false, "a message reached the catalogue that is none of its own");
      },
      m);
}

/// For the audit. Not before every program knows that fact: what an entry gives must be equal on all of them.
void catalogue::audit(cluster_changed what, effects& out) const {
  if (state_.feature_level >= 2)
    out.push_back(fact{std::move(what)});
}

void catalogue::finish(const moment& at, effects& out) {
  if (std::exchange(changed_, false))
    publish_all(at.now, out);
}

void catalogue::publish_all(const entry_time&, effects& out) {
  catalogue_update update{state_.founded,     state_.cluster_id,   state_.epoch, state_.wrapped_keys, {}, {}, {},
                          state_.replication, state_.feature_level};
  for (const auto& [slug, entry] : state_.events)
    update.events.push_back(entry);
  for (const auto& [name, key] : state_.keys)
    update.keys.push_back(key);
  for (const auto& [id, node] : state_.nodes)
    update.nodes.push_back(node);
  out.push_back(publish{std::move(update)});
}

void catalogue::on(const moment&, const found_cluster& c, effects& out) {
  if (!state_.founded || c.epoch > state_.epoch) {
    state_.founded = changed_ = true;
    state_.cluster_id = c.cluster_id;
    state_.epoch = c.epoch;
    state_.last_event = std::max(state_.last_event, c.last_event.value);
    state_.nodes.clear();
    state_.join_tokens.clear();
    state_.replication = 1;
    state_.wrapped_keys = c.wrapped_keys;
    if (!c.admin_key_hash.empty()) // founded anew by a node that has none: the keys of before stay
      state_.keys["admin"] = key_entry{"admin", c.admin_key_hash, key_role::admin};
    if (c.first && c.first->id) {
      state_.nodes[c.first->id] = *c.first;
      state_.last_node = std::max(state_.last_node, c.first->id.value);
      state_.feature_level = std::max(state_.feature_level, c.first->feature_level); // nobody older has to follow
    }
    audit(cluster_changed{c.recovered.empty() ? "founded" : "recovered without a majority",
                          c.first ? c.first->name : std::string{},
                          "cluster " + c.cluster_id + ", epoch " + std::to_string(c.epoch) +
                              (c.recovered.empty() ? "" : "; " + c.recovered),
                          {}},
          out);
  }
  out.push_back(answer{done{}});
}

void catalogue::on(const moment&, const register_event& c, effects& out) {
  auto known = state_.events.find(c.slug);
  if (known != state_.events.end()) {
    out.push_back(answer{registered_reply{known->second.number, known->second.slot, false}});
    return;
  }
  if (state_.events.size() >= events_max) {
    out.push_back(answer{refusal{errc::too_many_events, "delete events that are over", {}}});
    return;
  }
  catalogue_entry entry;
  entry.number = {++state_.last_event};
  entry.slug = c.slug;
  entry.slot = slot_of(entry.number);
  out.push_back(answer{registered_reply{entry.number, entry.slot, true}});
  state_.events.emplace(c.slug, std::move(entry));
  changed_ = true;
}

void catalogue::on(const moment&, const event_summary& n, effects& out) {
  auto known = state_.events.find(n.slug);
  if (known == state_.events.end() || known->second.number != n.number)
    return; // of an event whose slug was given away since
  changed_ = true;
  if (n.removed) {
    state_.events.erase(known);
    audit(cluster_changed{"event removed", n.slug, {}, n.by}, out);
    return;
  }
  auto& entry = known->second;
  entry.defined = true;
  entry.name = n.name;
  entry.venue = n.venue;
  entry.starts_at = n.starts_at;
  entry.time_zone = n.time_zone;
}

void catalogue::on(const moment&, const add_key& c, effects& out) {
  if (state_.keys.contains(c.name)) {
    out.push_back(answer{refusal{errc::action_not_allowed, "a key of this name exists; remove it first", {}}});
    return;
  }
  if (state_.keys.size() >= keys_max) {
    out.push_back(answer{refusal{errc::action_not_allowed, "too many keys; remove some", {}}});
    return;
  }
  state_.keys[c.name] = key_entry{c.name, c.hash, c.role};
  changed_ = true;
  audit(cluster_changed{"key added", c.name, std::string{word_of(c.role)}, c.by}, out);
  out.push_back(answer{done{}});
}

void catalogue::on(const moment&, const remove_key& c, effects& out) {
  auto known = state_.keys.find(c.name);
  if (known == state_.keys.end()) {
    out.push_back(answer{refusal{errc::key_unknown, {}, {}}});
    return;
  }
  auto admins = std::count_if(state_.keys.begin(), state_.keys.end(),
                              [](const auto& entry) { return entry.second.role == key_role::admin; });
  if (known->second.role == key_role::admin && admins == 1) {
    out.push_back(answer{refusal{errc::action_not_allowed, "this is the last admin key; add another first", {}}});
    return;
  }
  state_.keys.erase(known);
  changed_ = true;
  audit(cluster_changed{"key removed", c.name, {}, c.by}, out);
  out.push_back(answer{done{}});
}

void catalogue::on(const moment&, const note_deed& c, effects& out) {
  audit(cluster_changed{c.what, c.subject, c.detail, c.by}, out);
  out.push_back(answer{done{}});
}

} // namespace sluice::domain
