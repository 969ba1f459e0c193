// The catalogue's list of nodes: who may join, who is who, who leaves. A name belongs to one disk at a time, and an id
// to one node for ever; a disk that lost its place never gets it back.
#include "core/text_id.hpp"
#include "domain/catalogue.hpp"

#include <algorithm>

namespace sluice::domain {

namespace {

refusal refused(errc why, std::string detail) {
  return {why, std::move(detail), {}};
}

/// What `join_cluster` and `announce_node` share.
template <class Command>
std::optional<refusal> malformed(const Command& c) {
  if (!is_valid_name(c.name))
    return refused(errc::bad_value, "a node's name is 1 to 64 characters of A-Z a-z 0-9 . _ ~ -");
  if (c.peer_address.size() > catalogue::address_bytes_max || c.http_address.size() > catalogue::address_bytes_max)
    return refused(errc::bad_value, "an address is 255 bytes at most");
  if (c.version.size() > catalogue::version_bytes_max)
    return refused(errc::bad_value, "a version is 64 bytes at most");
  if (c.disk == 0)
    return refused(errc::bad_value, "the number of the data folder is missing");
  return std::nullopt;
}

template <class Command>
std::optional<refusal> too_old(const Command& c, std::uint32_t active) {
  if (c.feature_level >= active)
    return std::nullopt;
  return refused(errc::version_too_old, "the cluster is at feature level " + std::to_string(active) + ", version '" +
                                            c.version + "' knows " + std::to_string(c.feature_level) +
                                            " at most; start a newer one");
}

} // namespace

// ---- joining --------------------------------------------------------------------------------------------------------

void catalogue::on(const moment& at, const add_join_token& c, effects& out) {
  if (!c.replaces.empty() && present(c.replaces) == nullptr) {
    out.push_back(answer{refused(errc::node_unknown, "there is no node '" + c.replaces + "' to replace")});
    return;
  }
  auto& tokens = state_.join_tokens;
  std::erase_if(tokens, [&](const auto& t) { return t.second.expires <= at.now.wall; });
  // Spent ones go before those still good, then those that end first.
  while (tokens.size() >= join_tokens_max && !tokens.contains(c.hash))
    tokens.erase(std::min_element(tokens.begin(), tokens.end(), [](const auto& a, const auto& b) {
      if (a.second.spent != b.second.spent)
        return a.second.spent;
      return a.second.expires < b.second.expires;
    }));
  if (tokens.try_emplace(c.hash, join_token{c.hash, c.expires, c.replaces, false}).second)
    audit(cluster_changed{"join token made", c.replaces, {}, c.by}, out);
  out.push_back(answer{done{}});
}

void catalogue::on(const moment& at, const join_cluster& c, effects& out) {
  auto* known = present(c.name);
  if (known != nullptr && known->disk == c.disk) {
    out.push_back(answer{joined_reply{known->id, known->generation, state_.replication}});
    return;
  }
  auto why = unfit(c);
  if (!why)
    why = bad_token(at, c);
  if (why) {
    out.push_back(answer{std::move(*why)});
    return;
  }
  state_.join_tokens[c.token_hash].spent = true;
  node_entry node{{}, c.name, c.peer_address,     c.http_address, c.disk,
                  1,  c.role, node_state::active, c.version,      c.feature_level};
  if (known != nullptr) {
    node.id = known->id;
    node.generation = known->generation + 1;
    node.state = known->state; // a new disk ends no drain
  } else {
    node.id = {++state_.last_node};
  }
  out.push_back(answer{joined_reply{node.id, node.generation, state_.replication}});
  audit(cluster_changed{known != nullptr ? "node replaced" : "node joined",
                        node.name,
                        "node " + std::to_string(node.id.value) + ", generation " + std::to_string(node.generation),
                        {}},
        out);
  state_.nodes[node.id] = std::move(node);
  changed_ = true;
}

std::optional<refusal> catalogue::unfit(const join_cluster& c) const {
  if (!state_.founded || state_.nodes.empty())
    return refused(errc::node_not_ready, "the founding node is not listed yet; try again");
  if (auto why = malformed(c))
    return why;
  if (auto why = too_old(c, state_.feature_level))
    return why;
  if (const auto* other = with_disk(c.disk))
    return refused(errc::disk_retired, "this data folder is node " + std::to_string(other->id.value) + "'s, '" +
                                           other->name + "'; start '" + c.name + "' with an empty one");
  const auto* known = present(c.name);
  if (known != nullptr && known->role != c.role)
    return refused(errc::bad_value, "a node is replaced by one of the same role; remove '" + c.name + "' to change it");
  auto count = std::count_if(state_.nodes.begin(), state_.nodes.end(),
                             [](const auto& n) { return n.second.state != node_state::removed; });
  if (known == nullptr && static_cast<std::size_t>(count) >= nodes_max)
    return refused(errc::too_many_nodes, "a cluster has 64 nodes at most; remove one first");
  return std::nullopt;
}

std::optional<refusal> catalogue::bad_token(const moment& at, const join_cluster& c) const {
  auto token = state_.join_tokens.find(c.token_hash);
  if (token == state_.join_tokens.end() || token->second.spent || token->second.expires <= at.now.wall)
    return refused(errc::join_token_invalid, "the join token is unknown, spent or expired; ask for another");
  const auto& replaces = token->second.replaces;
  if (!replaces.empty() && replaces != c.name)
    return refused(errc::join_token_invalid, "this join token is for the place of '" + replaces + "' only");
  const auto* known = present(c.name);
  if (known == nullptr && !replaces.empty())
    return refused(errc::node_unknown, "'" + c.name + "' was removed meanwhile; ask for a token to join");
  if (known != nullptr && replaces.empty())
    return refused(errc::node_name_taken, "the name '" + c.name + "' is node " + std::to_string(known->id.value) +
                                              "'s, with another data folder; take another name, or replace it");
  return std::nullopt;
}

void catalogue::on(const moment&, const announce_node& c, effects& out) {
  if (auto why = unfit(c)) {
    out.push_back(answer{std::move(*why)});
    return;
  }
  auto [place, created] = state_.nodes.try_emplace(c.id);
  auto& node = place->second;
  auto before = node;
  node.id = c.id;
  node.name = c.name;
  node.peer_address = c.peer_address;
  node.http_address = c.http_address;
  node.disk = c.disk;
  node.role = c.role;
  node.version = c.version;
  node.feature_level = c.feature_level;
  state_.last_node = std::max(state_.last_node, c.id.value);
  changed_ = changed_ || created || node != before;
  out.push_back(answer{done{}});
}

std::optional<refusal> catalogue::unfit(const announce_node& c) const {
  if (!state_.founded)
    return refused(errc::node_not_ready, "the cluster is not founded yet; try again");
  if (auto why = malformed(c))
    return why;
  if (auto why = too_old(c, state_.feature_level))
    return why;
  auto known = state_.nodes.find(c.id);
  if (known == state_.nodes.end()) {
    // A cluster founded before nodes were listed lists its first one now. Any other has to join.
    if (state_.nodes.empty() && c.id)
      return std::nullopt;
    return refused(errc::node_unknown, "the cluster has no node " + std::to_string(c.id.value) +
                                           "; join with a token and an empty data folder");
  }
  const auto& node = known->second;
  if (node.state == node_state::removed)
    return refused(errc::disk_retired, "node " + std::to_string(c.id.value) + ", '" + node.name +
                                           "', was removed; join with a token and an empty data folder");
  if (node.disk != c.disk)
    return refused(errc::disk_retired, "node " + std::to_string(c.id.value) + ", '" + node.name +
                                           "', has another data folder now (generation " +
                                           std::to_string(node.generation) + "); this one is retired");
  if (node.name != c.name)
    return refused(errc::bad_value,
                   "this data folder is node '" + node.name + "', not '" + c.name + "'; start it under its own name");
  if (node.role != c.role)
    return refused(errc::bad_value, "a node's role is fixed when it joins; remove '" + c.name + "' to change it");
  return std::nullopt;
}

// ---- changing and leaving -------------------------------------------------------------------------------------------

void catalogue::on(const moment&, const change_node& c, effects& out) {
  auto* node = present(c.name);
  if (node == nullptr) {
    bool gone = c.state == node_state::removed && std::any_of(state_.nodes.begin(), state_.nodes.end(),
                                                              [&](const auto& n) { return n.second.name == c.name; });
    if (gone) // asked for twice
      out.push_back(answer{done{}});
    else
      out.push_back(answer{refused(errc::node_unknown, "there is no node '" + c.name + "'")});
    return;
  }
  if (node->state == c.state) {
    out.push_back(answer{done{}});
    return;
  }
  if (auto why = can_not_go(*node, c.state)) {
    out.push_back(answer{std::move(*why)});
    return;
  }
  node->state = c.state;
  const char* what = c.state == node_state::active     ? "node activated"
                     : c.state == node_state::draining ? "node drained"
                                                       : "node removed";
  audit(cluster_changed{what, c.name, {}, c.by}, out);
  if (c.state == node_state::removed) {
    node->peer_address.clear();
    node->http_address.clear();
    forget_old_nodes();
  }
  changed_ = true;
  out.push_back(answer{done{}});
}

std::optional<refusal> catalogue::can_not_go(const node_entry& node, node_state wanted) const {
  if (wanted == node_state::active)
    return std::nullopt;
  if (wanted == node_state::draining) {
    if (node.role == node_role::member && active_members() <= 1)
      return refused(errc::too_few_nodes,
                     "'" + node.name + "' is the last active member; somebody has to hold the data");
    return std::nullopt;
  }
  if (node.state != node_state::draining)
    return refused(errc::action_not_allowed, "drain '" + node.name + "' first");
  if (node.role == node_role::member && active_members() < state_.replication)
    return refused(errc::too_few_nodes, "without '" + node.name + "' there are " + std::to_string(active_members()) +
                                            " active members for a replication of " +
                                            std::to_string(state_.replication) + "; add a node or lower it first");
  return std::nullopt;
}

void catalogue::on(const moment&, const set_replication& c, effects& out) {
  if (c.factor != 1 && c.factor != 3 && c.factor != 5) {
    out.push_back(answer{refused(errc::bad_value, "replication is 1, 3 or 5")});
    return;
  }
  if (c.factor != state_.replication && active_members() < c.factor) {
    out.push_back(answer{refused(errc::too_few_nodes, "a replication of " + std::to_string(c.factor) +
                                                          " needs as many active members; there are " +
                                                          std::to_string(active_members()))});
    return;
  }
  if (state_.replication != c.factor) {
    state_.replication = c.factor;
    changed_ = true;
    audit(cluster_changed{"replication changed", {}, std::to_string(c.factor), c.by}, out);
  }
  out.push_back(answer{done{}});
}

void catalogue::on(const moment&, const activate_feature& c, effects& out) {
  if (c.level == state_.feature_level) {
    out.push_back(answer{done{}});
    return;
  }
  if (c.level < state_.feature_level) {
    out.push_back(answer{refused(errc::action_not_allowed, "feature level " + std::to_string(state_.feature_level) +
                                                               " is active, and never falls")});
    return;
  }
  bool any = false;
  for (const auto& [id, node] : state_.nodes) {
    if (node.state == node_state::removed)
      continue;
    any = any || node.role == node_role::member;
    if (node.feature_level < c.level) {
      out.push_back(answer{refused(errc::version_too_old, "node '" + node.name + "' runs '" + node.version +
                                                              "', which knows feature level " +
                                                              std::to_string(node.feature_level) + " at most")});
      return;
    }
  }
  if (!any) {
    out.push_back(answer{refused(errc::node_not_ready, "no member is listed yet; try again")});
    return;
  }
  state_.feature_level = c.level;
  changed_ = true;
  audit(cluster_changed{"feature level raised", {}, std::to_string(c.level), c.by}, out);
  out.push_back(answer{done{}});
}

// ---- looking up -----------------------------------------------------------------------------------------------------

node_entry* catalogue::present(const std::string& name) {
  for (auto& [id, node] : state_.nodes)
    if (node.state != node_state::removed && node.name == name)
      return &node;
  return nullptr;
}

const node_entry* catalogue::with_disk(std::uint64_t disk) const {
  for (const auto& [id, node] : state_.nodes)
    if (node.disk == disk)
      return &node;
  return nullptr;
}

std::size_t catalogue::active_members() const {
  return static_cast<std::size_t>(std::count_if(state_.nodes.begin(), state_.nodes.end(), [](const auto& n) {
    return n.second.role == node_role::member && n.second.state == node_state::active;
  }));
}

void catalogue::forget_old_nodes() {
  auto is_removed = [](const auto& n) { return n.second.state == node_state::removed; };
  auto count = std::count_if(state_.nodes.begin(), state_.nodes.end(), is_removed);
  if (static_cast<std::size_t>(count) > removed_nodes_max)
    state_.nodes.erase(std::find_if(state_.nodes.begin(), state_.nodes.end(), is_removed));
}

} // namespace sluice::domain
