#include "check_answers.hpp"

#include "core/text_id.hpp"

namespace sluice::simulation {

void answer_checker::fail(const std::string& what) {
  run_.fail("answers", to_string(*to_) + ", " + to_string(at_) + ": " + what);
}

void answer_checker::answered(const entry_stamp& at, const entity_ref& to, const domain::message& m,
                              const domain::reply& r, bool is_current) {
  at_ = at;
  to_ = &to;
  is_current_ = is_current;
  if (std::holds_alternative<domain::refusal>(r))
    ++run_.counts[deed::refused];
  std::visit(
      [&](const auto& asked, const auto& reply) {
        if constexpr (requires { this->on(asked, reply); })
          on(asked, reply);
      },
      m, r);
}

void answer_checker::told(const entry_stamp& at, const entity_ref& to, const domain::message& m, const domain::reply& r,
                          bool is_current) {
  ++run_.counts[deed::asked];
  answered(at, to, m, r, is_current);
}

void answer_checker::on(const domain::join& m, const domain::ticket_reply& r) {
  const auto* t = lines_.find(to_->event, r.ticket);
  if (t == nullptr || t->user != m.user)
    fail(m.user + " was given ticket " + std::to_string(r.ticket.value) + ", which is not theirs");
}

void answer_checker::on(const domain::claim_turn& m, const domain::visit_reply& r) {
  const auto* t = lines_.find(to_->event, r.ticket);
  if (t == nullptr || t->user != m.user || r.ticket != m.ticket)
    return fail("a claim was answered with somebody else's ticket");
  auto [first, is_new] = visits_.emplace(std::make_pair(to_->event, r.ticket), r);
  if (!is_new && !(first->second == r))
    fail("ticket " + std::to_string(r.ticket.value) + " was claimed twice, with different answers");
}

answer_checker::remembered* answer_checker::key(const domain::idempotency& once) {
  auto [known, is_new] = keys_.try_emplace({to_->event, to_->user, once.key});
  if (is_new)
    known->second.request = once.request;
  known->second.since = is_new ? at_.index : std::min(known->second.since, at_.index);
  if (known->second.request == once.request)
    return &known->second;
  fail("key " + once.key + " was answered for two different requests");
  return nullptr;
}

void answer_checker::on(const domain::request_hold& m, const domain::hold_reply& r) {
  const auto* asked = asked_.hold(r.hold);
  if (asked == nullptr || asked->user != to_->user || asked->once.key != m.once.key)
    return fail("a hold was answered that was not asked for with this key");
  if (!stock_.was_ever_held(r.hold))
    return fail("hold " + to_text(r.hold) + " was granted, but nothing is held");
  auto* k = key(m.once);
  if (k == nullptr)
    return;
  if (!k->hold) {
    k->hold = r;
    // A promise from when it was held: this answer may repeat one that never left.
    stock_.promised(r.hold, stock_.held_at(r.hold) + milliseconds{r.expires_in_ms});
    money_.priced(r.hold, r.amount);
    return;
  }
  ++run_.counts[deed::replayed];
  if (!(r == *k->hold))
    fail("key " + m.once.key + " was answered differently the second time");
}

void answer_checker::on(const domain::extend_hold& m, const domain::hold_reply& r) {
  ++run_.counts[deed::extended];
  // It may have ended in this very entry, after it was extended.
  bool may_be_gone = asked_.released(m.hold, to_->user) || lines_.visit_changed(to_->event, to_->user, at_.index);
  if (is_current_ && !may_be_gone && !stock_.stage_of(m.hold))
    return fail("hold " + to_text(m.hold) + " was extended, but is gone");
  auto& ends = extended_to_[m.hold];
  ends.insert(r.expires);
  if (ends.size() > asked_.extensions(m.hold))
    fail("hold " + to_text(m.hold) + " was extended more often than asked for");
  stock_.promised(m.hold, at_.log + milliseconds{r.expires_in_ms});
  stock_.extension_answered(m.hold, m.request_id);
}

void answer_checker::on(const domain::extend_hold& m, const domain::refusal&) {
  stock_.extension_answered(m.hold, m.request_id);
}

void answer_checker::on(const domain::pay_hold& m, const domain::reservation_reply& r) {
  const auto* asked = asked_.payment(r.reservation);
  const auto* made = money_.find(r.reservation);
  if (asked == nullptr || made == nullptr || asked->once.key != m.once.key || made->user != to_->user)
    return fail("a payment was answered that did not begin or was not asked for with this key");
  auto* k = key(m.once);
  if (k == nullptr)
    return;
  if (!k->reservation) {
    k->reservation = r;
    return;
  }
  ++run_.counts[deed::replayed];
  if (!(*k->reservation == r))
    fail("key " + m.once.key + " was answered differently the second time");
}

void answer_checker::on(const domain::cancel_reservation& m, const domain::reservation_reply& r) {
  using domain::reservation_state;
  const auto* b = money_.find(m.reservation);
  if (b == nullptr || b->user != to_->user)
    return fail("somebody else's reservation was cancelled");
  bool is_cancelled = r.state == reservation_state::cancelled || r.state == reservation_state::refund_pending ||
                      r.state == reservation_state::refunded;
  if (!is_cancelled)
    fail("a cancellation was answered with " + std::string{domain::word_of(r.state)});
}

void answer_checker::on(const domain::ask_ticket& m, const domain::ticket_reply& r) {
  if (!is_current_)
    return;
  const auto* t = lines_.find(to_->event, m.ticket);
  if (t == nullptr || t->user != m.user || t->state != r.state)
    fail("ticket " + std::to_string(m.ticket.value) + " reads as " + std::string{word_of(r.state)} +
         ", the facts say otherwise");
}

void answer_checker::on(const domain::ask_hold& m, const domain::hold_reply& r) {
  if (!is_current_)
    return;
  const auto* asked = asked_.hold(m.hold);
  if (r.hold != m.hold || asked == nullptr || asked->user != to_->user || stock_.stage_of(m.hold) != hold_stage::held)
    fail("hold " + to_text(m.hold) + " reads as held, the facts say otherwise");
}

void answer_checker::on(const domain::ask_hold& m, const domain::refusal&) {
  if (!is_current_)
    return;
  const auto* asked = asked_.hold(m.hold);
  bool is_own = asked != nullptr && asked->user == to_->user && !lines_.removed(to_->event);
  if (is_own && stock_.stage_of(m.hold) == hold_stage::held)
    fail("hold " + to_text(m.hold) + " is unknown to its own session");
}

void answer_checker::on(const domain::ask_reservations&, const domain::reservations_reply& r) {
  if (!is_current_)
    return;
  auto own = money_.count_of(to_->event, to_->user);
  if (r.reservations.size() != own)
    fail("the session lists " + std::to_string(r.reservations.size()) + " reservations, there are " +
         std::to_string(own));
}

void answer_checker::on(const domain::ask_reservation& m, const domain::reservation_reply& r) {
  if (!is_current_)
    return;
  const auto* b = money_.find(m.reservation);
  if (b == nullptr || b->user != to_->user || b->state != r.state || b->amount != r.amount)
    fail("reservation " + to_text(m.reservation) + " reads as " + std::string{domain::word_of(r.state)} +
         ", the facts say otherwise");
}

void answer_checker::on(const domain::ask_reservation& m, const domain::refusal&) {
  if (!is_current_)
    return;
  const auto* b = money_.find(m.reservation);
  if (b != nullptr && b->user == to_->user && !lines_.removed(b->event))
    fail("reservation " + to_text(m.reservation) + " is unknown to its own session");
}

void answer_checker::on(const domain::request_hold& m, const domain::refusal& r) {
  if (is_current_ && r.why == errc::seat_not_available && !lines_.removed(to_->event))
    stock_.refused_for(at_, to_->event, r.seats);
  check_refusal(m.once, r);
}

void answer_checker::on(const domain::pay_hold& m, const domain::refusal& r) {
  check_refusal(m.once, r);
}

void answer_checker::check_refusal(const domain::idempotency& once, const domain::refusal& r) {
  auto known = keys_.find({to_->event, to_->user, once.key});
  bool is_known = known != keys_.end() && known->second.since <= at_.index;
  if (is_known && known->second.request == once.request && !lines_.removed(to_->event))
    fail("key " + once.key + " was answered with success before, now with " + std::string{code_of(r.why)});
  if (is_known && known->second.request != once.request && r.why != errc::idempotency_key_reused &&
      !lines_.removed(to_->event))
    fail("key " + once.key + " was reused, the answer is " + std::string{code_of(r.why)});
}

} // namespace sluice::simulation
