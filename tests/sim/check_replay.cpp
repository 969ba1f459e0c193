#include "check_replay.hpp"

#include "sim_disk.hpp"

#include "core/hash.hpp"

namespace sluice::simulation {

namespace {

constexpr micros heard_after = 1 * second; // by every replica, in the calm at the end

} // namespace

void replay_checker::fail(partition_id partition, log_index index, const std::string& what) {
  run_.fail("replay", "partition " + std::to_string(partition.value) + " index " + std::to_string(index) + ": " + what);
}

void replay_checker::executed(partition_id partition, const raft::entry& e) {
  auto [known, is_new] = stories_[partition].log.emplace(e.index, e);
  const auto& first = known->second;
  if (is_new || first.payload == e.payload)
    return;
  bool is_same = first.term == e.term && first.kind == e.kind &&
                 (e.kind != raft::entry_kind::commands || *first.payload == *e.payload);
  if (!is_same)
    fail(partition, e.index,
         "two different entries were executed: of term " + std::to_string(first.term) + " and of term " +
             std::to_string(e.term));
}

void replay_checker::promised(partition_id partition, log_index index) {
  auto& s = stories_[partition];
  if (index <= s.promised)
    return;
  if (s.promised_at + heard_after < run_.time.now())
    s.known = s.promised;
  s.promised = index;
  s.promised_at = run_.time.now();
}

void replay_checker::recovered(partition_id partition, const storage::recovered& found) {
  const auto& s = stories_[partition];
  auto last = found.last_index();
  if (found.damage)
    return fail(partition, last, "the log is damaged: " + *found.damage);
  if (run_.settings.replicas == 1 && run_.settings.nodes == 1 && last < s.promised)
    return run_.fail("durability", "partition " + std::to_string(partition.value) + ": the log ends at index " +
                                       std::to_string(last) + ", but index " + std::to_string(s.promised) +
                                       " was answered for");
}

void replay_checker::at_the_end(partition_id partition, node_id node, log_index applied, sim_disk& disk) {
  const auto& s = stories_[partition];
  auto where = "partition " + std::to_string(partition.value) + " at node " + std::to_string(node.value);
  auto known = s.promised_at + heard_after < run_.time.now() ? s.promised : s.known;
  if (applied < known)
    run_.fail("durability", where + " ends at index " + std::to_string(applied) + ", but index " +
                                std::to_string(known) + " was answered for");
  auto flushed = disk.checkpoint_index(partition);
  std::map<log_index, std::uint64_t> stored;
  disk.scan_feed(partition, 0, [&](log_index index, std::string_view record) {
    stored[index] = hash_of(record);
    return index < flushed;
  });
  for (const auto& [index, hash] : s.feed)
    if (index <= flushed && (!stored.contains(index) || stored.at(index) != hash))
      return run_.fail("feed", where + ": the facts of index " + std::to_string(index) +
                                   (stored.contains(index) ? " are others" : " are missing"));
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
    if (run_.telling()) {
      for (const auto& entity : all->values())
        differs(entity);
      for (const auto& entity : p.entities)
        if (all->of(entity.first) == 0 && entity.second != 0)
          run_.say("missing: " + to_string(entity.first));
    }
    fail(partition, index, "the entities' states are others than the first time");
  }
  p.digest = all->sum();
  if (run_.telling())
    p.entities = all->values();
}

void replay_checker::fenced(slot_number slot, partition_id partition, log_index index,
                            std::map<entity_ref, std::uint64_t> all) {
  fenced_.try_emplace({slot, partition, index}, std::move(all));
}

const std::map<entity_ref, std::uint64_t>* replay_checker::as_fenced(slot_number slot, partition_id partition,
                                                                     log_index index) const {
  auto known = fenced_.find({slot, partition, index});
  return known == fenced_.end() ? nullptr : &known->second;
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

log_index replay_checker::executed_to(partition_id partition) const {
  auto known = stories_.find(partition);
  return known == stories_.end() ? 0 : known->second.reached;
}

} // namespace sluice::simulation
