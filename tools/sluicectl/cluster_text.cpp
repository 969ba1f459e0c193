#include "cluster_text.hpp"

#include "fields.hpp"
#include "output.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>

namespace sluice::ctl {

namespace {

using codec::document;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

std::string plural(std::int64_t count, const std::string& noun) {
  return grouped(count) + " " + noun + (count == 1 ? "" : "s");
}

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const auto& part : parts)
    text += (text.empty() ? "" : ", ") + part;
  return text;
}

/// "3, 4, 5 and 9 more"
std::string some_of(const std::vector<std::string>& parts) {
  constexpr std::size_t shown_max = 8;
  if (parts.size() <= shown_max)
    return joined(parts);
  return joined({parts.begin(), parts.begin() + shown_max}) + " and " + std::to_string(parts.size() - shown_max) +
         " more";
}

/// "partition 3", "partitions 3, 4"
std::string partitions_named(const std::vector<std::string>& ids) {
  return (ids.size() == 1 ? "partition " : "partitions ") + some_of(ids);
}

bool has_state(const document& node, std::string_view state) {
  return text_in(node, "state") == state;
}

/// A node that does not say is not known to be away.
bool reachable(const document& node) {
  const auto* found = node.find("reachable");
  return found == nullptr || found->boolean;
}

bool is_learner(const document& replica) {
  return text_in(replica, "kind") == "LEARNER";
}

/// Ids of a partition's voters: also of those that said nothing lately, and so are no replica in the list.
std::vector<std::int64_t> voters_of(const document& partition) {
  std::vector<std::int64_t> ids;
  for (const auto& id : list_in(partition, "voters"))
    ids.push_back(id.integer);
  if (ids.empty())
    for (const auto& r : list_in(partition, "replicas"))
      if (!is_learner(r))
        ids.push_back(number_in(r, "node"));
  return ids;
}

/// A voter of which no replica is listed.
bool is_silent(const document& partition, std::int64_t voter) {
  const auto& said = list_in(partition, "replicas");
  return std::none_of(said.begin(), said.end(), [voter](const auto& r) { return number_in(r, "node") == voter; });
}

/// The nodes by id, those not removed.
class node_list {
public:
  explicit node_list(const document& cluster) {
    for (const auto& node : list_in(cluster, "nodes"))
      if (!has_state(node, "REMOVED"))
        all_[number_in(node, "id")] = &node;
  }

  const std::map<std::int64_t, const document*>& all() const { return all_; }

  const document* find(std::int64_t id) const {
    auto found = all_.find(id);
    return found == all_.end() ? nullptr : found->second;
  }

  /// Its name; "node 7" for one without.
  std::string name_of(std::int64_t id) const {
    const auto* node = find(id);
    auto name = node ? text_in(*node, "name") : std::string{};
    return name.empty() ? "node " + std::to_string(id) : name;
  }

private:
  std::map<std::int64_t, const document*> all_;
};

/// What the least of them knows; 0 while one does not say.
std::int64_t level_of_all(const node_list& nodes) {
  std::optional<std::int64_t> least;
  for (const auto& [id, node] : nodes.all())
    least = std::min(least.value_or(std::numeric_limits<std::int64_t>::max()), number_in(*node, "featureLevel"));
  return least.value_or(0);
}

std::string size_text(std::int64_t bytes) {
  constexpr std::int64_t gib = std::int64_t{1} << 30;
  return bytes >= gib ? tenths(bytes / (gib / 10)) + " GiB" : grouped(bytes >> 20) + " MiB";
}

void add_nodes(std::vector<std::string>& lines, const node_list& nodes) {
  table t{{"NODE", "ID", "ROLE", "STATE", "REACHABLE", "PEER ADDRESS", "HTTP ADDRESS", "VERSION", "DISK FREE"}};
  for (const auto& [id, node] : nodes.all()) {
    const auto* disk = node->find("diskFreeBytes");
    t.add({nodes.name_of(id), std::to_string(id), lower(text_in(*node, "role")), lower(text_in(*node, "state")),
           reachable(*node) ? "yes" : "NO", text_in(*node, "peerAddress"), text_in(*node, "httpAddress"),
           text_in(*node, "version"), disk ? size_text(disk->integer) : std::string{}});
  }
  for (auto& line : t.lines())
    lines.push_back(std::move(line));
}

void add_partitions(std::vector<std::string>& lines, const document& cluster, const node_list& nodes) {
  table t{{"PARTITION", "LEADER", "TERM", "INDEX", "LAG", "REPLICAS"}};
  for (const auto& p : list_in(cluster, "partitions")) {
    std::int64_t lag = 0;
    std::vector<std::string> replicas;
    for (const auto& r : list_in(p, "replicas")) {
      lag = std::max(lag, number_in(r, "lag"));
      replicas.push_back(nodes.name_of(number_in(r, "node")) + (is_learner(r) ? " (learner)" : ""));
    }
    for (auto id : voters_of(p))
      if (is_silent(p, id))
        replicas.push_back(nodes.name_of(id) + " (silent)");
    auto leader = number_in(p, "leader");
    t.add({figure_in(p, "id"), leader == 0 ? "NONE" : nodes.name_of(leader), figure_in(p, "term"),
           figure_in(p, "index"), std::to_string(lag), joined(replicas)});
  }
  for (auto& line : t.lines())
    lines.push_back(std::move(line));
}

