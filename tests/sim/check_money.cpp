#include "check_money.hpp"

#include "core/text_id.hpp"

namespace sluice::simulation {

using domain::reservation_state;

namespace {

/// Seats are the customer's in these states.
bool owns(reservation_state s) {
  return s == reservation_state::confirmed;
}

bool is_final(reservation_state s) {
  return s == reservation_state::confirmed || s == reservation_state::failed || s == reservation_state::cancelled ||
         s == reservation_state::refunded;
}

} // namespace

void money_checker::fail(const entry_stamp& at, const reservation_id& id, const std::string& what) {
  run_.fail("money", "reservation " + to_text(id) + ", " + to_string(at) + ": " + what);
}

bool money_checker::may_follow(reservation_state before, reservation_state after, std::int64_t amount) const {
  switch (before) {
  case reservation_state::paying:
    return after == reservation_state::confirmed || after == reservation_state::failed ||
           after == reservation_state::stuck;
  case reservation_state::confirmed:
    return after == (amount == 0 ? reservation_state::cancelled : reservation_state::refund_pending);
  case reservation_state::refund_pending:
    return after == reservation_state::refunded || after == reservation_state::stuck;
  case reservation_state::stuck:
    return after == reservation_state::confirmed || after == reservation_state::failed ||
           after == reservation_state::refunded;
  case reservation_state::failed:
  case reservation_state::cancelled:
  case reservation_state::refunded:
    return false;
  }
  return false;
}

void money_checker::on(const entry_stamp& at, event_number event, const domain::reservation_moved& f) {
  auto word = std::string{domain::word_of(f.state)};
  auto [found, is_new] = bookings_.try_emplace(f.reservation);
  auto& b = found->second;
  touched_.insert(f.reservation);
  if (is_new) {
    const auto* asked = asked_.payment(f.reservation);
    if (asked == nullptr || asked->hold != f.hold || asked->user != f.user || asked->event != event)
      return fail(at, f.reservation, "nobody asked for it");
    bool may_begin = f.state == reservation_state::paying || (f.state == reservation_state::confirmed && f.amount == 0);
    if (!may_begin)
      return fail(at, f.reservation, "it begins as " + word);
    if (!of_hold_.emplace(f.hold, f.reservation).second)
      return fail(at, f.reservation, "its hold is paid for twice");
    auto price = prices_.find(f.hold);
    if (price != prices_.end() && price->second != f.amount)
      return fail(at, f.reservation,
                  "it costs " + std::to_string(f.amount) + ", the hold was offered for " +
                      std::to_string(price->second));
    ++counts_[{event, f.user}];
    b = {event, f.hold, f.user, f.state, f.seats, f.amount, f.state == reservation_state::paying};
  } else {
    if (!may_follow(b.state, f.state, b.amount))
      return fail(at, f.reservation, word + " after " + std::string{domain::word_of(b.state)});
    if (b.amount != f.amount || b.seats != f.seats || b.hold != f.hold || b.user != f.user)
      return fail(at, f.reservation, "it changed what was bought");
  }
  auto before = is_new ? reservation_state::paying : b.state;
  b.state = f.state;
  auto& [seats, money] = sales_[event];
  if (owns(f.state)) {
    seats += f.seats;
    money += f.amount;
  } else if (owns(before)) {
    seats -= f.seats;
    money -= f.amount;
    if (!asked_.cancelled(f.reservation, f.user))
      return fail(at, f.reservation, "it was cancelled, but nobody asked for that");
  }
  switch (f.state) {
  case reservation_state::paying:
    ++run_.counts[deed::paying];
    break;
  case reservation_state::confirmed:
    ++run_.counts[f.amount == 0 ? deed::paid_free : deed::confirmed];
    if (f.amount > 0) {
      auto account = provider_.ledger().find(f.reservation);
      if (account == provider_.ledger().end() || account->second.captured != f.amount)
        return fail(at, f.reservation, "it is confirmed, but the money was not captured");
    }
    break;
  case reservation_state::failed:
    ++run_.counts[deed::failed];
    stock_.payment_ended(event, f.hold);
    break;
  case reservation_state::cancelled:
  case reservation_state::refund_pending:
    ++run_.counts[deed::cancelled];
    break;
  case reservation_state::refunded:
    ++run_.counts[deed::refunded];
    break;
  case reservation_state::stuck:
    ++run_.counts[deed::stuck];
    break;
  }
}

void money_checker::end_entry(const entry_stamp& at, event_number) {
  for (const auto& id : touched_) {
    const auto& b = bookings_.at(id);
    auto stage = stock_.stage_of(b.hold);
    if (b.state == reservation_state::paying && stage != hold_stage::pinned && stage != hold_stage::confirmed)
      return fail(at, id, "it is being paid, but its seats are not pinned");
    if (b.state == reservation_state::confirmed && stage != hold_stage::confirmed)
      return fail(at, id, "it is confirmed, but its seats are not");
    bool seats_are_back = b.state == reservation_state::failed || b.state == reservation_state::cancelled ||
                          b.state == reservation_state::refund_pending;
    if (seats_are_back && stage)
      return fail(at, id, std::string{domain::word_of(b.state)} + ", but its seats did not come back");
  }
  touched_.clear();
}

void money_checker::before_capture(const reservation_id& id) {
  auto found = bookings_.find(id);
  if (found == bookings_.end())
    return run_.fail("money", "reservation " + to_text(id) + " is captured, but unknown");
  // The seats may have come back since, if the capture was refused or its call is late; then the books decide.
  if (lines_.removed(found->second.event))
    return run_.fail("money", "reservation " + to_text(id) + " is captured after its event was removed");
  if (stock_.stage_of(found->second.hold) != hold_stage::confirmed)
    run_.fail("money", "reservation " + to_text(id) + " is captured before its seats are confirmed");
}

std::uint64_t money_checker::sold(event_number event) const {
  auto found = sales_.find(event);
  return found == sales_.end() ? 0 : static_cast<std::uint64_t>(found->second.first);
}

std::int64_t money_checker::revenue(event_number event) const {
  auto found = sales_.find(event);
  return found == sales_.end() ? 0 : found->second.second;
}

void money_checker::at_the_end() {
  for (const auto& [id, b] : bookings_)
    check_books(id, b);
  for (const auto& [id, account] : provider_.ledger())
    if (!bookings_.contains(id))
      run_.fail("money", "the provider knows reservation " + to_text(id) + ", nobody else does");
}

void money_checker::check_books(const reservation_id& id, const booking& b) {
  auto differ = [&](const std::string& what) {
    run_.fail("money",
              "reservation " + to_text(id) + " is " + std::string{domain::word_of(b.state)} + " at the end, " + what);
  };
  if (!is_final(b.state))
    return run_.fail("liveness", "reservation " + to_text(id) + " is still " + std::string{domain::word_of(b.state)});
  account a;
  if (auto known = provider_.ledger().find(id); known != provider_.ledger().end())
    a = known->second;
  if (a.captures > 1 || a.refunds > 1)
    return differ("money moved more than once");
  bool pays = b.state == reservation_state::confirmed || b.state == reservation_state::refunded;
  if (a.captured != (pays ? b.amount : 0))
    return differ("captured are " + std::to_string(a.captured) + " of " + std::to_string(b.amount));
  if (a.refunded != (b.state == reservation_state::refunded ? b.amount : 0))
    return differ("refunded are " + std::to_string(a.refunded));
  if (b.state == reservation_state::failed && a.authorised > 0 && !a.voided)
    return differ("the authorisation was never voided");
}

} // namespace sluice::simulation
