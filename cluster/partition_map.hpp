// Where a placement group lives: event → slot → partition.
#pragma once

#include "core/slot.hpp"
#include "core/ids.hpp"

#include <vector>

namespace sluice {

/// The slot table. Group 0, the catalogue's, is in no slot: it is partition 0's. A value: bridges and partitions keep versioned copies.
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

} // namespace sluice
