#include "domain/event.hpp"

#include "core/assert.hpp"
#include "core/overloaded.hpp"
#include "core/planted.hpp"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

namespace sluice::domain {

namespace {

/// More than any cascade within a group takes: a payment for nothing, the end of its visit, and what that releases.
constexpr std::uint32_t removal_steps = 10;

std::string request_id_of(const put_off_removal& t) {
  return t.wish.request_id;
}

} // namespace

event::event(event_number number, event_head head, waiting_room room)
    : number_{number}, head_{std::move(head)}, room_{std::move(room)} {}

void event::begin(const moment& at, effects& out) {
  if (!founded())
    return;
  // Lapse before the messages: whoever's time ended a millisecond ago must not keep a slot from the next one.
  if (!is_planted(planted::late_claim))
    lapse(at, out);
}

void event::lapse(const moment& at, effects& out) {
  for (const auto& ended : room_.expire(at.now.log)) {
    out.push_back(fact{ticket_ended{ended.ticket, ended.state}});
    if (ended.was_active)
      out.push_back(tell{entity_ref::of_session(number_, std::string{room_.book().user_of(ended.ticket)}),
                         close_visit{ended.ticket}});
    board_changed_ = true;
  }
}

void event::apply(const moment& at, const message& m, effects& out) {
  std::visit(
      [&](const auto& body) {
        using body_type = std::decay_t<decltype(body)>;
        constexpr bool is_tell = std::is_same_v<body_type, stock_changed> || std::is_same_v<body_type, visit_done> ||
                                 std::is_same_v<body_type, sale_settled> ||
                                 std::is_same_v<body_type, charges_changed> ||
                                 std::is_same_v<body_type, count_received>;
        if constexpr (std::is_same_v<body_type, pulse>) {
          // begin and finish do what is due
        } else if constexpr (requires { this->on(at, body, out); }) {
          once(head_.requests, request_id_of(body), out, [&] {
            if (founded() || std::is_same_v<body_type, define_event>)
              on(at, body, out);
            else if (!is_tell)
              out.push_back(answer{refusal{errc::event_unknown, {}, {}}});
          });
        } else {
          SLUICE_ASSERT(false, "a message reached an event that is none of its own");
        }
      },
      m);
}

void event::finish(const moment& at, effects& out) {
  if (!founded())
    return;
  if (is_planted(planted::late_claim))
    lapse(at, out);
  tell_sale_window(at, out);
  if (may_pass(at.now.wall)) {
    auto admitted = room_.promote(at.now.log);
    if (!admitted.empty()) {
      out.push_back(fact{users_admitted{std::move(admitted)}});
      board_changed_ = true;
    }
  }
  if (head_.count_changed && head_.count_sequence == head_.count_received)
    send_count(out);
  auto current = phase(at.now.wall);
  if (board_changed_ || current != published_phase_) {
    auto update = board(at.now);
    update.gone = room_.take_gone();
    update.waits_ms = room_.take_waits();
    out.push_back(publish{std::move(update)});
    board_changed_ = false;
    published_phase_ = current;
  }
}

std::optional<log_time> event::next_deadline(const entry_time& now) const {
  if (!founded())
    return std::nullopt;
  auto next = room_.next_deadline(now.log, may_pass(now.wall));
  // A wall-clock schedule is looked at again when log time has covered the distance; if the wall is late, once more.
  auto consider = [&](const std::optional<wall_time>& at) {
    if (!at || *at <= now.wall)
      return;
    auto due = now.log + std::max(*at - now.wall, milliseconds{1});
    next = next ? std::min(*next, due) : due;
  };
  if (!head_.opened_by_hand)
    consider(definition().sale_opens_at);
  if (!head_.closed_by_hand)
    consider(definition().sale_closes_at);
  return next;
}

void event::publish_all(const entry_time& now, effects& out) {
  if (!founded())
    return;
  out.push_back(publish{event_placed{head_.placed}});
  auto update = board(now);
  update.full = true;
  update.gone = room_.all_gone();
  room_.take_gone();
  room_.take_waits();
  published_phase_ = update.phase;
  board_changed_ = false;
  out.push_back(publish{std::move(update)});
}

bool event::take_placed_changed() {
  return std::exchange(placed_changed_, false);
}

// ---- set-up --------------------------------------------------------------------------------------------------------

namespace {

/// By number; 0 for a category that is no more.
std::vector<std::int64_t> prices_of(const placed_event& placed) {
  std::map<std::string_view, std::int64_t> price_of;
  for (const auto& category : placed.definition.categories)
    price_of.emplace(category.id, category.price);
  std::vector<std::int64_t> prices;
  for (const auto& id : placed.categories) {
    auto known = price_of.find(id);
    prices.push_back(known == price_of.end() ? 0 : known->second);
  }
  return prices;
}

} // namespace

void event::on(const moment& at, const define_event& c, effects& out) {
  if (founded() && definition() == c.definition) {
    out.push_back(answer{event_reply{number_, head_.placed->revision, false}});
    return;
  }
  auto placed = place(number_, head_.placed.get(), head_.stock, c.definition);
  if (!placed) {
    out.push_back(answer{refusal{placed.why().code, placed.why().detail, {}}});
    return;
  }
  if (!founded()) {
    head_.index_seed = c.index_seed;
    room_ = waiting_room{c.index_seed};
  }
  auto before = std::exchange(head_.placed, std::make_shared<const placed_event>(std::move(*placed)));
  room_.configure(at.now.log, definition().admission);
  auto is_known = [&](const placed_block& block) { return before && block.number.value <= before->blocks.size(); };
  auto prices = prices_of(*head_.placed);
  bool same_prices = before && prices_of(*before) == prices;
  for (const auto& block : head_.placed->blocks) {
    if (is_known(block) && same_prices && before->blocks[block.number.value - 1] == block)
      continue;
    if (block.area) {
      out.push_back(tell{entity_ref::of_area(number_, block.number),
                         define_area{block.capacity, block.category, block.retired ? 0 : prices.at(block.category)}});
      if (!is_known(block) && head_.window_told_open)
        out.push_back(tell{entity_ref::of_area(number_, block.number), sale_window{true}});
      continue;
    }
    define_seats seats;
    seats.seats.reserve(block.seats.size());
    for (const auto& seat : block.seats)
      seats.seats.push_back({seat.category, seat.retired ? 0 : prices.at(seat.category), seat.retired});
    out.push_back(tell{entity_ref::of_seat_block(number_, block.number), std::move(seats)});
    if (!is_known(block) && head_.window_told_open)
      out.push_back(tell{entity_ref::of_seat_block(number_, block.number), sale_window{true}});
  }
  const auto& d = definition();
  out.push_back(
      note{entity_ref::of_catalogue(), event_summary{number_, d.id, d.name, d.venue, d.starts_at, d.time_zone, false}});
  if (before && before->definition.local_date != d.local_date && head_.sold > 0)
    head_.count_changed = true;
  out.push_back(fact{event_changed{"defined", d.admission.users_per_minute, d.admission.max_active_users, c.by}});
  out.push_back(publish{event_placed{head_.placed}});
  out.push_back(answer{event_reply{number_, head_.placed->revision, true}});
  board_changed_ = placed_changed_ = true;
}

void event::on(const moment& at, const control_event& c, effects& out) {
  auto refuse = [&](std::string why) { out.push_back(answer{refusal{errc::action_not_allowed, std::move(why), {}}}); };
  bool over = definition().sale_closes_at && *definition().sale_closes_at <= at.now.wall;
  const char* what = "message";
  switch (c.action) {
  case event_action::open:
    if (over)
      return refuse("the sale window is over; move sale.closesAt first");
    head_.opened_by_hand = true;
    head_.closed_by_hand = head_.paused = head_.draining = false;
    what = "open";
    break;
  case event_action::pause:
    if (phase(at.now.wall) == event_phase::closed)
      return refuse("the event is closed");
    head_.paused = true;
    what = "pause";
    break;
  case event_action::resume:
    if (head_.paused)
      head_.paused = false; // a drain goes on behind it
    else
      head_.draining = false;
    what = "resume";
    break;
  case event_action::drain:
    if (phase(at.now.wall) == event_phase::closed)
      return refuse("the event is closed");
    head_.draining = true;
    what = "drain";
    break;
  case event_action::close:
    head_.closed_by_hand = true;
    what = "close";
    break;
  case event_action::say:
    head_.text = c.text;
    break;
  case event_action::remove:
    return on(at, put_off_removal{c, removal_steps}, out);
  }
  const auto& a = definition().admission;
  out.push_back(fact{event_changed{what, a.users_per_minute, a.max_active_users, c.by}});
  out.push_back(answer{done{}});
  board_changed_ = true;
}

/// The group ends with the entry. Were it removed at once, a command behind it would found the event anew beside blocks
/// that still know the old one, and a refund that begins in this very entry would be forgotten.
void event::on(const moment&, const put_off_removal& t, effects& out) {
  if (t.steps == 0 || is_planted(planted::removes_at_once))
    return remove(t.wish, out);
  out.push_back(tell{entity_ref::of_event(number_), put_off_removal{t.wish, t.steps - 1}});
}

void event::remove(const control_event& c, effects& out) {
  auto stock = total_stock();
  if (stock.held > 0) {
    out.push_back(answer{refusal{errc::event_in_sale, "seats are held or being paid for; close it and wait", {}}});
    return;
  }
  // Not even by force: the money of somebody whose seats are gone would stay with us.
  if (head_.charges_open > 0 && !is_planted(planted::removes_in_payment)) {
    out.push_back(answer{refusal{errc::event_in_sale, "payments or refunds are under way; wait for them", {}}});
    return;
  }
  if (head_.sold > 0 && !c.force) {
    out.push_back(answer{refusal{errc::event_in_sale, "seats are sold; removing it forgets them (force)", {}}});
    return;
  }
  const auto& d = definition();
  out.push_back(note{entity_ref::of_catalogue(), event_summary{number_, d.id, {}, {}, {}, {}, true, c.by}});
  if (head_.count_sequence > 0)
    out.push_back(note{entity_ref::of_ranking(),
                       sold_count{number_, head_.count_sequence + 1, d.local_date, 0, head_.last_sale}});
  out.push_back(fact{event_changed{"removed", 0, 0, c.by}});
  out.push_back(publish{event_removed{number_}});
  out.push_back(answer{done{}});
  out.push_back(forget_group{});
  head_ = event_head{};
  room_ = waiting_room{};
  board_changed_ = false;
  placed_changed_ = true;
}

void event::on(const moment& at, const set_admission& c, effects& out) {
  auto settings = patched(definition().admission, c.patch);
  if (auto mistakes = check(settings, ""); !mistakes.empty()) {
    out.push_back(
        answer{refusal{errc::definition_invalid, mistakes.front().pointer + " " + mistakes.front().detail, {}}});
    return;
  }
  if (settings != definition().admission) {
    auto changed = std::make_shared<placed_event>(*head_.placed);
    changed->definition.admission = settings;
    ++changed->revision;
    head_.placed = std::move(changed);
    room_.configure(at.now.log, settings);
    out.push_back(fact{event_changed{"admission", settings.users_per_minute, settings.max_active_users, c.by}});
    out.push_back(publish{event_placed{head_.placed}});
    board_changed_ = placed_changed_ = true;
  }
  out.push_back(answer{event_reply{number_, head_.placed->revision, true}});
}

// ---- the line ------------------------------------------------------------------------------------------------------

void event::on(const moment& at, const join& c, effects& out) {
  auto known = room_.book().find(c.user);
  bool live = known && !is_terminal(room_.book().state_of(known));
  if (!live) {
    auto refuse = [&](errc why, std::string detail) { out.push_back(answer{refusal{why, std::move(detail), {}}}); };
    switch (phase(at.now.wall)) {
    case event_phase::scheduled:
      return refuse(errc::event_not_open, "the sale has not opened yet");
    case event_phase::closed:
      return refuse(errc::event_closed, "the sale is over");
    case event_phase::sold_out:
      return refuse(errc::sold_out, "every seat is sold");
    default:
      break;
    }
    if (head_.draining)
      return refuse(errc::event_closed, "nobody new joins any more; those in line are still served");
    if (room_.is_full())
      return refuse(errc::line_full, "the line is full");
  }
  auto joined = room_.join(c.user, at.now.log, may_pass(at.now.wall));
  if (joined.created) {
    out.push_back(fact{user_joined{joined.ticket, c.user}});
    if (joined.passed_at_once)
      out.push_back(fact{users_admitted{{joined.ticket}}});
    board_changed_ = true;
  }
  auto reply = reply_for(joined.ticket, at.now);
  reply.passed_at_once = reply.state != ticket_state::waiting;
  out.push_back(answer{reply});
}

void event::on(const moment& at, const leave& c, effects& out) {
  if (!owns(c.user, c.ticket)) {
    out.push_back(answer{refusal{errc::ticket_unknown, {}, {}}});
    return;
  }
  static_cast<void>(at);
  if (!is_terminal(room_.book().state_of(c.ticket)))
    conclude(c.ticket, ticket_state::left, out);
  out.push_back(answer{done{}});
}

void event::on(const moment& at, const claim_turn& c, effects& out) {
  if (!owns(c.user, c.ticket)) {
    out.push_back(answer{refusal{errc::ticket_unknown, {}, {}}});
    return;
  }
  auto state = room_.book().state_of(c.ticket);
  if (state == ticket_state::waiting) {
    out.push_back(answer{reply_for(c.ticket, at.now)});
    return;
  }
  if (is_terminal(state)) {
    out.push_back(answer{refusal{errc::ticket_expired, "the turn is over; join again", {}}});
    return;
  }
  bool first = state == ticket_state::admitted;
  const auto& v = room_.claim(c.ticket, at.now, c.id);
  if (first) {
    const auto& d = definition();
    out.push_back(tell{entity_ref::of_session(number_, c.user),
                       open_visit{c.ticket, v.id, v.deadline,
                                  visit_terms{d.limit_per_user, std::chrono::seconds{d.hold_ttl_seconds},
                                              d.hold_extensions_max, std::chrono::seconds{d.payment_window_seconds},
                                              d.keep_active_after_booking, d.currency}}});
    out.push_back(fact{turn_claimed{c.ticket}});
  }
  out.push_back(answer{visit_reply{c.ticket, v.id, v.claimed_at, v.expires_at}});
}

void event::on(const moment& at, const complete_visit& c, effects& out) {
  static_cast<void>(at);
  if (!owns(c.user, c.ticket)) {
    out.push_back(answer{refusal{errc::ticket_unknown, {}, {}}});
    return;
  }
  auto state = room_.book().state_of(c.ticket);
  if (state == ticket_state::waiting) {
    out.push_back(answer{refusal{errc::not_admitted, "the ticket is still waiting; leave the line instead", {}}});
    return;
  }
  if (!is_terminal(state))
    conclude(c.ticket, ticket_state::completed, out);
  out.push_back(answer{done{}});
}

reply event::ask(const entry_time& now, const message& m) const {
  const auto* c = std::get_if<ask_ticket>(&m);
  if (!founded() || c == nullptr)
    return refusal{errc::event_unknown, {}, {}};
  if (!owns(c->user, c->ticket))
    return refusal{errc::ticket_unknown, {}, {}};
  return reply_for(c->ticket, now);
}

// ---- what the rest of the group reports -----------------------------------------------------------------------------

void event::on(const moment&, const stock_changed& t, effects&) {
  head_.stock[t.block] = t.counts; // the phase may follow; finish looks
}

void event::on(const moment&, const visit_done& t, effects& out) {
  if (!owns(t.user, t.ticket) || is_terminal(room_.book().state_of(t.ticket)))
    return; // its time ended in this very entry
  conclude(t.ticket, ticket_state::completed, out);
}

void event::on(const moment& at, const sale_settled& t, effects&) {
  head_.sold = static_cast<std::uint64_t>(static_cast<std::int64_t>(head_.sold) + t.seats);
  head_.revenue += t.amount;
  if (t.seats > 0)
    head_.last_sale = at.now.wall;
  head_.count_changed = board_changed_ = true;
}

void event::on(const moment&, const charges_changed& t, effects&) {
  head_.charges_open += t.by;
}

void event::on(const moment&, const count_received& t, effects&) {
  head_.count_received = std::max(head_.count_received, t.sequence);
}

// ---- derived --------------------------------------------------------------------------------------------------------

event_phase event::phase(wall_time now) const {
  const auto& d = definition();
  if (head_.closed_by_hand || (d.sale_closes_at && *d.sale_closes_at <= now))
    return event_phase::closed;
  if (!head_.opened_by_hand && d.sale_opens_at && now < *d.sale_opens_at)
    return event_phase::scheduled;
  if (head_.paused)
    return event_phase::paused;
  // Until every block has reported there is nothing to conclude from the sums.
  auto stock = total_stock();
  if (stock.available + stock.held == 0 && head_.stock.size() == head_.placed->blocks.size())
    return event_phase::sold_out;
  if (head_.draining)
    return event_phase::draining;
  return room_.count().waiting > 0 ? event_phase::queueing : event_phase::open;
}

bool event::may_pass(wall_time now) const {
  auto p = phase(now);
  return p == event_phase::open || p == event_phase::queueing || p == event_phase::draining;
}

stock_counts event::total_stock() const {
  stock_counts total;
  for (const auto& [block, counts] : head_.stock) {
    total.available += counts.available;
    total.held += counts.held;
    total.confirmed += counts.confirmed;
    total.blocked += counts.blocked;
  }
  return total;
}

void event::conclude(ticket_number t, ticket_state state, effects& out) {
  auto ended = room_.end(t, state);
  out.push_back(fact{ticket_ended{t, state}});
  if (ended.was_active)
    out.push_back(tell{entity_ref::of_session(number_, std::string{room_.book().user_of(t)}), close_visit{t}});
  board_changed_ = true;
}

void event::tell_sale_window(const moment& at, effects& out) {
  auto p = phase(at.now.wall);
  bool open = p != event_phase::scheduled && p != event_phase::closed;
  if (open == head_.window_told_open || (!open && is_planted(planted::sale_never_closes)))
    return;
  head_.window_told_open = open;
  for (const auto& block : head_.placed->blocks)
    out.push_back(
        tell{block.area ? entity_ref::of_area(number_, block.number) : entity_ref::of_seat_block(number_, block.number),
             sale_window{open}});
}

void event::send_count(effects& out) {
  ++head_.count_sequence;
  head_.count_changed = false;
  out.push_back(note{entity_ref::of_ranking(),
                     sold_count{number_, head_.count_sequence, definition().local_date, head_.sold, head_.last_sale}});
}

ticket_reply event::reply_for(ticket_number t, const entry_time& now) const {
  ticket_reply reply{t, room_.book().state_of(t), false, now.wall};
  if (auto deadline = room_.deadline_of(t))
    reply.ends = now.wall + (*deadline - now.log);
  return reply;
}

board_update event::board(const entry_time& now) const {
  board_update update;
  update.event = number_;
  update.phase = phase(now.wall);
  const auto& count = room_.count();
  update.now_serving = count.now_serving;
  update.last_ticket = room_.book().last();
  update.waiting = count.waiting;
  update.active = room_.active();
  update.admitted_total = count.admitted_total;
  update.completed_total = count.completed_total;
  update.sold = head_.sold;
  update.revenue = head_.revenue;
  update.admission = definition().admission;
  update.text = head_.text;
  return update;
}

bool event::owns(const std::string& user, ticket_number t) const {
  return room_.book().contains(t) && room_.book().user_of(t) == user;
}

} // namespace sluice::domain
