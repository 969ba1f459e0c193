// What a run did and what was done to it, so that nobody takes a quiet run for a passed one.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace sluice::simulation {

/// Classes of faults; a seed switches each on or off.
enum class fault : std::uint8_t {
  crash,     // the process dies between two events
  power_cut, // the process dies around a storage call
  slow_disk,
  lost_unsynced, // a crash takes what was not synced, instead of keeping some of it
  lost_note,
  repeated_note,
  late_note,
  lost_request,
  lost_answer,
  repeated_request,
  provider_error,   // it answered with an error, without effect
  provider_silence, // it took effect, the answer was lost
  provider_late,    // the request arrives after its caller gave up
  provider_outage,
  declined,
  capture_refused,
  refund_refused,   // for a while
  repeated_outcome, // the desk's report comes twice, or late
  wall_jump,
  overload, // queues so small that commands are refused
  // between nodes
  lost_message, // where links keep their order, it takes the connection with it
  late_message,
  repeated_message,
  broken_link,
  split, // one-way ones included
  isolated_leader,
  false_alarm, // somebody is said to be dead who is not
  // of nodes
  mass_crash, // several at once, or all
  pause,      // the process is frozen, then goes on with its old view
  slow_spell, // a disk is slow for seconds
  full_disk,  // the node stops until there is room again
  lost_tail,  // the end of every log of a node is gone
  wiped_disk,
  clock_drift,
  moved,             // replicas change nodes
  transfer,          // a leader is asked to hand over
  corrupt_tail,      // an entry in every log of a node can not be read any more
  flipped_state,     // a replica's state is another after a restart, and no checksum tells
  moved_slot,        // an event changes partitions
  overtaken_message, // links that do not keep their order
  count_,
};

constexpr std::array<std::string_view, static_cast<std::size_t>(fault::count_)> fault_names{
    "crash",           "power_cut",        "slow_disk",        "lost_unsynced",   "lost_note",
    "repeated_note",   "late_note",        "lost_request",     "lost_answer",     "repeated_request",
    "provider_error",  "provider_silence", "provider_late",    "provider_outage", "declined",
    "capture_refused", "refund_refused",   "repeated_outcome", "wall_jump",       "overload",
    "lost_message",    "late_message",     "repeated_message", "broken_link",     "split",
    "isolated_leader", "false_alarm",      "mass_crash",       "pause",           "slow_spell",
    "full_disk",       "lost_tail",        "wiped_disk",       "clock_drift",     "moved",
    "transfer",        "corrupt_tail",     "flipped_state",    "moved_slot",      "overtaken_message"};

/// Operations that succeeded, as the engine answered them.
enum class deed : std::uint8_t {
  defined,
  redefined,
  controlled,
  removed,
  joined,
  admitted,
  claimed,
  left,
  completed,
  held,
  held_across, // blocks
  held_places,
  contended, // refused, since somebody else was faster
  extended,
  released,
  lapsed,
  paying,
  paid_free,
  confirmed,
  failed,
  cancelled,
  refunded,
  stuck,    // the provider kept everybody waiting
  replayed, // an answer given again for the same key
  asked,
  refused, // any refusal
  checkpoints,
  restarts,
  passivated,
  replays_checked,
  // of clusters
  led,          // a leader began
  forwarded,    // commands from a bridge to a leader elsewhere
  resent,       // by a bridge that heard nothing, or of a new leader
  fetched,      // checkpoints from another node
  readmitted,   // replicas that had lost their log
  compared,     // state hashes of voters, by the others
  found_untrue, // replicas whose state was another than the others'
  late_answers, // of a leader whom another had followed: checked for less
  slots_opened, // by a replica
  called_off,   // moves that waited
  vacated,      // replicas that were moved away gave up what they had
  count_,
};

constexpr std::array<std::string_view, static_cast<std::size_t>(deed::count_)> deed_names{
    "defined",    "redefined",       "controlled",   "removed",      "joined",      "admitted",    "claimed",
    "left",       "completed",       "held",         "held_across",  "held_places", "contended",   "extended",
    "released",   "lapsed",          "paying",       "paid_free",    "confirmed",   "failed",      "cancelled",
    "refunded",   "stuck",           "replayed",     "asked",        "refused",     "checkpoints", "restarts",
    "passivated", "replays_checked", "led",          "forwarded",    "resent",      "fetched",     "readmitted",
    "compared",   "found_untrue",    "late_answers", "slots_opened", "called_off",  "vacated"};

struct tally {
  std::array<std::uint64_t, static_cast<std::size_t>(fault::count_)> faults{};
  std::array<std::uint64_t, static_cast<std::size_t>(deed::count_)> deeds{};
  std::uint64_t entries = 0;  // committed and executed, each counted once however often it is replayed
  std::uint64_t commands = 0; // answered

  std::uint64_t& operator[](fault f) { return faults[static_cast<std::size_t>(f)]; }

  std::uint64_t& operator[](deed d) { return deeds[static_cast<std::size_t>(d)]; }

  std::uint64_t operator[](fault f) const { return faults[static_cast<std::size_t>(f)]; }

  std::uint64_t operator[](deed d) const { return deeds[static_cast<std::size_t>(d)]; }

  tally& operator+=(const tally& other) {
    for (std::size_t i = 0; i < faults.size(); ++i)
      faults[i] += other.faults[i];
    for (std::size_t i = 0; i < deeds.size(); ++i)
      deeds[i] += other.deeds[i];
    commands += other.commands;
    entries += other.entries;
    return *this;
  }
};

} // namespace sluice::simulation
