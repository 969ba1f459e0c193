// What a seed decides before the run begins: how large the world is, which limits are tiny, which faults strike how often.
#pragma once

#include "agenda.hpp"
#include "tally.hpp"

#include "cluster/partition/core.hpp"

#include <bitset>
#include <functional>
#include <string>

namespace sluice::simulation {

struct run_options {
  std::uint64_t seed = 1;
  std::function<void(const std::string&)> trace; // every event as a line, if set

  // Narrower than what the seed says; for finding out what a failure needs.
  std::bitset<static_cast<std::size_t>(fault::count_)> without;
  std::uint32_t users_max = ~0u;
  std::uint32_t events_max = ~0u;
  std::uint32_t partitions_max = ~0u;
  std::uint32_t nodes_max = ~0u;
  micros storm_max = 3'600 * second;

  std::uint32_t crowd = 0; // commands of a crowd, a second of virtual time; 0: as the seed says

  bool speed = false; // three nodes in peace, under steady load, to measure how fast a run is
};

struct plan {
  std::bitset<static_cast<std::size_t>(fault::count_)> faults; // that may strike
  std::uint32_t nodes = 1;
  std::uint32_t replicas = 1; // of every partition
  std::uint32_t partitions = 1;
  std::uint32_t events = 1;
  std::uint32_t users = 8;
  micros storm = 40 * second;
  micros user_think = 300 * ms;
  micros operator_think = 2 * second;
  std::uint32_t crowd = 0; // commands a second of many at one event; mostly there is none

  partition::config cores; // the limits; identity and places are the host's
  micros step_delay = 0;   // an entity's mailbox, at most

  micros sync_time = 500;          // of a log write, about
  std::uint64_t slow_sync = 0;     // permille
  std::uint64_t power_cut = 0;     // millionths, per storage call
  micros crash_every = 0;          // about; 0: never
  micros down_time = 0;            // about
  std::uint64_t unsynced_kept = 0; // permille of unsynced pieces that survive a crash

  std::uint64_t note_lost = 0, note_repeated = 0, note_late = 0; // permille
  micros note_time = 1 * ms;

  std::uint64_t request_lost = 0, answer_lost = 0, request_repeated = 0; // permille
  micros request_time = 2 * ms;
  micros client_patience = 1 * second;

  std::uint64_t provider_error = 0, provider_silent = 0, provider_late = 0; // permille
  std::uint64_t declined = 0, capture_refused = 0, refund_refused = 0;      // permille
  std::uint64_t outcome_repeated = 0;                                       // permille
  micros outage_every = 0;                                                  // about; 0: never

  micros wall_jump_every = 0; // about; 0: never

  // Between nodes.
  bool links_keep_order = true;                                           // as connections do; else it is free for all
  micros link_time_min = 200, link_time_max = 1 * ms;                     // one way
  std::uint64_t message_lost = 0, message_late = 0, message_repeated = 0; // permille
  std::uint64_t hints = 0;             // permille of deaths and broken links that are noticed
  std::size_t chunk_bytes = 64 * 1024; // of a checkpoint on its way
  micros bridge_patience = 1 * second; // before it sends a request again

  // About how long from one to the next; 0: never.
  micros break_every = 0, split_every = 0, isolate_every = 0, alarm_every = 0;
  micros mass_crash_every = 0, pause_every = 0, slow_spell_every = 0, full_disk_every = 0;
  micros lost_tail_every = 0, corrupt_tail_every = 0, flip_every = 0, wiped_disk_every = 0, move_every = 0,
         transfer_every = 0;
  micros move_slot_every = 0;
  micros split_max = 0, pause_max = 0;
  micros shrink_every = 0;         // a node is short of memory
  std::int64_t drift_permille = 0; // how much faster or slower a node's clock may run
  bool one_stays_dead = false;     // after the storm, while there is a majority without it

  std::uint64_t digest_every = 1; // indexes
  bool replay = false;            // the whole log once more at the end

  static plan of(const run_options& options);
};

} // namespace sluice::simulation
