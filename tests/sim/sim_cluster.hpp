// All nodes of a run, the network between them, and who wants which replicas where.
#pragma once

#include "checkers.hpp"
#include "peer_net.hpp"
#include "scene.hpp"
#include "sim_node.hpp"
#include "sim_provider.hpp"

#include "cluster/partition_map.hpp"

#include <deque>
#include <map>
#include <vector>

namespace sluice::simulation {

/// Owned by one run.
class sim_cluster {
public:
  sim_cluster(scene& run, checkers& all, sim_provider& provider, const partition_map& places);

  void found();

  std::deque<sim_node>& nodes() { return nodes_; }

  sim_node& node(node_id id) { return nodes_[id.value - 1]; }

  /// Any node, dead ones included: clients do not know.
  sim_node& some_node() { return run_.dice.one_of(nodes_); }

  peer_net& net() { return net_; }

  const partition_map& places() const { return places_; }

  // ---- membership ----
  /// Where the replicas of a partition shall be.
  const raft::membership& target(partition_id p) const { return targets_.at(p.value); }

  /// The membership everything began with.
  const raft::membership& founders(partition_id p) const { return founders_.at(p.value); }

  /// A new target: nodes that are up and in it host a replica at once, others when they boot.
  void aim(partition_id p, raft::membership target);
  /// Tells leaders where to go; again and again, since the next one has not heard it.
  void administer();
  /// Every member of every partition is up and goes by the target, and nobody has lost anything.
  bool is_settled();

  // ---- views ----
  /// The replica that leads, seen from outside; of two the one with the higher term. Null: none.
  replica* leader(partition_id p);
  /// Somebody leads, is awake, and hears a majority that hears it.
  bool can_work(partition_id p);
  /// Where a request for this partition may be sent when nobody knows better.
  std::vector<node_id> candidates(partition_id p) const;

private:
  /// Keeps account of outages.
  void watch();
  void vacate(partition_id p);

  scene& run_;
  checkers& checkers_;
  const partition_map& places_;
  peer_net net_;
  std::deque<sim_node> nodes_;
  std::vector<raft::membership> founders_, targets_;
  chance vacancies_; // dice of their own
};

} // namespace sluice::simulation
