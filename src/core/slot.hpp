// Which slot an event falls into.
#pragma once

#include "core/hash.hpp"
#include "core/ids.hpp"

namespace sluice {

/// For good: slots move between partitions, events never leave their slot.
inline slot_number slot_of(event_number event) {
  return {static_cast<std::uint16_t>(mix(event.value) % slot_count)};
}

} // namespace sluice
