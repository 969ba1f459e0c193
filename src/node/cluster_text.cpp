// The cluster as JSON: what this node sees, and what the others said lately.
#include "codec/document.hpp"
#include "node/cluster.hpp"

namespace sluice::node {

namespace {

using statuses = std::map<node_id, std::shared_ptr<const proto::NodeStatus>>;

const char* word(domain::node_state state) {
  switch (state) {
  case domain::node_state::active:
    return "ACTIVE";
  case domain::node_state::draining:
    return "DRAINING";
  case domain::node_state::removed:
    return "REMOVED";
  }
  return "";
}

void write_node(codec::json_writer& w, const domain::node_entry& n, const statuses& known, bool reachable) {
  auto said = known.find(n.id);
  w.begin_object().field("id", n.id.value).field("name", n.name);
  w.field("role", n.role == domain::node_role::bridge ? "BRIDGE" : "MEMBER").field("state", word(n.state));
  w.field("peerAddress", n.peer_address).field("httpAddress", n.http_address).field("version", n.version);
  w.field("generation", n.generation).field("reachable", reachable);
  if (said != known.end()) {
    const auto& s = *said->second;
    std::size_t leads = 0;
    for (const auto& r : s.replicas())
      leads += r.leading() ? 1 : 0;
    w.field("serving", s.serving()).field("leads", leads).field("diskFreeBytes", s.disk_free());
    w.field("diskUsedBytes", s.disk_used()).field("memoryBytes", s.memory()).field("connections", s.connections());
    w.field("loadPercent", s.load_percent()).field("memoryFull", s.memory_full());
    w.field("featureLevel", s.feature_level());
  }
  w.end_object();
}

struct replica_view {
  node_id node;
  const proto::NodeStatus::Replica* said = nullptr;
  bool voter = false;
};

/// The leader's word is the partition's; of several who think they lead, the newest term's.
const proto::NodeStatus::Replica* leader_of(const std::vector<replica_view>& replicas, node_id& leader) {
  const proto::NodeStatus::Replica* best = nullptr;
  for (const auto& r : replicas)
    if (r.said->leading() && (best == nullptr || r.said->term() > best->term())) {
      best = r.said;
      leader = r.node;
    }
  return best;
}

/// Who belongs to the partition: what `shown` says, or a later change that somebody else already knows as committed. What the leader
/// said may be a second old, and a replica it just made a learner is no voter any more.
const proto::NodeStatus::Replica& newest_members(const std::vector<replica_view>& replicas,
                                                 const proto::NodeStatus::Replica& shown) {
  const auto* newest = &shown;
  for (const auto& r : replicas)
    if (r.said->members_index() <= r.said->commit() && r.said->members_index() > newest->members_index())
      newest = r.said;
  return *newest;
}

void write_partition(codec::json_writer& w, std::uint32_t partition, const std::vector<replica_view>& replicas) {
  node_id leader;
  const auto* lead = leader_of(replicas, leader);
  const proto::NodeStatus::Replica* shown = lead;
  for (const auto& r : replicas)
    if (lead == nullptr && (shown == nullptr || r.said->applied() > shown->applied()))
      shown = r.said;
  w.begin_object().field("id", partition).field("leader", leader.value);
  w.field("term", shown->term()).field("index", shown->applied()).field("commitIndex", shown->commit());
  w.field("checkpointIndex", shown->checkpoint()).field("firstIndex", shown->first());
  w.field("lag", shown->commit() - shown->applied()).field("activeEntities", shown->active_entities());
  w.field("movingSlots", shown->moving_slots())
      .field("openEffects", shown->open_effects())
      .field("stateHash", std::to_string(shown->hash()));
  const auto& members = newest_members(replicas, *shown).members();
  w.key("replicas").begin_array();
  auto is_in = [](const auto& nodes, node_id n) {
    return std::find(nodes.begin(), nodes.end(), n.value) != nodes.end();
  };
  for (const auto& r : replicas) {
    auto voter = is_in(members.voters(), r.node);
    if (!voter && !is_in(members.learners(), r.node))
      continue;
    w.begin_object().field("node", r.node.value).field("kind", voter ? "VOTER" : "LEARNER");
    w.field("index", r.said->applied());
    w.field("lag", shown->commit() > r.said->applied() ? shown->commit() - r.said->applied() : 0);
    w.field("rejoining", r.said->rejoining())
        .field("halted", r.said->halted())
        .field("stateHash", std::to_string(r.said->hash()))
        .end_object();
  }
  w.end_array();
  w.key("voters").begin_array();
  for (auto v : members.voters())
    w.number(v);
  w.end_array().end_object();
}

} // namespace

std::string cluster::describe() const {
  auto catalogue = parts_.models->catalogue();
  auto known = fresh_statuses();
  std::string text;
  codec::json_writer w{text};
  w.begin_object().field("clusterId", catalogue->cluster_id).field("epoch", catalogue->epoch);
  w.field("version", SLUICE_VERSION).field("replication", catalogue->replication);
  w.field("featureLevel", catalogue->feature_level).field("answeredBy", parts_.who->name);
  w.key("nodes").begin_array();
  auto ever = desk_->statuses(); // a new one has said nothing yet
  for (const auto& n : catalogue->nodes)
    write_node(w, n, known, is_reachable(n.id) && (known.contains(n.id) || !ever.contains(n.id)));
  w.end_array();
  std::map<std::uint32_t, std::vector<replica_view>> partitions;
  for (const auto& [node, status] : known)
    for (const auto& r : status->replicas())
      partitions[r.partition()].push_back({node, &r, false});
  w.key("partitions").begin_array();
  for (const auto& [partition, replicas] : partitions)
    write_partition(w, partition, replicas);
  w.end_array().end_object();
  return text;
}

} // namespace sluice::node