void tell_nodes(std::vector<std::string>& told, const document& cluster, const node_list& nodes) {
  std::int64_t active = 0;
  for (const auto& [id, node] : nodes.all()) {
    active += text_in(*node, "role") == "MEMBER" && has_state(*node, "ACTIVE");
    auto address = text_in(*node, "peerAddress");
    if (!reachable(*node))
      told.push_back("node " + nodes.name_of(id) + (address.empty() ? "" : " at " + address) +
                     " can not be reached: start it, or if its disk is gone: sluicectl cluster replace " +
                     nodes.name_of(id));
    const auto* disk = node->find("diskFreeBytes");
    if (disk != nullptr && disk->integer < disk_worth_telling)
      told.push_back("node " + nodes.name_of(id) + " has " + size_text(disk->integer) +
                     " of disk left: without any it stops");
    if (flag_in(*node, "memoryFull"))
      told.push_back("node " + nodes.name_of(id) +
                     " has used 95 % of its memory limit: nobody new is let into the lines it keeps; raise " +
                     "--memory-limit-mib, or move some of it to other nodes (sluicectl cluster advise)");
  }
  auto replication = number_in(cluster, "replication");
  if (active < replication)
    told.push_back("there are " + plural(active, "active member") + " for a replication of " +
                   std::to_string(replication) + ": add a node (sluicectl cluster token)");
}

/// Without a leader: whose absence may be why.
std::string leaderless(const document& p, const node_list& nodes) {
  std::vector<std::string> away;
  auto voters = voters_of(p);
  for (auto id : voters) {
    const auto* node = nodes.find(id);
    if (node == nullptr || !reachable(*node))
      away.push_back(nodes.name_of(id));
  }
  auto text = "partition " + figure_in(p, "id") + " has no leader in term " + figure_in(p, "term") + " at index " +
              figure_in(p, "index") + ", its events stand still";
  if (2 * away.size() >= voters.size() && !voters.empty())
    return text + ": of its " + std::to_string(voters.size()) + " voters " + some_of(away) +
           " can not be reached, and a majority is needed: start them; if they are gone for good: sluicectl cluster recover";
  const auto& replicas = list_in(p, "replicas");
  if (std::any_of(replicas.begin(), replicas.end(), [](const auto& r) { return flag_in(r, "halted"); }))
    return text +
           ": its voters' states differ, and no majority has the same. Restart its nodes; if it stands still again, "
           "restore a backup";
  return text + ": an election should end that within seconds";
}

/// Who answers, but has not said how its replicas are: it has just started, perhaps with an empty disk.
void tell_silent(std::vector<std::string>& told, const document& cluster, const node_list& nodes) {
  std::map<std::int64_t, std::vector<std::string>> silent;
  for (const auto& p : list_in(cluster, "partitions"))
    for (auto id : voters_of(p)) {
      const auto* node = nodes.find(id);
      if (node != nullptr && reachable(*node) && is_silent(p, id))
        silent[id].push_back(figure_in(p, "id"));
    }
  for (const auto& [id, partitions] : silent)
    told.push_back("node " + nodes.name_of(id) + " has not said yet how far it is with " +
                   partitions_named(partitions) + ": ask again in a second");
}

void tell_partitions(std::vector<std::string>& told, const document& cluster, const node_list& nodes) {
  auto replication = number_in(cluster, "replication");
  std::vector<std::string> thin;
  for (const auto& p : list_in(cluster, "partitions")) {
    if (number_in(p, "leader") == 0)
      told.push_back(leaderless(p, nodes));
    for (const auto& r : list_in(p, "replicas")) {
      auto lag = number_in(r, "lag");
      const auto* node = nodes.find(number_in(r, "node"));
      if (flag_in(r, "halted") && number_in(p, "leader") != 0)
        told.push_back("partition " + figure_in(p, "id") + ": the replica on " + nodes.name_of(number_in(r, "node")) +
                       " stands still, since its state differed from another voter's; the leader is at index " +
                       figure_in(p, "index") + " of term " + figure_in(p, "term") + ": restart that node");
      // Of one that is away this was said; of a learner it is expected.
      if (lag > lag_worth_telling && !is_learner(r) && node != nullptr && reachable(*node))
        told.push_back("partition " + figure_in(p, "id") + ": the replica on " + nodes.name_of(number_in(r, "node")) +
                       " is " + grouped(lag) + " entries behind index " + figure_in(p, "index") + " of term " +
                       figure_in(p, "term") + ": look at its disk and its line");
    }
    auto voters = static_cast<std::int64_t>(voters_of(p).size());
    if (voters > 0 && voters < replication)
      thin.push_back(figure_in(p, "id"));
  }
  if (!thin.empty())
    told.push_back("fewer than " + std::to_string(replication) + " voters hold " + partitions_named(thin) +
                   ": they move by themselves once there are members enough");
}

} // namespace

