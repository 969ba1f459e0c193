#include "check_cluster.hpp"

namespace sluice::simulation {

void cluster_checker::leads(partition_id p, log_term term, node_id node) {
  if (run_.telling())
    run_.say("node " + std::to_string(node.value) + " leads partition " + std::to_string(p.value) + " in term " +
             std::to_string(term));
  auto [known, is_new] = stories_[p].leaders.emplace(term, node);
  if (!is_new && known->second != node)
    run_.fail("cluster", "partition " + std::to_string(p.value) + " has two leaders in term " + std::to_string(term) +
                             ": nodes " + std::to_string(known->second.value) + " and " + std::to_string(node.value));
}

void cluster_checker::changed(partition_id p, log_index index, const raft::membership& m) {
  auto& s = stories_[p];
  if (index <= s.changed_at)
    return;
  s.changed_at = index;
  s.members = m;
  if (!run_.telling())
    return;
  std::string text;
  for (auto v : m.voters)
    text += " " + std::to_string(v.value);
  for (auto l : m.learners)
    text += " (" + std::to_string(l.value) + ")";
  run_.say("partition " + std::to_string(p.value) + " has members" + text + " as of index " + std::to_string(index));
}

} // namespace sluice::simulation
