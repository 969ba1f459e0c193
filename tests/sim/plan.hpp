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
  micros storm_max = 3'600 * second;
};

struct plan {
  std::bitset<static_cast<std::size_t>(fault::count_)> faults; // that may strike
  std::uint32_t partitions = 1;
  std::uint32_t events = 1;
  std::uint32_t users = 8;
  micros storm = 40 * second;
  micros user_think = 300 * ms;
  micros operator_think = 2 * second;

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

  std::uint64_t digest_every = 1; // indexes
  bool replay = false;            // the whole log once more at the end

  static plan of(const run_options& options);
};

} // namespace sluice::simulation