std::vector<std::string> cluster_lines(const document& cluster) {
  node_list nodes{cluster};
  std::vector<std::string> lines;
  auto epoch = cluster.find("epoch");
  lines.push_back("cluster      " + printable(text_in(cluster, "clusterId")) +
                  (epoch ? ", epoch " + std::to_string(epoch->integer) : ""));
  lines.push_back("version      " + printable(text_in(cluster, "version")));
  if (number_in(cluster, "replication") > 0)
    lines.push_back("replication  " + figure_in(cluster, "replication"));
  if (number_in(cluster, "featureLevel") > 0)
    lines.push_back("features     level " + figure_in(cluster, "featureLevel"));
  lines.emplace_back();
  add_nodes(lines, nodes);
  lines.emplace_back();
  add_partitions(lines, cluster, nodes);
  return lines;
}

std::vector<std::string> cluster_troubles(const document& cluster) {
  node_list nodes{cluster};
  std::vector<std::string> told;
  tell_nodes(told, cluster, nodes);
  tell_silent(told, cluster, nodes);
  tell_partitions(told, cluster, nodes);
  for (auto& line : told)
    line = printable(line);
  return told;
}

std::vector<std::string> cluster_notes(const document& cluster) {
  node_list nodes{cluster};
  std::vector<std::string> told;
  std::map<std::string, std::vector<std::string>> versions;
  for (const auto& [id, node] : nodes.all()) {
    auto version = text_in(*node, "version");
    if (!version.empty())
      versions[version].push_back(nodes.name_of(id));
    if (!has_state(*node, "DRAINING"))
      continue;
    auto name = nodes.name_of(id);
    auto left = static_cast<std::int64_t>(held_by(cluster, text_in(*node, "name")));
    told.push_back("node " + name + " drains: " +
                   (left > 0 ? "it still holds " + plural(left, "partition")
                             : "it holds nothing any more: stop it, or sluicectl cluster remove " + name));
  }
  if (versions.size() > 1) {
    std::string text;
    for (const auto& [version, names] : versions)
      text += (text.empty() ? "" : "; ") + version + " on " + some_of(names);
    told.push_back("several versions run: " + text);
  }
  if (auto level = level_of_all(nodes); level > number_in(cluster, "featureLevel"))
    told.push_back("all nodes know feature level " + std::to_string(level) + ": sluicectl cluster activate-feature " +
                   std::to_string(level) + " begins to use it; no older version can join from then on");
  std::map<std::string, std::vector<std::string>> learners;
  std::map<std::string, std::vector<std::string>> rejoining;
  for (const auto& p : list_in(cluster, "partitions"))
    for (const auto& r : list_in(p, "replicas")) {
      auto name = nodes.name_of(number_in(r, "node"));
      if (flag_in(r, "rejoining"))
        rejoining[name].push_back(figure_in(p, "id"));
      else if (is_learner(r))
        learners[name].push_back(figure_in(p, "id"));
    }
  auto replication = number_in(cluster, "replication");
  std::vector<std::string> moving;
  for (const auto& p : list_in(cluster, "partitions"))
    if (replication > 0 && static_cast<std::int64_t>(voters_of(p).size()) > replication)
      moving.push_back(figure_in(p, "id"));
  if (!moving.empty())
    told.push_back("more than " + plural(replication, "voter") + " for " + partitions_named(moving) +
                   ": one that moved is about to go");
  for (const auto& [name, partitions] : learners)
    told.push_back("node " + name + " is being filled with " + partitions_named(partitions));
  for (const auto& [name, partitions] : rejoining)
    told.push_back("node " + name + " gets " + partitions_named(partitions) +
                   " anew: it has no vote there until it has caught up");
  for (auto& line : told)
    line = printable(line);
  return told;
}

std::size_t held_by(const document& cluster, const std::string& name) {
  node_list nodes{cluster};
  std::size_t count = 0;
  for (const auto& p : list_in(cluster, "partitions")) {
    auto leader = number_in(p, "leader");
    bool holds = leader != 0 && nodes.name_of(leader) == name;
    for (auto id : voters_of(p))
      holds = holds || nodes.name_of(id) == name;
    for (const auto& r : list_in(p, "replicas"))
      holds = holds || nodes.name_of(number_in(r, "node")) == name;
    count += holds;
  }
  return count;
}

std::string join_command(const std::string& token, const std::vector<std::string>& peers, const std::string& name) {
  return "sluiced --name " + (name.empty() ? "NAME" : name) +
         " --data DIR --listen ADDRESS:8080 --peer-listen ADDRESS:7080 --payment-provider ADDRESS:8090 --join " +
         (peers.empty() ? "PEER-ADDRESS" : peers.front()) + " --join-token " + token;
}

} // namespace sluice::ctl
