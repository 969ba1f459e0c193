#include "domain/seat_block.hpp"

#include "core/assert.hpp"
#include "core/planted.hpp"

#include <algorithm>
#include <utility>

namespace sluice::domain {

seat_block::seat_block(event_number event, block_number number, seat_block_state state)
    : event_{event}, number_{number}, state_{std::move(state)} {
  for (const auto& s : state_.seats)
    ++count_of(counts_, s.status);
  for (const auto& [hold, h] : state_.holds)
    if (h.fence == 0)
      deadlines_.add(h.deadline, hold);
  recorded_ = counts_;
}

void seat_block::begin(const moment& at, effects& out) {
  // Lapse before the messages: a customer whose hold ended a millisecond ago must lose to the next one, on every
  // replica, whatever the arrival order of the leader's pulse.
  if (!is_planted(planted::no_lapse_first))
    lapse(at, out);
}

void seat_block::lapse(const moment& at, effects& out) {
  while (!deadlines_.empty() && deadlines_.first() <= at.now.log) {
    auto hold = deadlines_.take_first();
    auto h = std::move(state_.holds.at(hold));
    state_.holds.erase(hold);
    free_seats(h);
    out.push_back(tell{entity_ref::of_session(event_, h.user), part_lapsed{hold, number_}});
    record(hold, stock_move::lapsed, std::move(h.seats), out);
  }
}

void seat_block::apply(const moment& at, const message& m, effects& out) {
  std::visit(
      [&](const auto& body) {
        if constexpr (std::is_same_v<std::decay_t<decltype(body)>, pulse>) {
          // begin did what is due
        } else if constexpr (requires { this->on(at, body, out); }) {
          on(at, body, out);
        } else {
          SLUICE_ASSERT(false, "a message reached a seat block that is none of its own");
        }
      },
      m);
}

void seat_block::finish(const moment& at, effects& out) {
  if (is_planted(planted::no_lapse_first))
    lapse(at, out);
  if (!stock_changed_ && touched_.empty())
    return;
  if (counts_.capacity() != recorded_.capacity() || counts_.blocked != recorded_.blocked)
    out.push_back(fact{stock_defined{number_, counts_.capacity(), counts_.blocked}});
  recorded_ = counts_;
  if (stock_changed_)
    out.push_back(tell{entity_ref::of_event(event_), stock_changed{number_, counts_}});
  block_update update{event_, number_, false, counts_, {}};
  for (auto s : touched_)
    update.seats.emplace_back(s, state_.seats[s].status);
  out.push_back(publish{std::move(update)});
  touched_.clear();
  stock_changed_ = false;
  changed_ = true;
}

std::optional<log_time> seat_block::next_deadline(const entry_time&) const {
  if (deadlines_.empty())
    return std::nullopt;
  return deadlines_.first();
}

void seat_block::publish_all(const entry_time&, effects& out) {
  block_update update{event_, number_, true, counts_, {}};
  update.seats.reserve(state_.seats.size());
  for (seat_index s = 0; s < state_.seats.size(); ++s)
    update.seats.emplace_back(s, state_.seats[s].status);
  touched_.clear();
  out.push_back(publish{std::move(update)});
}

bool seat_block::take_changed() {
  return std::exchange(changed_, false);
}

void seat_block::on(const moment&, const define_seats& t, effects&) {
  SLUICE_ASSERT(t.seats.size() >= state_.seats.size(), "a seat lost its place in the block");
  for (seat_index s = 0; s < t.seats.size(); ++s) {
    if (s == state_.seats.size()) {
      state_.seats.emplace_back();
      ++counts_.available;
      touched_.insert(s);
    }
    auto& known = state_.seats[s];
    known.terms = t.seats[s];
    if (known.terms.retired && known.status == seat_status::available)
      mark(s, seat_status::blocked);
    else if (!known.terms.retired && known.status == seat_status::blocked)
      mark(s, seat_status::available);
  }
  stock_changed_ = true;
}

void seat_block::on(const moment&, const sale_window& t, effects&) {
  state_.sale_open = t.open;
  changed_ = true;
}

void seat_block::on(const moment&, const hold_seats& t, effects& out) {
  auto holder = entity_ref::of_session(event_, t.user);
  auto refuse = [&](errc why, std::vector<seat_index> taken) {
    out.push_back(tell{holder, part_refused{t.hold, number_, why, std::move(taken)}});
  };
  if (!state_.sale_open)
    return refuse(errc::event_closed, {});
  std::vector<seat_index> taken;
  for (auto s : t.seats) {
    if (s >= state_.seats.size())
      return refuse(errc::seat_unknown, {});
    if (state_.seats[s].status != seat_status::available)
      taken.push_back(s);
  }
  if (!taken.empty())
    return refuse(errc::seat_not_available, std::move(taken));
  part_held held{t.hold, number_, {}, 0, 0, 0};
  block_hold h{t.user, t.seats, t.deadline, 0};
  std::sort(h.seats.begin(), h.seats.end());
  SLUICE_ASSERT(std::adjacent_find(h.seats.begin(), h.seats.end()) == h.seats.end(), "a hold names a seat twice");
  for (auto s : h.seats) {
    mark(s, seat_status::held);
    state_.seats[s].hold = t.hold;
    held.seats.push_back({s, state_.seats[s].terms.category, state_.seats[s].terms.price});
  }
  record(t.hold, stock_move::held, h.seats, out);
  deadlines_.add(t.deadline, t.hold);
  bool fresh = state_.holds.emplace(t.hold, std::move(h)).second;
  SLUICE_ASSERT(fresh, "a hold id was used twice");
  out.push_back(tell{holder, std::move(held)});
}

void seat_block::on(const moment&, const extend_hold_part& t, effects&) {
  auto found = state_.holds.find(t.hold);
  if (found == state_.holds.end() || found->second.fence != 0)
    return;
  deadlines_.remove(found->second.deadline, t.hold);
  found->second.deadline = t.deadline;
  deadlines_.add(t.deadline, t.hold);
  changed_ = true;
}

void seat_block::on(const moment& at, const pin_hold& t, effects& out) {
  auto found = state_.holds.find(t.hold);
  SLUICE_ASSERT(found != state_.holds.end() && found->second.fence == 0, "a session pinned a hold the block lost");
  auto& h = found->second;
  auto holder = entity_ref::of_session(event_, h.user);
  if (!state_.sale_open) {
    out.push_back(tell{holder, part_pinned{t.hold, number_, 0, errc::event_closed}});
    return;
  }
  if (!is_planted(planted::pinned_lapses))
    deadlines_.remove(h.deadline, t.hold);
  h.fence = at.index;
  for (auto s : h.seats)
    mark(s, seat_status::pinned);
  record(t.hold, stock_move::pinned, h.seats, out);
  out.push_back(tell{holder, part_pinned{t.hold, number_, at.index, errc::ok}});
}

void seat_block::on(const moment&, const release_hold_part& t, effects& out) {
  auto found = state_.holds.find(t.hold);
  if (found == state_.holds.end() || found->second.fence != t.fence)
    return; // lapsed in this very entry, or a stale release
  auto h = std::move(found->second);
  state_.holds.erase(found);
  if (h.fence == 0)
    deadlines_.remove(h.deadline, t.hold);
  free_seats(h);
  record(t.hold, stock_move::released, std::move(h.seats), out);
}

void seat_block::on(const moment&, const confirm_hold_part& t, effects& out) {
  auto found = state_.holds.find(t.hold);
  SLUICE_ASSERT(found != state_.holds.end() && t.fence != 0 && found->second.fence == t.fence,
                "confirming a pinned hold can not fail");
  auto h = std::move(found->second);
  state_.holds.erase(found);
  state_.fences.emplace(t.hold, t.fence);
  for (auto s : h.seats)
    mark(s, seat_status::confirmed);
  record(t.hold, stock_move::confirmed, std::move(h.seats), out);
}

void seat_block::on(const moment&, const give_back& t, effects& out) {
  auto known = state_.fences.find(t.hold);
  if (known == state_.fences.end() || known->second != t.fence)
    return;
  for (auto s : t.seats) {
    SLUICE_ASSERT(s < state_.seats.size() && state_.seats[s].status == seat_status::confirmed &&
                      state_.seats[s].hold == t.hold,
                  "a seat came back that was not sold to this hold");
    mark(s, state_.seats[s].terms.retired ? seat_status::blocked : seat_status::available);
    state_.seats[s].hold = {};
  }
  state_.fences.erase(known);
  record(t.hold, stock_move::returned, t.seats, out);
}

void seat_block::mark(seat_index s, seat_status status) {
  auto& known = state_.seats[s];
  --count_of(counts_, known.status);
  known.status = status;
  ++count_of(counts_, status);
  touched_.insert(s);
  stock_changed_ = true;
}

void seat_block::free_seats(const block_hold& h) {
  for (auto s : h.seats) {
    mark(s, state_.seats[s].terms.retired ? seat_status::blocked : seat_status::available);
    state_.seats[s].hold = {};
  }
}

void seat_block::record(const hold_id& hold, stock_move move, std::vector<seat_index> seats, effects& out) const {
  out.push_back(fact{stock_moved{number_, hold, move, std::move(seats), 0}});
}

std::uint32_t& seat_block::count_of(stock_counts& counts, seat_status status) {
  switch (status) {
  case seat_status::available:
    return counts.available;
  case seat_status::held:
  case seat_status::pinned:
    return counts.held;
  case seat_status::confirmed:
    return counts.confirmed;
  case seat_status::blocked:
    break;
  }
  return counts.blocked;
}

} // namespace sluice::domain
