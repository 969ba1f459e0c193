// What a command or query is answered with. The bridge turns these into HTTP.
#pragma once

#include "core/errc.hpp"
#include "core/ids.hpp"
#include "core/time.hpp"
#include "domain/messages.hpp"
#include "domain/states.hpp"

#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace sluice::domain {

/// Nothing changed, and why.
struct refusal {
  errc why{};
  std::string detail;                                     // for people
  std::vector<std::pair<block_number, seat_index>> seats; // of seat_not_available

  friend bool operator==(const refusal&, const refusal&) = default;
};

/// Done, nothing to say.
struct done {
  friend bool operator==(const done&, const done&) = default;
};

struct ticket_reply {
  ticket_number ticket;
  ticket_state state{};
  bool passed_at_once = false; // this very join was let through
  wall_time ends{};            // WAITING: ticket expires; ADMITTED: claim before; ACTIVE: visit expires

  friend bool operator==(const ticket_reply&, const ticket_reply&) = default;
};

/// The claimed turn. Everything the admission token is made of, so that a repeated claim gives the same bytes.
struct visit_reply {
  ticket_number ticket;
  admission_id id;
  wall_time claimed{};
  wall_time expires{};

  friend bool operator==(const visit_reply&, const visit_reply&) = default;
};

/// One block's or area's share of a hold or reservation, with the price frozen at the hold.
struct priced_part {
  block_number block;
  bool area = false;
  std::vector<held_seat> seats;
  std::uint32_t quantity = 0;
  std::uint32_t category = 0;
  std::int64_t price = 0; // each, of an area

  std::uint32_t count() const { return area ? quantity : static_cast<std::uint32_t>(seats.size()); }

  friend bool operator==(const priced_part&, const priced_part&) = default;
};

struct hold_reply {
  hold_id hold;
  std::vector<priced_part> parts;
  std::int64_t amount = 0;
  std::string currency;
  wall_time expires{};
  std::int64_t expires_in_ms = 0;

  friend bool operator==(const hold_reply&, const hold_reply&) = default;
};

struct reservation_reply {
  reservation_id reservation;
  hold_id hold;
  reservation_state state{};
  std::string reason; // of failed
  std::vector<priced_part> parts;
  std::int64_t amount = 0;
  std::string currency;
  wall_time created{};
  wall_time changed{};

  friend bool operator==(const reservation_reply&, const reservation_reply&) = default;
};

struct reservations_reply {
  std::vector<reservation_reply> reservations; // newest first

  friend bool operator==(const reservations_reply&, const reservations_reply&) = default;
};

/// An event's definition was applied.
struct event_reply {
  event_number number;
  std::uint32_t revision = 0; // counts applied definitions that changed something
  bool changed = false;

  friend bool operator==(const event_reply&, const event_reply&) = default;
};

struct registered_reply {
  event_number number;
  slot_number slot;
  bool created = false;

  friend bool operator==(const registered_reply&, const registered_reply&) = default;
};

/// A node joined, or had joined before.
struct joined_reply {
  node_id node{};
  std::uint32_t generation = 0;  // of its disk, see node_entry
  std::uint32_t replication = 0; // members that hold each partition

  friend bool operator==(const joined_reply&, const joined_reply&) = default;
};

using reply = std::variant<done, refusal, ticket_reply, visit_reply, hold_reply, reservation_reply, reservations_reply,
                           event_reply, registered_reply, joined_reply>;

} // namespace sluice::domain
