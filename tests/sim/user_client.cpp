#include "user_client.hpp"

#include "core/slot.hpp"

#include <algorithm>

namespace sluice::simulation {

user_client::user_client(scene& run, checkers& all, network& net, const operator_client& operators, std::string name)
    : run_{run}, checkers_{all}, net_{net}, operators_{operators}, name_{std::move(name)} {}

void user_client::begin() {
  think();
}

void user_client::think() {
  run_.time.after(run_.dice.about(run_.settings.user_think), [this] {
    if (!run_.stormy)
      return;
    if (!busy_)
      act();
    think();
  });
}

void user_client::act() {
  if (!event_)
    return choose_event();
  if (!old_.empty() && run_.dice.below(12) == 0)
    return repeat();
  if (!reservations_.empty() && run_.dice.below(12) == 0)
    return run_.dice.coin() ? ask() : cancel();
  if (!ticket_)
    return join();
  return admission_ ? inside() : in_line();
}

void user_client::choose_event() {
  const auto& shows = operators_.shows();
  const auto& chosen = shows[static_cast<std::size_t>(run_.dice.below(shows.size()))];
  if (chosen.number && checkers_.placed(chosen.number) != nullptr)
    event_ = chosen.number;
}

void user_client::in_line() {
  auto choice = run_.dice.below(100);
  if (choice < 75 && run_.time.now() < lazy_until_)
    return; // too late, perhaps
  if (choice < 75)
    claim();
  else if (choice < 77)
    leave();
  else if (choice < 90)
    join(); // once more: the same ticket
  else if (choice < 95)
    ask();
  else if (choice < 97)
    complete();
  // else: waits
}

void user_client::inside() {
  auto choice = run_.dice.below(100);
  if (choice < 40 || holds_.empty()) {
    if (choice < 90)
      hold();
    else if (choice < 94)
      complete();
    else if (choice < 96)
      leave();
    else
      claim(); // once more: the same answer
    return;
  }
  auto chosen = run_.dice.one_of(holds_).id;
  if (choice < 70)
    pay(chosen);
  else if (choice < 80)
    extend(chosen);
  else if (choice < 88)
    release(chosen);
  else if (choice < 94)
    ask();
  else if (choice < 96)
    complete();
  // else: looks at the plan
}

void user_client::forget_visit() {
  ticket_.reset();
  admission_.reset();
  holds_.clear();
  if (run_.dice.below(3) == 0)
    event_ = {};
}

void user_client::call(entity_ref to, network::maker make, network::handler done) {
  busy_ = true;
  net_.call(std::move(to), std::move(make), [this, heard = std::move(done)](const outcome& o) {
    busy_ = false;
    heard(o);
  });
}

// ---- the line ------------------------------------------------------------------------------------------------------

void user_client::join() {
  call(
      event(), [name = name_] { return domain::join{name}; },
      [this](const outcome& o) {
        if (const auto* t = o.as<domain::ticket_reply>()) {
          if (ticket_ != t->ticket) {
            ticket_ = t->ticket;
            admission_.reset();
            lazy_until_ = run_.time.now() + (run_.dice.below(5) == 0 ? run_.dice.between(0, 7 * second) : 0);
            tickets_.push_back({event_, t->ticket});
            if (t->state == domain::ticket_state::admitted && run_.dice.below(3) == 0)
              dawdle(*t);
          }
        } else if (o.reply) {
          event_ = {};
        }
      });
}

/// Claims in the very last moment, or a little too late.
void user_client::dawdle(const domain::ticket_reply& t) {
  busy_ = true;
  auto wait = (t.ends - run_.wall()).count() * ms - run_.settings.request_time / 2 + run_.dice.between(-60, 60) * ms;
  run_.time.after(std::clamp<micros>(wait, 0, 6 * second), [this, number = t.ticket] {
    busy_ = false;
    if (run_.stormy && ticket_ == number && !admission_)
      claim();
  });
}

void user_client::claim() {
  call(
      event(),
      [this, name = name_, t = some_ticket()] {
        return domain::claim_turn{name, t, fresh_admission()};
      },
      [this](const outcome& o) {
        if (const auto* visit = o.as<domain::visit_reply>())
          admission_ = visit->id;
        else if (o.why() != errc::ok)
          forget_visit();
      });
}

/// Mostly the own one.
ticket_number user_client::some_ticket() {
  if (run_.dice.below(25) != 0)
    return *ticket_;
  return {static_cast<std::uint32_t>(run_.dice.between(0, ticket_->value + 2))};
}

void user_client::leave() {
  call(
      event(),
      [name = name_, t = some_ticket()] {
        return domain::leave{name, t};
      },
      [this](const outcome& o) {
        if (o.reply)
          forget_visit();
      });
}

void user_client::complete() {
  call(
      event(),
      [name = name_, t = some_ticket()] {
        return domain::complete_visit{name, t};
      },
      [this](const outcome& o) {
        if (o.as<domain::done>() != nullptr)
          forget_visit();
      });
}

// ---- holds ---------------------------------------------------------------------------------------------------------

std::vector<domain::wanted_part> user_client::choose_parts(const domain::placed_event& plan) {
  auto& dice = run_.dice;
  std::vector<domain::wanted_part> parts;
  auto wanted = dice.between(1, 3);
  for (std::int64_t i = 0; i < wanted && !plan.blocks.empty(); ++i) {
    const auto& block = dice.one_of(plan.blocks);
    auto is_block = [&](const auto& p) { return p.block == block.number; };
    if (std::any_of(parts.begin(), parts.end(), is_block))
      continue;
    domain::wanted_part part{block.number, block.area, {}, 0};
    if (block.area) {
      part.quantity = static_cast<std::uint32_t>(dice.between(1, 3));
    } else {
      auto count = dice.between(1, 2);
      for (std::int64_t s = 0; s < count; ++s) {
        auto seat = static_cast<seat_index>(dice.below(block.seats.size()));
        if (dice.below(60) == 0)
          seat += 3; // of another plan than the engine's
        if (std::find(part.seats.begin(), part.seats.end(), seat) == part.seats.end())
          part.seats.push_back(seat);
      }
    }
    parts.push_back(std::move(part));
  }
  return parts;
}

void user_client::hold() {
  const auto* plan = checkers_.placed(event_);
  if (plan == nullptr)
    return forget_visit();
  domain::request_hold wish;
  wish.once = fresh_key();
  wish.admission = run_.dice.below(40) == 0 ? fresh_admission() : *admission_;
  wish.parts = choose_parts(*plan);
  old_.push_back({event_, wish});
  bool is_mine = wish.admission == *admission_;
  call(
      session(),
      [this, event = event_, wish]() mutable {
        wish.hold = fresh_id<hold_id>(event);
        return wish;
      },
      [this, is_mine](const outcome& o) {
        if (const auto* h = o.as<domain::hold_reply>()) {
          holds_.push_back({h->hold, h->amount});
          if (run_.dice.below(4) == 0)
            procrastinate(*h);
        } else if (o.why() == errc::not_admitted && is_mine) {
          forget_visit();
        }
      });
}

/// Comes back in the very last moment, or a little too late.
void user_client::procrastinate(const domain::hold_reply& h) {
  busy_ = true;
  auto wait = h.expires_in_ms * ms - run_.settings.request_time + run_.dice.between(-50, 30) * ms;
  run_.time.after(std::max<micros>(wait, 0), [this, id = h.hold, visit = admission_] {
    busy_ = false;
    bool is_there = std::any_of(holds_.begin(), holds_.end(), [&](const auto& own) { return own.id == id; });
    if (!is_there || !admission_ || admission_ != visit || !run_.stormy)
      return;
    switch (run_.dice.below(3)) {
    case 0:
      return pay(id);
    case 1:
      return extend(id);
    default:
      return release(id);
    }
  });
}

void user_client::extend(const hold_id& chosen) {
  domain::extend_hold wish{*admission_, chosen, "x" + std::to_string(++keys_made_)};
  old_.push_back({event_, wish});
  call(
      session(), [wish] { return wish; },
      [this, id = wish.hold](const outcome& o) {
        if (o.why() == errc::hold_lapsed || o.why() == errc::hold_unknown)
          std::erase_if(holds_, [&](const auto& h) { return h.id == id; });
      });
}

void user_client::release(const hold_id& chosen) {
  domain::release_hold wish{*admission_, chosen};
  call(
      session(), [wish] { return wish; },
      [this, id = wish.hold](const outcome& o) {
        if (o.reply)
          std::erase_if(holds_, [&](const auto& h) { return h.id == id; });
      });
}

// ---- money ---------------------------------------------------------------------------------------------------------

void user_client::pay(const hold_id& chosen) {
  auto h = *std::find_if(holds_.begin(), holds_.end(), [&](const auto& own) { return own.id == chosen; });
  domain::pay_hold wish;
  wish.once = fresh_key();
  wish.admission = *admission_;
  wish.hold = h.id;
  bool is_free = h.amount == 0;
  if (run_.dice.below(40) == 0)
    is_free = !is_free; // the wrong method
  wish.method = is_free ? domain::payment_method::free : domain::payment_method::card;
  wish.card = is_free ? "" : "4242";
  old_.push_back({event_, wish});
  call(
      session(),
      [this, event = event_, wish]() mutable {
        wish.reservation = fresh_id<reservation_id>(event);
        return wish;
      },
      [this, event = event_, id = h.id](const outcome& o) {
        if (const auto* r = o.as<domain::reservation_reply>())
          reservations_.push_back({event, r->reservation});
        if (o.why() != errc::method_not_accepted)
          std::erase_if(holds_, [&](const auto& known) { return known.id == id; });
      });
}

void user_client::cancel() {
  auto r = run_.dice.one_of(reservations_);
  call(
      entity_ref::of_session(r.event, name_), [r] { return domain::cancel_reservation{r.id}; }, [](const outcome&) {});
}

// ---- questions and mischief ----------------------------------------------------------------------------------------

void user_client::ask() {
  busy_ = true;
  auto heard = [this](const outcome&) { busy_ = false; };
  if (!reservations_.empty() && run_.dice.coin()) {
    auto r = run_.dice.one_of(reservations_);
    auto to = entity_ref::of_session(r.event, name_);
    return run_.dice.coin() ? net_.ask(to, domain::ask_reservation{r.id}, heard)
                            : net_.ask(to, domain::ask_reservations{}, heard);
  }
  if (!holds_.empty())
    return net_.ask(session(), domain::ask_hold{run_.dice.one_of(holds_).id}, heard);
  if (ticket_)
    return net_.ask(event(), domain::ask_ticket{name_, *ticket_}, heard);
  busy_ = false;
}

/// An old request once more; or another one under its key, which must be refused if the first was granted.
void user_client::repeat() {
  auto old = run_.dice.one_of(old_);
  auto to = entity_ref::of_session(old.event, name_);
  bool is_other = run_.dice.coin();
  auto spoil = [&](domain::idempotency& once) {
    if (is_other)
      once.request[1] ^= 1 + run_.dice.below(1'000);
  };
  if (auto* wish = std::get_if<domain::request_hold>(&old.what)) {
    spoil(wish->once);
    call(
        to,
        [this, event = old.event, again = *wish]() mutable {
          again.hold = fresh_id<hold_id>(event);
          return again;
        },
        [this, event = old.event](const outcome& o) {
          if (const auto* h = o.as<domain::hold_reply>())
            if (event == event_ && admission_)
              holds_.push_back({h->hold, h->amount});
        });
  } else if (auto* payment = std::get_if<domain::pay_hold>(&old.what)) {
    spoil(payment->once);
    call(
        to,
        [this, event = old.event, again = *payment]() mutable {
          again.reservation = fresh_id<reservation_id>(event);
          return again;
        },
        [](const outcome&) {});
  } else if (auto* extension = std::get_if<domain::extend_hold>(&old.what)) {
    call(
        to, [again = *extension] { return again; }, [](const outcome&) {});
  }
}

// ---- ids, as a bridge draws them -----------------------------------------------------------------------------------

template <class Id>
Id user_client::fresh_id(event_number event) {
  std::array<std::uint8_t, 14> random{};
  for (auto& byte : random)
    byte = static_cast<std::uint8_t>(run_.dice.next());
  return make_routed_id<Id>(slot_of(event), event, random);
}

admission_id user_client::fresh_admission() {
  admission_id id;
  for (auto& byte : id.bytes)
    byte = static_cast<std::uint8_t>(run_.dice.next());
  return id;
}

domain::idempotency user_client::fresh_key() {
  return {"k" + std::to_string(++keys_made_), {run_.dice.next(), run_.dice.next()}};
}

} // namespace sluice::simulation
