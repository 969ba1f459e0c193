// What kind of bad day a seed brings. Every fault is off in half of the seeds, so that rare combinations, and quiet
// stretches long enough for others, come up as well (swarm testing).
#pragma once

#include "cluster/raft/core.hpp"
#include "raft_sim_parts.hpp"

namespace sluice::sim {

constexpr std::int64_t ms = 1000; // times are microseconds
constexpr std::int64_t second = 1000 * ms;

/// Rare histories that chance alone would need ages for; each seed leans towards at most one.
enum class plot : std::uint8_t {
  none,
  figure_eight, // entry by entry, one short leadership after the other (thesis figure 3.7)
  dance,        // one membership change after the other, while leaders fall (the correction of 2015)
  amnesia,      // slow disks, elections without end, crashes in between
  echo,         // elections among the living, and every other message comes again from an earlier term
  siege,        // the last leader is cut off with entries of its own, then a minority dies for good
};

struct weather {
  sim::plot plot{sim::plot::none};
  int voters = 3, learners = 0;
  std::int64_t storm = 20 * second; // how long the faults last

  // The network; latencies are one way.
  std::uint64_t loss_permille = 0, dup_permille = 0;
  std::int64_t dup_delay_max = 0, latency_min = 0, latency_max = 0;
  bool fifo = true;

  // Mean time between faults; 0: never.
  std::int64_t crash_every = 0, pause_every = 0, split_every = 0, slow_disk_every = 0, transfer_every = 0;
  std::int64_t change_every = 0, wipe_every = 0, hint_every = 0, ambush_every = 0;
  std::uint64_t leader_bias_permille = 0, many_permille = 0, all_permille = 0;
  std::int64_t restart_max = 0, pause_max = 0, split_max = 0;
  std::uint64_t harass_permille = 0; // a new leader is struck down before it has done much
  std::uint64_t hint_permille = 0;   // crashes are noticed by the others
  bool partial_splits = false;       // one way, or any subset of links

  std::int64_t disk_min = 0, disk_max = 0;

  // Load.
  std::int64_t proposals_per_second = 100, reads_per_second = 0;
  std::size_t outstanding_max = 100;
  std::int64_t payload_max = 8;

  log_index snapshot_every = 0; // entries
  log_index tail_max = 0;
  std::uint64_t fetch_fails_permille = 0;

  // After the storm a minority may stay away, or deaf: able to send, unable to hear.
  bool minority_stays_dead = false;
  bool minority_stays_deaf = false;

  raft::config core;
};

weather forecast(chance& dice);

} // namespace sluice::sim
