// Distinct types for everything that is counted or named, so that a block can not be passed where an event is meant.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>

namespace sluice {

/// A number that names one kind of thing. `Tag` keeps kinds apart; 0 is never a valid id unless its alias says so.
template <class Tag, class Rep>
struct id {
  using rep = Rep;
  Rep value{};

  friend auto operator<=>(const id&, const id&) = default;

  explicit constexpr operator bool() const { return value != 0; }
};

/// An event, for good: a deleted and recreated event gets a new number. 0 is the catalogue's own placement group.
using event_number = id<struct event_number_tag, std::uint32_t>;
/// A seat block or general-admission area within its event, counted from 1.
using block_number = id<struct block_number_tag, std::uint32_t>;
/// A place in the line, counted from 1 in log order; dense.
using ticket_number = id<struct ticket_number_tag, std::uint32_t>;
/// A share of the placement groups with its own log. 0 holds the catalogue.
using partition_id = id<struct partition_id_tag, std::uint32_t>;
/// A member of the cluster, counted from 1.
using node_id = id<struct node_id_tag, std::uint32_t>;
/// One of the 4 096 shares an event falls into; slots move between partitions, events never leave their slot.
using slot_number = id<struct slot_number_tag, std::uint16_t>;

constexpr std::uint16_t slot_count = 4096;

/// A place in one partition's log, counted from 1. Also the version of everything read from that partition.
using log_index = std::uint64_t;
/// Raft's leadership epoch.
using log_term = std::uint64_t;
/// A seat's place within its block, counted from 0.
using seat_index = std::uint32_t;

/// A hold or reservation id: routes by itself, and can not be guessed.
/// Layout: slot (2 bytes, big endian), event number (4 bytes, big endian), 112 random bits.
template <class Tag>
struct routed_id {
  std::array<std::uint8_t, 20> bytes{};

  friend auto operator<=>(const routed_id&, const routed_id&) = default;

  slot_number slot() const { return {static_cast<std::uint16_t>(bytes[0] << 8 | bytes[1])}; }

  event_number event() const {
    return {static_cast<std::uint32_t>(bytes[2]) << 24 | static_cast<std::uint32_t>(bytes[3]) << 16 |
            static_cast<std::uint32_t>(bytes[4]) << 8 | static_cast<std::uint32_t>(bytes[5])};
  }
};

using hold_id = routed_id<struct hold_id_tag>;
using reservation_id = routed_id<struct reservation_id_tag>;

/// Fills the routing part of a routed id; `random` supplies the rest.
template <class Id>
Id make_routed_id(slot_number slot, event_number event, const std::array<std::uint8_t, 14>& random) {
  Id made;
  made.bytes[0] = static_cast<std::uint8_t>(slot.value >> 8);
  made.bytes[1] = static_cast<std::uint8_t>(slot.value);
  for (unsigned i = 0; i < 4; ++i)
    made.bytes[2 + i] = static_cast<std::uint8_t>(event.value >> (24 - 8 * i));
  for (unsigned i = 0; i < random.size(); ++i)
    made.bytes[6 + i] = random[i];
  return made;
}

/// The capability behind an admission token: whoever shows it is the admitted user. 128 random bits.
struct admission_id {
  std::array<std::uint8_t, 16> bytes{};

  friend auto operator<=>(const admission_id&, const admission_id&) = default;
};

} // namespace sluice

template <class Tag, class Rep>
struct std::hash<sluice::id<Tag, Rep>> {
  std::size_t operator()(const sluice::id<Tag, Rep>& x) const noexcept { return std::hash<Rep>{}(x.value); }
};
