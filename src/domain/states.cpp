#include "domain/states.hpp"

namespace sluice::domain {

std::string_view word_of(ticket_state s) {
  switch (s) {
  case ticket_state::waiting:
    return "WAITING";
  case ticket_state::admitted:
    return "ADMITTED";
  case ticket_state::active:
    return "ACTIVE";
  case ticket_state::completed:
    return "COMPLETED";
  case ticket_state::left:
    return "LEFT";
  case ticket_state::expired:
    return "EXPIRED";
  }
  return "UNKNOWN";
}

std::string_view word_of(event_phase p) {
  switch (p) {
  case event_phase::scheduled:
    return "SCHEDULED";
  case event_phase::open:
    return "OPEN";
  case event_phase::queueing:
    return "QUEUEING";
  case event_phase::paused:
    return "PAUSED";
  case event_phase::draining:
    return "DRAINING";
  case event_phase::sold_out:
    return "SOLD_OUT";
  case event_phase::closed:
    return "CLOSED";
  }
  return "UNKNOWN";
}

std::string_view word_of(reservation_state s) {
  switch (s) {
  case reservation_state::paying:
    return "PAYING";
  case reservation_state::confirmed:
    return "CONFIRMED";
  case reservation_state::failed:
    return "FAILED";
  case reservation_state::cancelled:
    return "CANCELLED";
  case reservation_state::refund_pending:
    return "REFUND_PENDING";
  case reservation_state::refunded:
    return "REFUNDED";
  case reservation_state::stuck:
    return "STUCK";
  }
  return "UNKNOWN";
}

std::string_view word_of(seat_status s) {
  switch (s) {
  case seat_status::available:
    return "AVAILABLE";
  case seat_status::held:
  case seat_status::pinned:
    return "HELD";
  case seat_status::confirmed:
    return "CONFIRMED";
  case seat_status::blocked:
    return "BLOCKED";
  }
  return "UNKNOWN";
}

} // namespace sluice::domain
