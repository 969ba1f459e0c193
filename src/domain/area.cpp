#include "domain/area.hpp"

#include "core/assert.hpp"
#include "core/planted.hpp"

#include <utility>

namespace sluice::domain {

area::area(event_number event, block_number number, area_state state)
    : event_{event}, number_{number}, state_{std::move(state)} {
  for (const auto& chunk : state_.holds.chunks())
    if (chunk)
      for (const auto& [hold, h] : *chunk)
        if (h.fence == 0)
          deadlines_.add(h.deadline, hold);
  recorded_capacity_ = counts().capacity();
}

void area::begin(const moment& at, effects& out) {
  while (!deadlines_.empty() && deadlines_.first() <= at.now.log) {
    auto hold = deadlines_.take_first();
    auto h = state_.holds.take(hold);
    state_.held -= h.quantity;
    out.push_back(tell{entity_ref::of_session(event_, h.user), part_lapsed{hold, number_}});
    record(hold, stock_move::lapsed, h.quantity, out);
  }
}

void area::apply(const moment& at, const message& m, effects& out) {
  std::visit(
      [&](const auto& body) {
        if constexpr (std::is_same_v<std::decay_t<decltype(body)>, pulse>) {
          // begin did what is due
        } else if constexpr (requires { this->on(at, body, out); }) {
          on(at, body, out);
        } else {
          SLUICE_ASSERT(false, "a message reached an area that is none of its own");
        }
      },
      m);
}

void area::finish(const moment&, effects& out) {
  if (!stock_changed_)
    return;
  if (counts().capacity() != recorded_capacity_) {
    recorded_capacity_ = counts().capacity();
    out.push_back(fact{stock_defined{number_, recorded_capacity_, 0}});
  }
  out.push_back(tell{entity_ref::of_event(event_), stock_changed{number_, counts()}});
  out.push_back(publish{block_update{event_, number_, false, counts(), {}}});
  stock_changed_ = false;
}

std::optional<log_time> area::next_deadline(const entry_time&) const {
  if (deadlines_.empty())
    return std::nullopt;
  return deadlines_.first();
}

void area::publish_all(const entry_time&, effects& out) {
  out.push_back(publish{block_update{event_, number_, true, counts(), {}}});
}

stock_counts area::counts() const {
  return {available(), state_.held, state_.confirmed, 0};
}

bool area::take_changed() {
  return std::exchange(changed_, false);
}

void area::on(const moment&, const define_area& t, effects&) {
  state_.target = t.capacity;
  state_.category = t.category;
  state_.price = t.price;
  changed_ = stock_changed_ = true;
}

void area::on(const moment&, const sale_window& t, effects&) {
  state_.sale_open = t.open;
  changed_ = true;
}

void area::on(const moment&, const hold_places& t, effects& out) {
  auto holder = entity_ref::of_session(event_, t.user);
  SLUICE_ASSERT(t.quantity > 0, "a hold without places");
  auto places = available() + (is_planted(planted::area_oversells) ? 1 : 0);
  if (!state_.sale_open || t.quantity > places) {
    auto why = state_.sale_open ? errc::seat_not_available : errc::event_closed;
    out.push_back(tell{holder, part_refused{t.hold, number_, why, {}}});
    return;
  }
  state_.held += t.quantity;
  deadlines_.add(t.deadline, t.hold);
  bool fresh = state_.holds.add(t.hold, {t.user, t.quantity, t.deadline, 0});
  SLUICE_ASSERT(fresh, "a hold id was used twice");
  record(t.hold, stock_move::held, t.quantity, out);
  out.push_back(tell{holder, part_held{t.hold, number_, {}, t.quantity, state_.category, state_.price}});
}

void area::on(const moment&, const extend_hold_part& t, effects&) {
  const auto* known = state_.holds.find(t.hold);
  if (known == nullptr || known->fence != 0)
    return;
  auto& h = *state_.holds.change(t.hold);
  deadlines_.remove(h.deadline, t.hold);
  h.deadline = t.deadline;
  deadlines_.add(t.deadline, t.hold);
  changed_ = true;
}

void area::on(const moment& at, const pin_hold& t, effects& out) {
  const auto* known = state_.holds.find(t.hold);
  SLUICE_ASSERT(known != nullptr && known->fence == 0, "a session pinned a hold the area lost");
  auto holder = entity_ref::of_session(event_, known->user);
  if (!state_.sale_open) {
    out.push_back(tell{holder, part_pinned{t.hold, number_, 0, errc::event_closed}});
    return;
  }
  auto& h = *state_.holds.change(t.hold);
  deadlines_.remove(h.deadline, t.hold);
  h.fence = at.index;
  record(t.hold, stock_move::pinned, h.quantity, out);
  out.push_back(tell{holder, part_pinned{t.hold, number_, at.index, errc::ok}});
}

void area::on(const moment&, const release_hold_part& t, effects& out) {
  const auto* known = state_.holds.find(t.hold);
  if (known == nullptr || known->fence != t.fence)
    return; // lapsed in this very entry, or a stale release
  auto h = state_.holds.take(t.hold);
  if (h.fence == 0)
    deadlines_.remove(h.deadline, t.hold);
  state_.held -= h.quantity;
  record(t.hold, stock_move::released, h.quantity, out);
}

void area::on(const moment&, const confirm_hold_part& t, effects& out) {
  const auto* known = state_.holds.find(t.hold);
  SLUICE_ASSERT(known != nullptr && t.fence != 0 && known->fence == t.fence, "confirming a pinned hold can not fail");
  auto quantity = state_.holds.take(t.hold).quantity;
  state_.held -= quantity;
  state_.confirmed += quantity;
  record(t.hold, stock_move::confirmed, quantity, out);
}

void area::on(const moment&, const give_back& t, effects& out) {
  SLUICE_ASSERT(t.quantity <= state_.confirmed, "more places came back than were sold");
  state_.confirmed -= t.quantity;
  record(t.hold, stock_move::returned, t.quantity, out);
}

void area::record(const hold_id& hold, stock_move move, std::uint32_t quantity, effects& out) {
  changed_ = stock_changed_ = true;
  out.push_back(fact{stock_moved{number_, hold, move, {}, quantity}});
}

std::uint32_t area::available() const {
  auto taken = state_.held + state_.confirmed;
  return state_.target > taken ? state_.target - taken : 0;
}

} // namespace sluice::domain
