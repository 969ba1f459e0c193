// Who leads and who is a member, as the logs have it.
#pragma once

#include "scene.hpp"

#include "cluster/raft/types.hpp"

#include <map>
#include <set>
#include <utility>

namespace sluice::simulation {

/// Owned by one run.
class cluster_checker {
public:
  explicit cluster_checker(scene& run) : run_{run} {}

  void founded(partition_id p, const raft::membership& m) { stories_[p].members = m; }

  /// At most one leader a term.
  void leads(partition_id p, log_term term, node_id node);
  /// A membership was executed at this index, by anybody.
  void changed(partition_id p, log_index index, const raft::membership& m);

  /// It stood still for a while on the way to another partition.
  void event_moved(event_number event) { moved_.insert(event); }

  bool ever_moved(event_number event) const { return moved_.contains(event); }

  /// For this long nobody could lead, who is up and reaches a majority.
  void outage(partition_id p, micros lasted) { stories_[p].outage += lasted; }

  micros outage_of(partition_id p) const { return stories_.at(p).outage; }

  /// Committed, as far as anybody executed it.
  const raft::membership& members(partition_id p) const { return stories_.at(p).members; }

  bool involves(partition_id p, node_id node) const {
    const auto& m = members(p);
    return m.voters.contains(node) || m.learners.contains(node);
  }

private:
  struct story {
    raft::membership members;
    log_index changed_at = 0;
    micros outage = 0;
    std::map<log_term, node_id> leaders;
  };

  scene& run_;
  std::map<partition_id, story> stories_;
  std::set<event_number> moved_;
};

} // namespace sluice::simulation
