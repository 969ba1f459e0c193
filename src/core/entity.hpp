// The address of an entity: one event, one seat block or area, one user session, or one of the catalogue's own.
#pragma once

#include "core/hash.hpp"
#include "core/ids.hpp"

#include <compare>
#include <cstdint>
#include <string>

namespace sluice {

/// Numbers are in logs and keys: never reused.
enum class entity_kind : std::uint8_t {
  event = 1,
  seat_block = 2,
  area = 3,
  session = 4,
  catalogue = 16, // these two live in placement group 0
  ranking = 17,
};

std::string_view name_of(entity_kind kind);

/// Everything with the same `event` is one placement group: one partition, one log, one clock.
struct entity_ref {
  event_number event{};
  entity_kind kind{entity_kind::event};
  block_number block{}; // of a seat block or area, else 0
  std::string user;     // of a session, else empty

  friend auto operator<=>(const entity_ref&, const entity_ref&) = default;
  friend bool operator==(const entity_ref&, const entity_ref&) = default;

  static entity_ref of_event(event_number e) { return {e, entity_kind::event, {}, {}}; }

  static entity_ref of_seat_block(event_number e, block_number b) { return {e, entity_kind::seat_block, b, {}}; }

  static entity_ref of_area(event_number e, block_number b) { return {e, entity_kind::area, b, {}}; }

  static entity_ref of_session(event_number e, std::string user) {
    return {e, entity_kind::session, {}, std::move(user)};
  }

  static entity_ref of_catalogue() { return {{}, entity_kind::catalogue, {}, {}}; }

  static entity_ref of_ranking() { return {{}, entity_kind::ranking, {}, {}}; }
};

/// For log lines: "session/7/alice", "seat_block/7/3".
std::string to_string(const entity_ref& ref);

} // namespace sluice

template <>
struct std::hash<sluice::entity_ref> {
  // Not noexcept: libstdc++'s tables then keep each entry's hash, and do not hash and compare users along a chain again.
  std::size_t operator()(const sluice::entity_ref& ref) const {
    auto head = (std::uint64_t{ref.event.value} << 32 | ref.block.value) * 0x9E3779B97F4A7C15ull +
                static_cast<std::uint64_t>(ref.kind);
    return ref.user.empty() ? sluice::mix(head) : sluice::mix(head ^ sluice::hash_of(ref.user));
  }
};
