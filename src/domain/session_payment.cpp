// The saga from a held seat to a paid one, step by step as in saga.hpp.
#include "domain/session.hpp"

#include "core/assert.hpp"
#include "core/planted.hpp"

#include <algorithm>
#include <array>

namespace sluice::domain {

namespace {

/// Before asking the provider again after an unknown outcome; the last one repeats.
constexpr std::array<milliseconds, 5> retry_delays{milliseconds{500}, milliseconds{2'000}, milliseconds{5'000},
                                                   milliseconds{15'000}, milliseconds{30'000}};

} // namespace

void session::on(const moment& at, const pay_hold& c, effects& out) {
  if (is_under_way(c))
    return;
  if (auto before = answered_before(at, c.once)) {
    out.push_back(answer{std::move(*before)});
    return;
  }
  if (auto why = why_not_pay(at, c)) {
    out.push_back(answer{std::move(*why)});
    return;
  }
  const auto& h = state_.holds.at(c.hold);
  asked_pin asked;
  asked.request = c;
  asked.outstanding = h.parts.size();
  for (const auto& part : h.parts)
    out.push_back(tell{block_of(part), pin_hold{c.hold}});
  pinning_.emplace(c.hold, std::move(asked));
}

std::optional<refusal> session::why_not_pay(const moment& at, const pay_hold& c) const {
  auto found = state_.holds.find(c.hold);
  if (found == state_.holds.end())
    return unknown_hold(c.hold);
  if (!is_admitted(at, c.admission))
    return refusal{errc::not_admitted, "the visit ended or never began", {}};
  if (pinning_.contains(c.hold))
    return refusal{errc::payment_running, "the hold is being paid for", {}};
  bool free = found->second.amount == 0;
  if (free != (c.method == payment_method::free))
    return refusal{errc::method_not_accepted,
                   free ? "nothing is to be paid; use the method \"free\"" : "this amount needs a paying method",
                   {}};
  if (state_.reservations.contains(c.reservation))
    return refusal{errc::bad_value, "the reservation id was used before", {}};
  return std::nullopt;
}

void session::on(const moment& at, const part_pinned& t, effects& out) {
  auto asked = pinning_.find(t.hold);
  SLUICE_ASSERT(asked != pinning_.end(), "a block pinned what nobody asked for");
  if (t.why == errc::ok)
    asked->second.pinned.push_back(t.block);
  else
    asked->second.why = t.why;
  if (--asked->second.outstanding == 0)
    settle_pin(at, asked, out);
}

void session::settle_pin(const moment& at, std::map<hold_id, asked_pin>::iterator asked, effects& out) {
  auto a = std::move(asked->second);
  auto hold = a.request.hold;
  pinning_.erase(asked);
  auto found = state_.holds.find(hold);
  SLUICE_ASSERT(found != state_.holds.end(), "a hold vanished while it was pinned");
  if (a.why != errc::ok) {
    for (const auto& part : found->second.parts)
      if (std::find(a.pinned.begin(), a.pinned.end(), part.block) != a.pinned.end())
        out.push_back(tell{block_of(part), release_hold_part{hold, at.index}});
    if (!a.pinned.empty()) {
      state_.holds.erase(found);
      end_visit_if_done(out);
    }
    out.push_back(answer{refusal{a.why, "the sale is over", {}}});
    return;
  }
  reservation r;
  r.hold = hold;
  r.fence = at.index;
  r.state = reservation_state::paying;
  r.parts = std::move(found->second.parts);
  r.amount = found->second.amount;
  r.currency = std::move(found->second.currency);
  r.created = r.changed = at.now.wall;
  r.pay.method = a.request.method;
  r.pay.card = a.request.card;
  state_.holds.erase(found);
  const auto& id = a.request.reservation;
  auto& made = state_.reservations.emplace(id, std::move(r)).first->second;
  auto window = state_.admission ? state_.admission->terms.payment_window : milliseconds{120'000};
  made.pay.give_up = at.now.log + window;
  if (made.amount == 0) {
    confirm_parts(made, out);
    confirm(at, id, made, out);
  } else {
    move_to(at, id, made, reservation_state::paying, out);
    ask_provider(at, id, made, charge_step::authorise, out);
    count_charge(1, out);
  }
  remembered key;
  key.request = a.request.once.request;
  key.at = at.now.log;
  key.reservation = id;
  key.first_state = made.state;
  state_.keys.emplace(a.request.once.key, std::move(key));
  out.push_back(answer{describe(id, made)});
}

// ---- the provider's answers -----------------------------------------------------------------------------------------

void session::on(const moment& at, const charge_settled& c, effects& out) {
  out.push_back(answer{done{}}); // the desk needs to know that it was logged, not what came of it
  auto found = state_.reservations.find(c.reservation);
  if (found == state_.reservations.end())
    return;
  auto& r = found->second;
  bool is_late =
      r.state == reservation_state::failed && c.step == charge_step::authorise && c.outcome == charge_outcome::done;
  if (is_late)
    return void_again(at, c.reservation, r, out);
  if (r.pay.step != c.step || r.pay.attempt != c.attempt || r.pay.retry_at)
    return; // late, repeated, or of a step long settled
  switch (c.step) {
  case charge_step::authorise:
    return on_authorised(at, c.reservation, r, c, out);
  case charge_step::capture:
    return on_captured(at, c.reservation, r, c, out);
  case charge_step::cancel:
    return on_voided(at, c.reservation, r, c, out);
  case charge_step::refund:
    return on_refunded(at, c.reservation, r, c, out);
  }
}

void session::on_authorised(const moment& at, const reservation_id& id, reservation& r, const charge_settled& c,
                            effects& out) {
  close_charge(id, r, out);
  switch (c.outcome) {
  case charge_outcome::done:
    // Seats first, money second: capture leaves only after this entry is complete.
    if (!is_planted(planted::capture_first))
      confirm_parts(r, out);
    if (is_planted(planted::confirms_unpaid))
      confirm(at, id, r, out);
    ask_provider(at, id, r, charge_step::capture, out);
    return;
  case charge_outcome::refused:
    fail(at, id, r, c.reason.empty() ? "PAYMENT_DECLINED" : c.reason, out);
    count_charge(-1, out);
    return;
  case charge_outcome::unknown:
    fail(at, id, r, "PROVIDER_UNREACHABLE", out);
    ask_provider(at, id, r, charge_step::cancel, out);
    return;
  }
}

void session::on_captured(const moment& at, const reservation_id& id, reservation& r, const charge_settled& c,
                          effects& out) {
  if (c.outcome == charge_outcome::unknown && !is_planted(planted::guesses_outcome))
    return retry_later(at, id, r, out); // never compensate blindly: the money may have moved
  close_charge(id, r, out);
  if (c.outcome == charge_outcome::done) {
    if (is_planted(planted::capture_first))
      confirm_parts(r, out);
    confirm(at, id, r, out);
    count_charge(-1, out);
    return;
  }
  return_parts(r, out);
  r.reason = c.reason.empty() ? "CAPTURE_REFUSED" : c.reason;
  move_to(at, id, r, reservation_state::failed, out);
  ask_provider(at, id, r, charge_step::cancel, out);
  end_visit_if_done(out);
}

void session::on_voided(const moment& at, const reservation_id& id, reservation& r, const charge_settled& c,
                        effects& out) {
  if (c.outcome == charge_outcome::unknown)
    return retry_later(at, id, r, out);
  close_charge(id, r, out);
  count_charge(-1, out);
}

/// An earlier leader's desk got an authorisation after this one had given up, perhaps after it found nothing to void.
void session::void_again(const moment& at, const reservation_id& id, reservation& r, effects& out) {
  if (r.pay.step && r.pay.retry_at)
    return; // asks anew in any case
  if (r.pay.step)
    out.push_back(charge_closed{id, *r.pay.step});
  else
    count_charge(1, out);
  r.pay.step = charge_step::cancel; // another attempt: what is still said of the last one is not about this one
  ask_provider(at, id, r, charge_step::cancel, out);
}

void session::on_refunded(const moment& at, const reservation_id& id, reservation& r, const charge_settled& c,
                          effects& out) {
  if (c.outcome != charge_outcome::done) {
    r.reason = c.outcome == charge_outcome::refused ? "REFUND_REFUSED" : std::string{};
    return retry_later(at, id, r, out);
  }
  close_charge(id, r, out);
  r.reason.clear();
  move_to(at, id, r, reservation_state::refunded, out);
  count_charge(-1, out);
}

void session::on(const moment& at, const cancel_reservation& c, effects& out) {
  auto found = state_.reservations.find(c.reservation);
  if (found == state_.reservations.end()) {
    out.push_back(answer{refusal{errc::reservation_unknown, {}, {}}});
    return;
  }
  auto& r = found->second;
  switch (r.state) {
  case reservation_state::confirmed:
    return_parts(r, out);
    if (!is_planted(planted::keeps_sold))
      out.push_back(tell{entity_ref::of_event(event_), sale_settled{-std::int64_t{r.count()}, -r.amount}});
    if (r.amount == 0) {
      move_to(at, c.reservation, r, reservation_state::cancelled, out);
    } else {
      r.pay.give_up = at.now.log + std::chrono::minutes{5};
      move_to(at, c.reservation, r, reservation_state::refund_pending, out);
      ask_provider(at, c.reservation, r, charge_step::refund, out);
      count_charge(1, out);
    }
    break;
  case reservation_state::stuck:
    if (r.pay.step == charge_step::refund)
      break; // cancelled before, and the provider is still being asked
    [[fallthrough]];
  case reservation_state::paying:
  case reservation_state::failed:
    out.push_back(
        answer{refusal{errc::not_cancellable,
                       "only a confirmed reservation can be cancelled; this one is " + std::string{word_of(r.state)},
                       {}}});
    return;
  case reservation_state::cancelled:
  case reservation_state::refund_pending:
  case reservation_state::refunded:
    break; // cancelled before: the same answer again
  }
  out.push_back(answer{describe(c.reservation, r)});
}

// ---- steps ----------------------------------------------------------------------------------------------------------

void session::ask_provider(const moment&, const reservation_id& id, reservation& r, charge_step step, effects& out) {
  if (step == charge_step::cancel && is_planted(planted::no_void))
    return count_charge(-1, out);
  if (step != charge_step::authorise)
    r.pay.card.clear(); // the provider knows it by now, and nobody else needs to
  r.pay.attempt = r.pay.step == step ? r.pay.attempt + 1 : 1;
  r.pay.step = step;
  r.pay.retry_at.reset();
  out.push_back(charge{id, step, r.pay.attempt, r.amount, r.currency, r.pay.card});
}

void session::close_charge(const reservation_id& id, reservation& r, effects& out) {
  out.push_back(charge_closed{id, *r.pay.step});
  r.pay.step.reset();
  r.pay.retry_at.reset();
}

void session::count_charge(std::int32_t by, effects& out) const {
  out.push_back(tell{entity_ref::of_event(event_), charges_changed{by}});
}

void session::retry_later(const moment& at, const reservation_id& id, reservation& r, effects& out) {
  auto nth = std::min<std::size_t>(r.pay.attempt - 1, retry_delays.size() - 1);
  r.pay.retry_at = at.now.log + retry_delays[nth];
  // Nothing is under way until then: a new leader must not ask as well.
  out.push_back(charge_closed{id, *r.pay.step});
  bool visible = r.state == reservation_state::paying || r.state == reservation_state::refund_pending;
  if (visible && at.now.log >= r.pay.give_up)
    move_to(at, id, r, reservation_state::stuck, out);
}

void session::confirm(const moment& at, const reservation_id& id, reservation& r, effects& out) {
  r.pay.card.clear();
  move_to(at, id, r, reservation_state::confirmed, out);
  out.push_back(tell{entity_ref::of_event(event_), sale_settled{std::int64_t{r.count()}, r.amount}});
  if (state_.admission)
    state_.admission->booked = true;
  end_visit_if_done(out);
}

void session::fail(const moment& at, const reservation_id& id, reservation& r, std::string reason, effects& out) {
  release_parts(r, out);
  r.pay.card.clear();
  r.reason = std::move(reason);
  move_to(at, id, r, reservation_state::failed, out);
  end_visit_if_done(out);
}

void session::confirm_parts(const reservation& r, effects& out) {
  for (const auto& part : r.parts)
    out.push_back(tell{block_of(part), confirm_hold_part{r.hold, r.fence}});
}

void session::return_parts(const reservation& r, effects& out) {
  for (const auto& part : r.parts) {
    give_back back{r.hold, r.fence, {}, part.quantity};
    for (const auto& seat : part.seats)
      back.seats.push_back(seat.seat);
    out.push_back(tell{block_of(part), std::move(back)});
  }
}

void session::release_parts(const reservation& r, effects& out) {
  for (const auto& part : r.parts)
    out.push_back(tell{block_of(part), release_hold_part{r.hold, r.fence}});
}

void session::move_to(const moment& at, const reservation_id& id, reservation& r, reservation_state state,
                      effects& out) {
  r.state = state;
  r.changed = at.now.wall;
  out.push_back(fact{reservation_moved{id, r.hold, user_, state, r.count(), r.amount, r.reason}});
  out.push_back(publish{reservation_update{event_, describe(id, r), user_}});
}

void session::end_visit_if_done(effects& out) {
  if (!state_.admission || !state_.admission->booked || state_.admission->terms.keep_active || !state_.holds.empty())
    return;
  for (const auto& [id, r] : state_.reservations)
    if (r.state == reservation_state::paying || r.state == reservation_state::stuck)
      return;
  out.push_back(tell{entity_ref::of_event(event_), visit_done{user_, state_.admission->ticket}});
}

reservation_reply session::describe(const reservation_id& id, const reservation& r) const {
  return {id, r.hold, r.state, r.reason, r.parts, r.amount, r.currency, r.created, r.changed};
}

} // namespace sluice::domain
