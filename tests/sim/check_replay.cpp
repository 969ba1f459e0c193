#include "check_replay.hpp"

#include "core/hash.hpp"

namespace sluice::simulation {

void replay_checker::fail(partition_id partition, log_index index, const std::string& what) {
  run_.fail("replay", "partition " + std::to_string(partition.value) + " index " + std::to_string(index) + ": " + what);
}

void replay_checker::wrote(partition_id partition, const raft::write& w) {
  auto& log = stories_[partition].log;
  if (w.truncate_from)
    log.erase(log.lower_bound(*w.truncate_from), log.end());
  for (const auto& e : w.append) {
    log.erase(log.lower_bound(e.index), log.end());
    log.emplace(e.index, e);
  }
}

void replay_checker::promised(partition_id partition, log_index index) {
  auto& s = stories_[partition];
  s.promised = std::max(s.promised, index);
}

void replay_checker::recovered(partition_id partition, const storage::recovered& found) {
  auto& s = stories_[partition];
  auto last = found.checkpoint ? found.checkpoint->index : 0;
  for (const auto& e : found.log) {
    auto known = s.log.find(e.index);
    bool is_same = known != s.log.end() && known->second.term == e.term &&
                   (known->second.kind != raft::entry_kind::commands || *known->second.payload == *e.payload);
    if (!is_same)
      return fail(partition, e.index, "the disk holds another entry than was written");
    last = e.index;
  }
  if (found.damage)
    return fail(partition, last, "the log is damaged: " + *found.damage);
  if (last < s.promised)
    return run_.fail("durability", "partition " + std::to_string(partition.value) + ": the log ends at index " +
                                       std::to_string(last) + ", but index " + std::to_string(s.promised) +
                                       " was answered for");
  s.log.erase(s.log.upper_bound(last), s.log.end());
}

bool replay_checker::told(partition_id partition, log_index index, std::string_view record) {
  auto& s = stories_[partition];
  auto hash = hash_of(record);
  auto [known, is_new] = s.feed.emplace(index, hash);
  if (!is_new) {
    if (known->second != hash)
      fail(partition, index, "the facts are others than the first time");
    return false;
  }
  if (index <= s.reached)
    fail(partition, index, "there are facts now, there were none the first time");
  return true;
}

void replay_checker::stamped(partition_id partition, log_index index, const entry_time& now) {
  auto& s = stories_[partition];
  if (index <= s.clock_index)
    return;
  if (now.log < s.clock.log || now.wall < s.clock.wall)
    fail(partition, index, "time went backwards");
  ++run_.counts.entries;
  s.clock_index = index;
  s.clock = now;
}

void replay_checker::reached(partition_id partition, log_index index, std::uint64_t state_hash, const digest* all) {
  auto& s = stories_[partition];
  s.reached = std::max(s.reached, index);
  auto& p = s.points[index];
  if (p.state_hash && *p.state_hash != state_hash)
    fail(partition, index, "the state hash is another than the first time");
  p.state_hash = state_hash;
  if (all == nullptr)
    return;
  if (p.digest && *p.digest != all->sum()) {
    auto differs = [&](const auto& entity) {
      auto known = p.entities.find(entity.first);
      if ((known == p.entities.end() ? 0 : known->second) != entity.second)
        run_.say("differs: " + to_string(entity.first));
    };
    if (run_.telling())
      for (const auto& entity : all->values())
        differs(entity);
    fail(partition, index, "the entities' states are others than the first time");
  }
  p.digest = all->sum();
  if (run_.telling())
    p.entities = all->values();
}

std::vector<raft::entry> replay_checker::log(partition_id partition) const {
  std::vector<raft::entry> entries;
  auto known = stories_.find(partition);
  if (known != stories_.end())
    for (const auto& [index, e] : known->second.log)
      if (index <= known->second.reached)
        entries.push_back(e);
  return entries;
}

log_index replay_checker::executed(partition_id partition) const {
  auto known = stories_.find(partition);
  return known == stories_.end() ? 0 : known->second.reached;
}

} // namespace sluice::simulation
