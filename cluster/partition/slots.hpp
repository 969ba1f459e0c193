// Slots on their way between partitions. A slot is where it was dealt out at the founding, until it is moved:
//
//   1. A leaves:  from this entry on A executes nothing of it; a checkpoint is taken that has all of it
//   2. B arrives: a note of A, once all its notes to others have arrived (B's may not overtake them); B's leader pulls
//                 the pieces, part by part, out of a checkpoint of A
//   3. B part:    each is an entry of B's log, so that every replica of B adopts the same; the last opens it
//   4. A taken:   a note of B: A forgets the groups, and from then on says where they live
//
// Exactly one partition executes a slot at any time: B opens after A has closed, in the order of the notes, which
// arrive exactly once. Nothing else has to agree: who knows only where a slot was dealt out is passed on from there.
#pragma once

#include "cluster/partition/types.hpp"
#include "core/slot.hpp"
#include "sluice/log_entry.pb.h"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace sluice::partition {

/// A time a slot was executed by `partition`: entries [first, last].
struct slot_stay {
  partition_id partition;
  log_index first = 0;
  log_index last = 0;
};

/// A note that came for a slot which is not open yet.
struct waiting_note {
  entity_ref to;
  std::string body;
};

/// What a partition knows of a slot that came, went, or is on its way.
struct slot_state {
  enum class stage : std::uint8_t { here, leaving, left, arriving };

  stage where = stage::here;
  partition_id peer;       // leaving, left: where to; arriving: where from
  partition_id dealt;      // here, if it came: where it was dealt out to
  log_index fenced = 0;    // leaving: since this entry; arriving: the same, of the peer's log
  std::string position;    // arriving: what is here ends before it
  std::uint32_t moves = 0; // of the slot, as far as this partition knows: who knows of more knows better

  // The groups' own clocks go on where they were: log time and index are the partition's and these.
  milliseconds time_shift{};
  log_index index_shift = 0;
  wall_time wall_floor{};

  std::map<partition_id, std::uint64_t> awaits; // leaving: notes that have to arrive first, by receiver the last one
  entry_time fenced_at;                         // leaving: the groups' time
  std::vector<slot_stay> stays;                 // before this one, oldest first
  log_index since = 0;                          // here, leaving: first entry of this stay
  std::vector<waiting_note> notes;              // arriving: for when it is open
  std::set<event_number> events;                // arriving: whose pieces came
  proto::SlotLuggage luggage;                   // arriving: what else came of it
};

/// Between two partitions: neither executes it.
inline bool is_under_way(slot_state::stage where) {
  return where == slot_state::stage::leaving || where == slot_state::stage::arriving;
}

/// Owned by one partition core. A function of the log.
class slot_table {
public:
  /// `dealt`: where a group was dealt out to.
  slot_table(partition_id self, std::function<partition_id(event_number)> dealt)
      : self_{self}, dealt_{std::move(dealt)} {}

  /// True where the group is executed. The catalogue's is in no slot and never moves.
  bool is_here(event_number event) const;
  /// Where to ask instead, if that is known. Call if it is not here.
  std::optional<slot_home> home_of(event_number event) const;

  /// Of every slot that anything is known of.
  std::vector<slot_home> homes() const;

  // ---- the groups' own clocks ----

  entry_time time_of(event_number event, entry_time at) const;
  log_index index_of(event_number event, log_index at) const;
  /// The other way: when it is that time here.
  log_time here(event_number event, log_time of_group) const;

  bool is_shifted(event_number event) const { return find(event) != nullptr; }

  // ---- steps ----

  slot_state* find(slot_number slot);
  const slot_state* find(slot_number slot) const;

  const slot_state* find(event_number event) const {
    return event && !states_.empty() ? find(slot_of(event)) : nullptr;
  }

  /// As it was dealt out, if nothing is known of it.
  slot_state& at(slot_number slot) { return states_[slot]; }

  const std::map<slot_number, slot_state>& all() const { return states_; }

  std::map<slot_number, slot_state>& all() { return states_; }

  void save(proto::PartitionRecord& to) const;
  void restore(const proto::PartitionRecord& from);

private:
  partition_id self_;
  std::function<partition_id(event_number)> dealt_;
  std::map<slot_number, slot_state> states_;
};

} // namespace sluice::partition
