// Where a placement group lives: event → slot → partition.
#pragma once

#include "core/ids.hpp"
#include "core/slot.hpp"

#include <cstddef>
#include <map>
#include <utility>
#include <vector>

namespace sluice {

/// Where slots were dealt out to at the founding. Group 0, the catalogue's, is in no slot: it is partition 0's. A value.
class partition_map {
public:
  /// Slots dealt out in turn; `partitions` is fixed when a cluster is founded, 1 .. 4 096.
  explicit partition_map(std::uint32_t partitions) {
    table_.reserve(slot_count);
    for (std::uint32_t s = 0; s < slot_count; ++s)
      table_.push_back({s % partitions});
    partitions_ = partitions;
  }

  partition_id of_slot(slot_number slot) const { return table_[slot.value % slot_count]; }

  partition_id of_event(event_number event) const { return event ? of_slot(slot_of(event)) : partition_id{0}; }

  std::uint32_t partitions() const { return partitions_; }

private:
  std::vector<partition_id> table_;
  std::uint32_t partitions_ = 1;
};

/// Where slots went from there, as far as one process knows: each partition that had one knows the next. Not synchronised.
class slot_ways {
public:
  bool empty() const { return ways_.empty(); }

  /// `by` says that the slot is in `there` now; the same: with itself.
  void learn(slot_number slot, partition_id by, partition_id there) {
    ways_.erase({slot, there}); // if it ever left
    if (by != there)
      ways_[{slot, by}] = there;
  }

  /// Where to ask for the group: where it was dealt out to, and on from there.
  partition_id place_of(const partition_map& dealt, event_number event) const {
    return event ? follow(slot_of(event), dealt.of_event(event)) : dealt.of_event(event);
  }

private:
  /// The last one known of.
  partition_id follow(slot_number slot, partition_id from) const {
    // What is known of two partitions may be of two times: bounded, whatever it says.
    for (std::size_t hops = 0; hops <= ways_.size(); ++hops) {
      auto next = ways_.find({slot, from});
      if (next == ways_.end())
        break;
      from = next->second;
    }
    return from;
  }

  std::map<std::pair<slot_number, partition_id>, partition_id> ways_;
};

} // namespace sluice
