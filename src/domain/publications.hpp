// What the leader tells every bridge, so that reads need no actor: the serving board, seat maps, the ranking.
#pragma once

#include "core/ids.hpp"
#include "core/time.hpp"
#include "domain/event_definition.hpp"
#include "domain/messages.hpp"
#include "domain/replies.hpp"
#include "domain/states.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace sluice::domain {

/// A seat with the index it keeps for good.
struct placed_seat {
  std::string id;
  std::string row;
  std::string number;
  std::uint32_t category = 0; // by number, see placed_event
  bool retired = false;

  friend bool operator==(const placed_seat&, const placed_seat&) = default;
};

struct placed_block {
  block_number number;
  std::string id;
  std::string name;
  std::string section; // empty for an area
  bool area = false;
  std::uint32_t category = 0; // of an area; by number
  std::uint32_t capacity = 0; // of an area
  bool retired = false;
  std::vector<placed_seat> seats;

  friend bool operator==(const placed_block&, const placed_block&) = default;
};

/// An event's definition with the numbers its entities go by. What is held keeps the number of its category, whatever the
/// file's order becomes.
struct placed_event {
  event_number number;
  std::uint32_t revision = 0;
  event_definition definition;
  std::vector<placed_block> blocks;    // blocks[i].number == i + 1
  std::vector<std::string> categories; // ids of all there ever were, by number

  friend bool operator==(const placed_event&, const placed_event&) = default;
};

struct board_update {
  event_number event;
  bool full = false; // replaces what was known, instead of adding to it
  event_phase phase{};
  ticket_number now_serving{}; // the highest ticket let through so far
  ticket_number last_ticket{};
  std::uint32_t waiting = 0;
  std::uint32_t active = 0; // ADMITTED + ACTIVE
  std::uint64_t admitted_total = 0;
  std::uint64_t completed_total = 0;
  std::uint64_t sold = 0;   // seats and places paid for
  std::int64_t revenue = 0; // minor units
  admission_settings admission;
  std::string text;                    // the operator's message
  std::vector<ticket_number> gone;     // tickets beyond now_serving that will not be served; full: all of them
  std::vector<std::uint32_t> waits_ms; // of those let through by this change

  friend bool operator==(const board_update&, const board_update&) = default;
};

struct block_update {
  event_number event;
  block_number block;
  bool full = false;
  stock_counts counts;
  std::vector<std::pair<seat_index, seat_status>> seats; // full: every seat in order

  friend bool operator==(const block_update&, const block_update&) = default;
};

struct event_placed {
  std::shared_ptr<const placed_event> event; // never null

  friend bool operator==(const event_placed& a, const event_placed& b) { return *a.event == *b.event; }
};

struct event_removed {
  event_number event;

  friend bool operator==(const event_removed&, const event_removed&) = default;
};

/// Wakes those who wait for this reservation.
struct reservation_update {
  event_number event;
  reservation_reply reservation;
  std::string user; // whose it is

  friend bool operator==(const reservation_update&, const reservation_update&) = default;
};

struct catalogue_entry {
  event_number number;
  std::string slug;
  slot_number slot;
  bool defined = false;
  std::string name;
  std::string venue;
  wall_time starts_at{};
  std::string time_zone;

  friend bool operator==(const catalogue_entry&, const catalogue_entry&) = default;
};

struct key_entry {
  std::string name;
  std::string hash;
  key_role role{};

  friend bool operator==(const key_entry&, const key_entry&) = default;
};

struct catalogue_update {
  bool founded = false;
  std::string cluster_id;
  std::uint32_t epoch = 0;
  std::string wrapped_keys;
  std::vector<catalogue_entry> events;
  std::vector<key_entry> keys;
  std::vector<node_entry> nodes;   // by id; removed ones, too, without addresses
  std::uint32_t replication = 1;   // members that hold each partition
  std::uint32_t feature_level = 0; // active: what entries may hold

  friend bool operator==(const catalogue_update&, const catalogue_update&) = default;
};

struct ranking_entry {
  std::string date;
  std::uint64_t sold = 0;
  wall_time last_sale{};

  friend bool operator==(const ranking_entry&, const ranking_entry&) = default;
};

struct ranking_update {
  std::vector<ranking_entry> dates; // in rank order

  friend bool operator==(const ranking_update&, const ranking_update&) = default;
};

using publication = std::variant<board_update, block_update, event_placed, event_removed, reservation_update,
                                 catalogue_update, ranking_update>;

} // namespace sluice::domain
