// One log, one history: whatever is executed again, after a crash or by another replica, must come out the same. And what
// left a leader must be in it for ever.
#pragma once

#include "check_line.hpp"
#include "digest.hpp"
#include "scene.hpp"

#include "cluster/raft/types.hpp"
#include "storage/log_store.hpp"

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

namespace sluice::simulation {

class sim_disk;

class replay_checker {
public:
  explicit replay_checker(scene& run) : run_{run} {}

  /// A replica executed this entry: nobody may ever execute another one at its place.
  void executed(partition_id partition, const raft::entry& e);
  /// Something that depends on the entries up to `index` left a leader.
  void promised(partition_id partition, log_index index);
  /// What a restart found; where there is only one replica, it must hold all that was promised.
  void recovered(partition_id partition, const storage::recovered& found);
  /// A replica is what it will be at the end: all that was promised, and the facts of all entries up to its checkpoint.
  void at_the_end(partition_id partition, node_id node, log_index applied, sim_disk& disk);
  /// The facts of an entry; true when they are told for the first time.
  bool told(partition_id partition, log_index index, std::string_view record);
  /// The two times an entry carries.
  void stamped(partition_id partition, log_index index, const entry_time& now);
  /// All state as of an index; `all` is null where only the core's own hash is known.
  void reached(partition_id partition, log_index index, std::uint64_t state_hash, const digest* all);

  /// The entities of a slot as they were when it was closed, by entry `index` of `partition`; from whoever executed that first.
  void fenced(slot_number slot, partition_id partition, log_index index, std::map<entity_ref, std::uint64_t> all);
  const std::map<entity_ref, std::uint64_t>* as_fenced(slot_number slot, partition_id partition, log_index index) const;

  /// The log as executed so far, from the beginning.
  std::vector<raft::entry> log(partition_id partition) const;
  log_index executed_to(partition_id partition) const;

private:
  struct point {
    std::optional<std::uint64_t> state_hash;
    std::optional<std::uint64_t> digest;
    std::map<entity_ref, std::uint64_t> entities; // only for a trace
  };

  struct story {
    std::map<log_index, raft::entry> log;
    log_index promised = 0;
    micros promised_at = 0;
    log_index known = 0; // promised long enough ago for every replica to have heard of it
    log_index reached = 0;
    std::map<log_index, std::uint64_t> feed; // hash of each record
    std::map<log_index, point> points;
    log_index clock_index = 0;
    entry_time clock;
  };

  void fail(partition_id partition, log_index index, const std::string& what);

  scene& run_;
  std::map<partition_id, story> stories_;
  std::map<std::tuple<slot_number, partition_id, log_index>, std::map<entity_ref, std::uint64_t>> fenced_;
};

} // namespace sluice::simulation
