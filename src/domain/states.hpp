// The states people see. Numbers are in logs, checkpoints and facts: never reused.
#pragma once

#include <cstdint>
#include <string_view>

namespace sluice::domain {

/// Where one user stands in the line. The words are the HTTP contract's.
enum class ticket_state : std::uint8_t {
  waiting = 1,
  admitted = 2,  // may claim the turn until the claim window ends
  active = 3,    // claimed; may hold and pay
  completed = 4, // from here on terminal: a new join gives a new ticket
  left = 5,
  expired = 6,
};

constexpr bool is_terminal(ticket_state s) {
  return s >= ticket_state::completed;
}

enum class event_phase : std::uint8_t {
  scheduled = 1,
  open = 3,     // on sale, nobody has to wait
  queueing = 4, // on sale, people wait
  paused = 5,
  draining = 6, // those in line are served, nobody new joins
  sold_out = 7,
  closed = 8,
};

enum class seat_status : std::uint8_t { available = 0, held = 1, pinned = 2, confirmed = 3, blocked = 4 };

enum class reservation_state : std::uint8_t {
  paying = 1,
  confirmed = 2, // the money is durably captured, or none was due
  failed = 3,
  cancelled = 5,
  refund_pending = 6,
  refunded = 7,
  stuck = 8, // the provider owes an answer for longer than the payment window; still being asked
};

std::string_view word_of(ticket_state s);
std::string_view word_of(event_phase p);
std::string_view word_of(reservation_state s);
/// A pinned seat shows as HELD.
std::string_view word_of(seat_status s);

} // namespace sluice::domain
