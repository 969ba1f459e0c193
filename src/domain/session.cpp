// The visit itself, idempotency, and reads. Holds are in session_hold.cpp, the saga in session_payment.cpp.
#include "domain/session.hpp"

#include "core/assert.hpp"
#include "core/overloaded.hpp"
#include "core/planted.hpp"

#include <algorithm>

namespace sluice::domain {

namespace {

std::uint32_t count_of(const std::vector<priced_part>& parts) {
  std::uint32_t count = 0;
  for (const auto& part : parts)
    count += part.count();
  return count;
}

} // namespace

std::uint32_t session_hold::count() const {
  return count_of(parts);
}

std::uint32_t reservation::count() const {
  return count_of(parts);
}

void session::begin(const moment& at, effects& out) {
  // The blocks lapse their parts at this very log time, before any message: the same rule decides here, so that no
  // command finds a hold in the session that its blocks no longer have.
  if (!is_planted(planted::extends_lapsed))
    lapse_due(at.now.log, out);
  for (auto& [id, r] : state_.reservations) {
    auto& pay = r.pay;
    if (!pay.step)
      continue;
    if (*pay.step == charge_step::authorise && pay.give_up <= at.now.log) {
      // The provider had its time. Nothing is captured without our asking: give the seats back now, settle with the
      // provider in the background.
      close_charge(id, r, out);
      fail(at, id, r, "PAYMENT_TIMED_OUT", out);
      ask_provider(at, id, r, charge_step::cancel, out);
    } else if (pay.retry_at && *pay.retry_at <= at.now.log) {
      auto step = *pay.step;
      ask_provider(at, id, r, step, out);
    }
  }
}

void session::apply(const moment& at, const message& m, effects& out) {
  std::visit(
      [&](const auto& body) {
        if constexpr (std::is_same_v<std::decay_t<decltype(body)>, pulse>) {
          // begin did what is due
        } else if constexpr (requires { this->on(at, body, out); }) {
          on(at, body, out);
        } else {
          SLUICE_ASSERT(false, "a message reached a session that is none of its own");
        }
      },
      m);
}

reply session::ask(const entry_time& now, const message& m) const {
  return std::visit(overloaded{
                        [&](const ask_hold& q) -> reply {
                          auto found = state_.holds.find(q.hold);
                          if (found == state_.holds.end())
                            return unknown_hold(q.hold);
                          return describe(q.hold, found->second, now);
                        },
                        [&](const ask_reservation& q) -> reply {
                          auto found = state_.reservations.find(q.reservation);
                          if (found == state_.reservations.end())
                            return refusal{errc::reservation_unknown, {}, {}};
                          return describe(q.reservation, found->second);
                        },
                        [&](const ask_reservations&) -> reply {
                          reservations_reply all;
                          for (const auto& [id, r] : state_.reservations)
                            all.reservations.push_back(describe(id, r));
                          std::stable_sort(all.reservations.begin(), all.reservations.end(),
                                           [](const auto& a, const auto& b) { return a.created > b.created; });
                          return all;
                        },
                        [](const auto&) -> reply {
                          return refusal{errc::not_found, {}, {}};
                        },
                    },
                    m);
}

std::optional<log_time> session::next_deadline(const entry_time&) const {
  std::optional<log_time> next;
  for (const auto& [id, r] : state_.reservations) {
    if (!r.pay.step)
      continue;
    auto due = r.pay.retry_at;
    if (*r.pay.step == charge_step::authorise)
      due = r.pay.give_up;
    if (due && (!next || *due < *next))
      next = due;
  }
  return next;
}

void session::on(const moment&, const open_visit& t, effects&) {
  state_.admission = open_admission{t.ticket, t.id, t.expires, t.terms, false};
}

void session::on(const moment&, const close_visit& t, effects& out) {
  if (!state_.admission || state_.admission->ticket != t.ticket)
    return;
  state_.admission.reset();
  std::vector<hold_id> unpaid;
  for (const auto& [id, h] : state_.holds)
    if (!pinning_.contains(id)) // a payment that began in this very entry goes on
      unpaid.push_back(id);
  for (const auto& id : unpaid)
    drop_hold(id, out);
}

bool session::is_admitted(const moment& at, const admission_id& id) const {
  return state_.admission && state_.admission->id == id && at.now.log < state_.admission->expires;
}

entity_ref session::block_of(const priced_part& part) const {
  return part.area ? entity_ref::of_area(event_, part.block) : entity_ref::of_seat_block(event_, part.block);
}

std::optional<reply> session::answered_before(const moment& at, const idempotency& once) {
  forget_old_keys(at.now.log);
  auto in_use = [&](const auto& asked) { return asked.second.request.once.key == once.key; };
  if (std::any_of(asking_.begin(), asking_.end(), in_use) || std::any_of(pinning_.begin(), pinning_.end(), in_use))
    return refusal{errc::idempotency_key_in_use, "the first request with this key is still running", {}};
  auto known = state_.keys.find(once.key);
  if (known == state_.keys.end()) {
    if (state_.keys.size() >= keys_max)
      return refusal{errc::rate_limited, "too many idempotency keys within 24 hours", {}};
    return std::nullopt;
  }
  const auto& r = known->second;
  if (r.request != once.request && !is_planted(planted::any_request))
    return refusal{errc::idempotency_key_reused, "the key was used with another request", {}};
  if (r.hold)
    return *r.hold; // to the byte what was said first
  auto replay = describe(*r.reservation, state_.reservations.at(*r.reservation));
  // What was said then, to the last field: a payment is answered the moment it begins.
  replay.state = r.first_state;
  replay.reason.clear();
  replay.changed = replay.created;
  return replay;
}

bool session::is_under_way(const request_hold& c) const {
  auto asked = asking_.find(c.hold);
  return asked != asking_.end() && asked->second.request.once == c.once;
}

bool session::is_under_way(const pay_hold& c) const {
  auto asked = pinning_.find(c.hold);
  return asked != pinning_.end() && asked->second.request.reservation == c.reservation &&
         asked->second.request.once == c.once;
}

void session::forget_old_keys(log_time now) {
  if (now < no_key_ends_before_)
    return;
  no_key_ends_before_ = now + key_retention; // those that come later end later
  std::erase_if(state_.keys, [&](const auto& entry) {
    auto ends = entry.second.at + key_retention;
    if (ends <= now)
      return true;
    no_key_ends_before_ = std::min(no_key_ends_before_, ends);
    return false;
  });
}

} // namespace sluice::domain
