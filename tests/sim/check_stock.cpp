#include "check_stock.hpp"

#include "core/text_id.hpp"

#include <utility>

namespace sluice::simulation {

using domain::stock_move;

void stock_checker::fail(const entry_stamp& at, event_number event, const std::string& what) {
  run_.fail("stock", "event " + std::to_string(event.value) + ", " + to_string(at) + ": " + what);
}

void stock_checker::on(const entry_stamp& at, event_number event, const domain::stock_defined& f) {
  auto& b = events_[event].blocks[f.block];
  if (f.capacity > b.capacity && lines_.defined_at(event) != at.index)
    fail(at, event, "block " + std::to_string(f.block.value) + " grew, but nobody defined it anew");
  b.defined_at = at.index;
  b.capacity = f.capacity;
  b.blocked = f.blocked;
  changes_[event].blocks.insert(f.block);
  if (lines_.definition(event) == nullptr)
    fail(at, event, "stock at an event nobody defined");
}

void stock_checker::on(const entry_stamp& at, event_number event, const domain::stock_moved& f) {
  if (lines_.definition(event) == nullptr)
    return fail(at, event, "stock moves at an event nobody defined");
  auto& s = events_[event];
  changes_[event].blocks.insert(f.block);
  changes_[event].holds.insert(f.hold);
  switch (f.move) {
  case stock_move::held:
    return take(at, event, s, f);
  case stock_move::released:
  case stock_move::lapsed:
  case stock_move::returned:
    return give(at, event, s, f);
  case stock_move::pinned:
  case stock_move::confirmed:
    return advance(at, event, s, f);
  }
}

void stock_checker::take(const entry_stamp& at, event_number event, stock& s, const domain::stock_moved& f) {
  const auto* asked = asked_.hold(f.hold);
  if (asked == nullptr || asked->event != event)
    return fail(at, event, "hold " + to_text(f.hold) + " was made, but nobody asked for it");
  check_sale(at, event);
  if (!s.holds.contains(f.hold)) {
    auto& c = changes_[event];
    bool was_refused = undone_.contains(f.hold) || (c.begun.contains(f.hold) && c.released.contains(f.hold));
    if (!held_at_.insert_or_assign(f.hold, at.log).second && !was_refused)
      return fail(at, event, "hold " + to_text(f.hold) + " was made twice");
    c.begun.insert(f.hold);
    begun_[f.hold] = {run_.time.now(), cluster_.outage_of(at.partition),
                      lines_.definition(event)->hold_ttl_seconds * second};
  }
  auto& b = s.blocks[f.block];
  part p;
  p.quantity = f.quantity;
  for (auto seat : f.seats) {
    if (seat >= b.capacity)
      return fail(at, event, "seat " + std::to_string(seat) + " of a block of " + std::to_string(b.capacity));
    auto [owner, is_free] = b.owners.emplace(seat, f.hold);
    if (!is_free)
      return fail(at, event,
                  "seat " + std::to_string(seat) + " of block " + std::to_string(f.block.value) + " has two owners");
    p.seats.insert(seat);
  }
  b.held += p.count();
  taken_[{event, asked->user}] += p.count();
  if (!s.holds[f.hold].emplace(f.block, std::move(p)).second)
    fail(at, event, "a hold took from one block twice");
}

void stock_checker::give(const entry_stamp& at, event_number event, stock& s, const domain::stock_moved& f) {
  auto hold = s.holds.find(f.hold);
  if (hold == s.holds.end() || !hold->second.contains(f.block))
    return fail(at, event, "hold " + to_text(f.hold) + " gave back what it has not");
  auto& p = hold->second.at(f.block);
  if (p.seats != std::set<seat_index>(f.seats.begin(), f.seats.end()) || p.quantity != f.quantity)
    return fail(at, event, "a hold gave back other seats than it has");
  if ((f.move == stock_move::returned) != (p.stage == hold_stage::confirmed))
    return fail(at, event, "stock was returned that was not confirmed, or released although it was");
  if (f.move == stock_move::lapsed) {
    if (p.stage != hold_stage::held)
      return fail(at, event, "hold " + to_text(f.hold) + " lapsed while it was paid for");
    auto promise = promises_.find(f.hold);
    if (promise != promises_.end() && at.log < promise->second)
      return fail(at, event,
                  "hold " + to_text(f.hold) + " lapsed " + std::to_string((promise->second - at.log).count()) +
                      " ms before the promised time");
    if (promise != promises_.end() && knows_deadline(f.hold) && promise->second + line_patience < at.log)
      return fail(at, event,
                  "hold " + to_text(f.hold) + " lapsed " + std::to_string((at.log - promise->second).count()) +
                      " ms late");
    changes_[event].lapsed.insert(f.hold);
  } else if (f.move == stock_move::released) {
    if (p.stage == hold_stage::held)
      changes_[event].released.insert(f.hold);
    else if (!changes_[event].ended_payments.contains(f.hold) && !changes_[event].pinned.contains(f.hold))
      return fail(at, event, "hold " + to_text(f.hold) + " was released while it was paid for");
  }
  auto& b = s.blocks[f.block];
  for (auto seat : p.seats) {
    b.owners.erase(seat);
    if (f.move != stock_move::lapsed)
      b.given_back[seat] = at.index;
  }
  (p.stage == hold_stage::confirmed ? b.confirmed : b.held) -= p.count();
  if (const auto* asked = asked_.hold(f.hold))
    taken_[{event, asked->user}] -= p.count();
  hold->second.erase(f.block);
  if (hold->second.empty())
    s.holds.erase(hold);
}

void stock_checker::advance(const entry_stamp& at, event_number event, stock& s, const domain::stock_moved& f) {
  auto hold = s.holds.find(f.hold);
  if (hold == s.holds.end() || !hold->second.contains(f.block))
    return fail(at, event, "hold " + to_text(f.hold) + " was pinned or confirmed, but does not exist");
  auto& p = hold->second.at(f.block);
  if (p.seats != std::set<seat_index>(f.seats.begin(), f.seats.end()) || p.quantity != f.quantity)
    return fail(at, event, "a hold was pinned or confirmed with other seats than it has");
  if (f.move == stock_move::pinned) {
    check_sale(at, event);
    auto promise = promises_.find(f.hold);
    if (promise != promises_.end() && knows_deadline(f.hold) && promise->second <= at.log)
      return fail(at, event, "hold " + to_text(f.hold) + " was pinned after its time");
    if (p.stage != hold_stage::held)
      return fail(at, event, "a hold was pinned twice");
    p.stage = hold_stage::pinned;
    changes_[event].pinned.insert(f.hold);
    return;
  }
  if (p.stage != hold_stage::pinned)
    return fail(at, event, "a hold was confirmed without a pin");
  p.stage = hold_stage::confirmed;
  auto& b = s.blocks[f.block];
  b.held -= p.count();
  b.confirmed += p.count();
}

void stock_checker::check_sale(const entry_stamp& at, event_number event) {
  // Closing and holding may meet in one entry: then their order there decides, which facts do not tell.
  if (!lines_.sale_open(event, at.wall, true) && !lines_.sale_open(event, at.wall, false))
    fail(at, event, "seats were held or pinned outside the sale window");
}

bool stock_checker::knows_deadline(const hold_id& hold) const {
  auto answered = extensions_answered_.find(hold);
  return asked_.extensions(hold) == (answered == extensions_answered_.end() ? 0 : answered->second.size());
}

void stock_checker::check_release(const entry_stamp& at, event_number event, const changes& c, const hold_id& hold) {
  const auto* asked = asked_.hold(hold);
  if (c.begun.contains(hold) || c.lapsed.contains(hold) || asked_.released(hold, asked->user))
    return; // another block refused or lapsed, or its owner wished it
  if (lines_.visit_changed(event, asked->user, at.index))
    return;
  fail(at, event, "hold " + to_text(hold) + " was released without a reason");
}

void stock_checker::check_patience(const entry_stamp& at, event_number event, const hold_id& hold) {
  constexpr micros slack = 8 * second; // slow disks, lost messages, elections, a clock that runs slow
  const auto& b = begun_.at(hold);
  auto lived = run_.time.now() - b.at;
  if (!cluster_.ever_moved(event) && asked_.extensions(hold) == 0 &&
      lived > b.lasts + cluster_.outage_of(at.partition) - b.outage + slack)
    fail(at, event,
         "hold " + to_text(hold) + " lapsed " + std::to_string((lived - b.lasts) / ms) +
             " ms after its time, outages meanwhile took " +
             std::to_string((cluster_.outage_of(at.partition) - b.outage) / ms) + " ms");
}

void stock_checker::end_entry(const entry_stamp& at, event_number event) {
  auto& s = events_[event];
  auto c = std::exchange(changes_[event], {});
  for (const auto& hold : c.holds) {
    auto found = s.holds.find(hold);
    if (found == s.holds.end())
      continue;
    const auto* asked = asked_.hold(hold);
    auto stage = found->second.begin()->second.stage;
    bool whole = asked->parts.size() == found->second.size();
    for (const auto& wanted : asked->parts) {
      auto p = found->second.find(wanted.block);
      whole = whole && p != found->second.end() && p->second.stage == stage &&
              p->second.seats == std::set<seat_index>(wanted.seats.begin(), wanted.seats.end()) &&
              p->second.quantity == wanted.quantity;
    }
    if (!whole)
      return fail(at, event, "hold " + to_text(hold) + " is neither whole nor gone, or not what was asked for");
    if (c.begun.contains(hold) && taken_[{event, asked->user}] > lines_.limit_of(event, asked->user))
      return fail(at, event,
                  asked->user + " has " + std::to_string(taken_[{event, asked->user}]) + " seats, the limit is " +
                      std::to_string(lines_.limit_of(event, asked->user)));
    if (c.begun.contains(hold)) {
      ++run_.counts[deed::held];
      if (asked->parts.size() > 1)
        ++run_.counts[deed::held_across];
      for (const auto& part : asked->parts)
        if (part.area)
          ++run_.counts[deed::held_places];
    }
  }
  for (const auto& hold : c.begun)
    if (!s.holds.contains(hold))
      undone_.insert(hold);
  for (const auto& hold : c.released) {
    check_release(at, event, c, hold);
    if (!c.begun.contains(hold) && !s.holds.contains(hold) && asked_.released(hold, asked_.hold(hold)->user))
      ++run_.counts[deed::released];
  }
  run_.counts[deed::lapsed] += c.lapsed.size();
  for (const auto& hold : c.lapsed)
    check_patience(at, event, hold);
  for (auto number : c.blocks) {
    const auto& b = s.blocks[number];
    if (b.held + b.confirmed + b.blocked > b.capacity)
      return fail(at, event,
                  "block " + std::to_string(number.value) + " does not add up: " + std::to_string(b.held) + " held, " +
                      std::to_string(b.confirmed) + " confirmed, " + std::to_string(b.blocked) + " blocked of " +
                      std::to_string(b.capacity));
  }
  // Whoever's time is over loses before anybody else is served.
  for (const auto& [hold, parts] : s.holds) {
    auto promise = promises_.find(hold);
    if (promise == promises_.end() || promise->second > at.log || !knows_deadline(hold))
      continue;
    for (const auto& [number, p] : parts)
      if (p.stage == hold_stage::held && c.blocks.contains(number))
        return fail(at, event,
                    "hold " + to_text(hold) + " should have lapsed before block " + std::to_string(number.value) +
                        " was touched");
  }
}

void stock_checker::compare(const entry_stamp& at, const domain::block_update& update) {
  auto event = events_.find(update.event);
  if (event == events_.end() || lines_.removed(update.event))
    return;
  auto found = event->second.blocks.find(update.block);
  if (found == event->second.blocks.end())
    return;
  const auto& b = found->second;
  const auto& c = update.counts;
  for (const auto& [seat, status] : update.seats) {
    auto owner = b.owners.find(seat);
    bool is_taken = status != domain::seat_status::available && status != domain::seat_status::blocked;
    if (is_taken != (owner != b.owners.end()))
      return fail(at, update.event,
                  "seat " + std::to_string(seat) + " of block " + std::to_string(update.block.value) + " shows as " +
                      std::string{word_of(status)});
  }
  auto available = b.capacity - b.blocked - b.held - b.confirmed;
  if (c.available != available || c.held != b.held || c.confirmed != b.confirmed || c.blocked != b.blocked)
    fail(at, update.event,
         "block " + std::to_string(update.block.value) + " is published as " + std::to_string(c.available) + "+" +
             std::to_string(c.held) + "+" + std::to_string(c.confirmed) + "+" + std::to_string(c.blocked) +
             ", counted are " + std::to_string(available) + "+" + std::to_string(b.held) + "+" +
             std::to_string(b.confirmed) + "+" + std::to_string(b.blocked));
}

void stock_checker::refused_for(const entry_stamp& at, event_number event,
                                const std::vector<std::pair<block_number, seat_index>>& seats) {
  auto s = events_.find(event);
  if (s == events_.end())
    return;
  for (const auto& [number, seat] : seats) {
    const auto& b = s->second.blocks[number];
    auto back = b.given_back.find(seat);
    bool was_taken = b.owners.contains(seat) || (back != b.given_back.end() && back->second == at.index);
    bool may_be_blocked = b.blocked > 0 || b.defined_at == at.index; // facts count these, they do not name them
    if (!was_taken && !may_be_blocked)
      return fail(at, event,
                  "seat " + std::to_string(seat) + " of block " + std::to_string(number.value) +
                      " was refused as taken, but is free");
    ++run_.counts[deed::contended];
  }
}

std::optional<hold_stage> stock_checker::stage_of(const hold_id& hold) const {
  auto event = events_.find(hold.event());
  if (event == events_.end())
    return std::nullopt;
  auto found = event->second.holds.find(hold);
  if (found == event->second.holds.end())
    return std::nullopt;
  return found->second.begin()->second.stage;
}

bool stock_checker::sold_out(event_number event) const {
  auto s = events_.find(event);
  if (s == events_.end())
    return false;
  for (const auto& [number, b] : s->second.blocks)
    if (b.confirmed + b.blocked < b.capacity)
      return false;
  return true;
}

void stock_checker::group_ended(event_number event) {
  events_.erase(event);
}

void stock_checker::at_the_end(event_number event) {
  auto s = events_.find(event);
  if (s == events_.end())
    return;
  for (const auto& [hold, parts] : s->second.holds)
    for (const auto& [number, p] : parts)
      if (p.stage != hold_stage::confirmed)
        run_.fail("liveness", "event " + std::to_string(event.value) + ": hold " + to_text(hold) + " is still " +
                                  (p.stage == hold_stage::held ? "held" : "pinned") + " at the end");
}

} // namespace sluice::simulation
