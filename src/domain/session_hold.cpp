// Holds: asked for in one superstep, whole or not at all.
#include "domain/session.hpp"

#include "core/assert.hpp"
#include "core/planted.hpp"

#include <algorithm>
#include <set>

namespace sluice::domain {

void session::on(const moment& at, const request_hold& c, effects& out) {
  if (is_under_way(c))
    return;
  if (auto before = answered_before(at, c.once)) {
    out.push_back(answer{std::move(*before)});
    return;
  }
  if (auto why = why_not_hold(at, c)) {
    out.push_back(answer{std::move(*why)});
    return;
  }
  const auto& admission = *state_.admission;
  asked_hold asked;
  asked.request = c;
  asked.outstanding = c.parts.size();
  // A hold never outlives the visit: its expiry is a promise, and after the visit nobody could pay for it.
  asked.deadline = std::min(at.now.log + admission.terms.hold_ttl, admission.expires);
  asked.expires = at.now.wall + (asked.deadline - at.now.log);
  for (const auto& part : c.parts) {
    if (part.area)
      out.push_back(
          tell{entity_ref::of_area(event_, part.block), hold_places{c.hold, user_, part.quantity, asked.deadline}});
    else
      out.push_back(
          tell{entity_ref::of_seat_block(event_, part.block), hold_seats{c.hold, user_, part.seats, asked.deadline}});
  }
  asking_.emplace(c.hold, std::move(asked));
}

std::optional<refusal> session::why_not_hold(const moment& at, const request_hold& c) const {
  if (!is_admitted(at, c.admission))
    return refusal{errc::not_admitted, "the visit ended or never began", {}};
  if (state_.holds.contains(c.hold) || asking_.contains(c.hold) || c.parts.empty())
    return refusal{errc::bad_value, "a hold needs seats or places", {}};
  std::uint64_t wanted = 0;
  std::set<block_number> blocks;
  for (const auto& part : c.parts) {
    bool twice = !blocks.insert(part.block).second;
    auto seats = std::set<seat_index>(part.seats.begin(), part.seats.end());
    if (twice || seats.size() != part.seats.size() || part.area != part.seats.empty() ||
        part.area != (part.quantity > 0))
      return refusal{errc::bad_value, "a hold names a seat or block twice, or nothing", {}};
    wanted += part.area ? part.quantity : part.seats.size();
  }
  auto limit = state_.admission->terms.limit_per_user;
  if (seats_taken() + wanted > limit)
    return refusal{errc::limit_per_user, "at most " + std::to_string(limit) + " per user", {}};
  if (state_.holds.size() + asking_.size() >= holds_max)
    return refusal{errc::limit_per_user, "at most " + std::to_string(holds_max) + " holds at once", {}};
  return std::nullopt;
}

void session::on(const moment& at, const part_held& t, effects& out) {
  auto asked = asking_.find(t.hold);
  SLUICE_ASSERT(asked != asking_.end(), "a block held what nobody asked for");
  bool area = t.seats.empty();
  asked->second.held.push_back({t.block, area, t.seats, t.quantity, t.category, t.price});
  settle_hold(at, asked, out);
}

void session::on(const moment& at, const part_refused& t, effects& out) {
  auto asked = asking_.find(t.hold);
  SLUICE_ASSERT(asked != asking_.end(), "a block refused what nobody asked for");
  asked->second.why = t.why;
  for (auto s : t.taken)
    asked->second.taken.emplace_back(t.block, s);
  settle_hold(at, asked, out);
}

void session::settle_hold(const moment& at, std::map<hold_id, asked_hold>::iterator asked, effects& out) {
  if (--asked->second.outstanding > 0)
    return;
  auto a = std::move(asked->second);
  asking_.erase(asked);
  if (!state_.admission && a.why == errc::ok)
    a.why = errc::not_admitted; // the visit ended in this very entry
  // Blocks answer in the order of their own batches; people see their seats in the order of the plan.
  std::sort(a.held.begin(), a.held.end(), [](const auto& x, const auto& y) { return x.block < y.block; });
  if (a.why != errc::ok) {
    for (const auto& part : a.held) {
      out.push_back(tell{block_of(part), release_hold_part{a.request.hold, 0}});
      if (is_planted(planted::releases_one_part))
        break;
    }
    std::sort(a.taken.begin(), a.taken.end());
    out.push_back(answer{refusal{a.why, {}, std::move(a.taken)}});
    return;
  }
  session_hold h;
  h.parts = std::move(a.held);
  h.currency = state_.admission->terms.currency;
  h.deadline = a.deadline;
  no_lapse_before_ = std::min(no_lapse_before_, h.deadline);
  h.expires = a.expires;
  for (const auto& part : h.parts) {
    h.amount += part.price * part.quantity;
    for (const auto& seat : part.seats)
      h.amount += seat.price;
  }
  auto reply = describe(a.request.hold, h, at.now);
  remembered r;
  r.request = a.request.once.request;
  r.at = at.now.log;
  r.hold = reply;
  if (!is_planted(planted::forgets_key))
    state_.keys.emplace(a.request.once.key, std::move(r));
  state_.holds.emplace(a.request.hold, std::move(h));
  out.push_back(answer{std::move(reply)});
}

void session::on(const moment&, const part_lapsed& t, effects& out) {
  if (!state_.holds.contains(t.hold))
    return;
  // One part lapsed a little early (another command reached its block first): the rest goes with it.
  drop_hold(t.hold, out);
  remember_lapsed(t.hold);
  end_visit_if_done(out);
}

void session::lapse_due(log_time now, effects& out) {
  if (now < no_lapse_before_)
    return;
  std::vector<hold_id> due;
  no_lapse_before_ = log_time::max();
  for (const auto& [id, h] : state_.holds)
    if (h.deadline <= now)
      due.push_back(id);
    else
      no_lapse_before_ = std::min(no_lapse_before_, h.deadline);
  for (const auto& id : due) {
    drop_hold(id, out);
    remember_lapsed(id);
  }
  if (!due.empty())
    end_visit_if_done(out);
}

void session::remember_lapsed(const hold_id& id) {
  state_.lapsed.push_back(id);
  if (state_.lapsed.size() > lapsed_max)
    state_.lapsed.pop_front();
}

void session::remember_released(const hold_id& id) {
  state_.released.push_back(id);
  if (state_.released.size() > released_max)
    state_.released.pop_front();
}

void session::on(const moment& at, const extend_hold& c, effects& out) {
  auto found = state_.holds.find(c.hold);
  if (!is_admitted(at, c.admission)) {
    out.push_back(answer{refusal{errc::not_admitted, "the visit ended or never began", {}}});
    return;
  }
  if (found == state_.holds.end()) {
    out.push_back(answer{unknown_hold(c.hold)});
    return;
  }
  auto& h = found->second;
  const auto& admission = *state_.admission;
  if (std::find(h.extended_by.begin(), h.extended_by.end(), c.request_id) == h.extended_by.end()) {
    if (h.extended_by.size() >= admission.terms.hold_extensions_max) {
      out.push_back(answer{refusal{errc::extension_limit, "the hold can not be extended again", {}}});
      return;
    }
    h.deadline = std::min(at.now.log + admission.terms.hold_ttl, admission.expires);
    no_lapse_before_ = std::min(no_lapse_before_, h.deadline);
    h.expires = at.now.wall + (h.deadline - at.now.log);
    if (is_planted(planted::extends_again))
      h.extended_by.clear();
    h.extended_by.push_back(c.request_id);
    for (const auto& part : h.parts)
      out.push_back(tell{block_of(part), extend_hold_part{c.hold, h.deadline}});
  }
  out.push_back(answer{describe(c.hold, h, at.now)});
}

void session::on(const moment& at, const release_hold& c, effects& out) {
  if (std::find(state_.released.begin(), state_.released.end(), c.hold) != state_.released.end()) {
    out.push_back(answer{done{}});
    return;
  }
  if (!state_.holds.contains(c.hold)) {
    out.push_back(answer{unknown_hold(c.hold)});
    return;
  }
  if (!is_admitted(at, c.admission)) {
    out.push_back(answer{refusal{errc::not_admitted, "the visit ended or never began", {}}});
    return;
  }
  if (pinning_.contains(c.hold)) {
    out.push_back(answer{refusal{errc::payment_running, "the hold is being paid for", {}}});
    return;
  }
  drop_hold(c.hold, out);
  remember_released(c.hold);
  end_visit_if_done(out);
  out.push_back(answer{done{}});
}

void session::drop_hold(const hold_id& id, effects& out) {
  auto found = state_.holds.find(id);
  for (const auto& part : found->second.parts)
    out.push_back(tell{block_of(part), release_hold_part{id, 0}});
  state_.holds.erase(found);
}

hold_reply session::describe(const hold_id& id, const session_hold& h, const entry_time& now) const {
  return {id, h.parts, h.amount, h.currency, h.expires, std::max<std::int64_t>((h.deadline - now.log).count(), 0)};
}

refusal session::unknown_hold(const hold_id& id) const {
  if (std::find(state_.lapsed.begin(), state_.lapsed.end(), id) != state_.lapsed.end())
    return {errc::hold_lapsed, "the hold lapsed", {}};
  for (const auto& [reservation, r] : state_.reservations)
    if (r.hold == id && (r.state == reservation_state::paying || r.state == reservation_state::stuck))
      return {errc::payment_running, "the hold is being paid for", {}};
  return {errc::hold_unknown, {}, {}};
}

std::uint64_t session::seats_taken() const {
  std::uint64_t taken = 0;
  for (const auto& [id, h] : state_.holds)
    taken += h.count();
  for (const auto& [id, asked] : asking_)
    for (const auto& part : asked.request.parts)
      taken += part.area ? part.quantity : part.seats.size();
  for (const auto& [id, r] : state_.reservations) {
    bool paid = r.state == reservation_state::confirmed && !is_planted(planted::limit_forgets_paid);
    if (paid || r.state == reservation_state::paying || r.state == reservation_state::stuck)
      taken += r.count();
  }
  return taken;
}

} // namespace sluice::domain
