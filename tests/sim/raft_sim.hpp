// The Raft core alone, simulated: several replicas, a bad network, disks that forget what was not synced, crashes,
// pauses, splits, membership changes, lost disks. One seed is one run and always the same run; every invariant is
// checked after every step; after the faults everything has to work again. Single-threaded.
#pragma once

#include "cluster/raft/planted.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace sluice::sim {

struct raft_sim_options {
  std::uint64_t seed = 1;
  raft::planted_bug bug = raft::planted_bug::none;
  std::function<void(const std::string&)> trace; // every event as a line, if set
};

/// What a run did, so that nobody takes a quiet run for a passed one.
struct raft_sim_counts {
  std::uint64_t events = 0, messages = 0, lost = 0, duplicated = 0;
  std::uint64_t proposed = 0, acknowledged = 0, committed = 0, reads = 0, entries_truncated = 0;
  std::uint64_t leaders = 0, crashes = 0, power_cuts = 0, pauses = 0, splits = 0, slow_disks = 0, hints = 0, wipes = 0;
  std::uint64_t writes_forgotten = 0, transfers = 0, member_changes = 0, readmitted = 0, vacated = 0;
  std::uint64_t snapshots = 0, snapshots_offered = 0, snapshots_installed = 0, loads = 0;

  raft_sim_counts& operator+=(const raft_sim_counts& other);
};

struct raft_sim_report {
  std::uint64_t seed = 0;
  bool ok = true;
  std::string violation; // of what, when not ok
  std::uint64_t step = 0;
  std::int64_t virtual_us = 0;
  std::uint64_t trace_hash = 0;
  std::int64_t leader_us = 0;      // until there was a leader after the healing
  std::int64_t longest_gap_us = 0; // between acknowledgements under load after the healing
  raft_sim_counts counts;
};

raft_sim_report run_raft_sim(const raft_sim_options& options);

} // namespace sluice::sim
