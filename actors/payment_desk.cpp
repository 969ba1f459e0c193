#include "actors/payment_desk.hpp"

#include "actors/exceptions.hpp"
#include "codec/message.hpp"

#include <algorithm>
#include <utility>

namespace sluice::actors {

namespace {

using self_pointer = payment_desk_actor::stateful_pointer<payment_desk_state>;

domain::charge_outcome outcome_of(provider_result::verdict o) {
  switch (o) {
  case provider_result::verdict::done:
    return domain::charge_outcome::done;
  case provider_result::verdict::refused:
    return domain::charge_outcome::refused;
  default:
    return domain::charge_outcome::unknown;
  }
}

void call(self_pointer self, std::uint64_t id, bool inquire) {
  auto& state = self->state;
  auto& c = state.under_way.at(id);
  c.inquiring = inquire;
  c.calling = true;
  if (!inquire)
    ++c.tries;
  ++(inquire ? state.figures->inquiries : state.figures->calls);
  provider_request request{
      c.what.reservation,          c.what.step, inquire, c.what.amount, c.what.currency, c.what.card,
      state.settings.call_deadline};
  // The provider may answer after the desk is gone: a weak handle does not keep it.
  auto back = caf::actor_cast<caf::actor_addr>(self);
  state.provider->call(std::move(request), [back, id](provider_result result) {
    if (auto desk = caf::actor_cast<payment_desk_actor>(back))
      caf::anon_send(desk, provider_said{id, std::move(result)});
  });
}

void begin(self_pointer self, charge_under_way c) {
  auto& state = self->state;
  auto id = state.next++;
  // A cancel comes after a step whose outcome nobody knows, maybe asked for by an earlier process: let that call's
  // deadline pass, then ask before acting.
  bool is_opposite = c.what.step == domain::charge_step::cancel;
  state.under_way.emplace(id, std::move(c));
  state.figures->under_way = state.under_way.size();
  if (is_opposite) {
    state.under_way.at(id).inquiring = true;
    self->delayed_send(self, state.settings.call_deadline, try_again{id});
  } else {
    call(self, id, false);
  }
}

/// Takes charges from the line while there is room, keeping those of one reservation in order.
void fill(self_pointer self) {
  auto& state = self->state;
  while (!state.waiting.empty() && state.under_way.size() < state.settings.under_way_max) {
    auto c = std::move(state.waiting.front());
    state.waiting.pop_front();
    auto [known, free] = state.behind.try_emplace(c.what.reservation);
    if (free)
      begin(self, std::move(c));
    else
      known->second.push_back(std::move(c));
  }
  state.figures->waiting = state.waiting.size();
}

/// The next step of that reservation begins, and whoever waits for room.
void forget(self_pointer self, std::uint64_t id) {
  auto& state = self->state;
  auto reservation = state.under_way.at(id).what.reservation;
  state.under_way.erase(id);
  auto line = state.behind.find(reservation);
  if (line->second.empty()) {
    state.behind.erase(line);
  } else {
    auto next = std::move(line->second.front());
    line->second.pop_front();
    begin(self, std::move(next));
  }
  state.figures->under_way = state.under_way.size();
  fill(self);
}

void settle(self_pointer self, std::uint64_t id, domain::charge_outcome outcome, std::string reason) {
  auto& state = self->state;
  const auto& c = state.under_way.at(id);
  ++(outcome == domain::charge_outcome::done      ? state.figures->done
     : outcome == domain::charge_outcome::refused ? state.figures->refused
                                                  : state.figures->unknown);
  partition::proposal p;
  p.to = c.session;
  p.body = codec::encode(domain::message{
      domain::charge_settled{c.what.reservation, c.what.step, c.what.attempt, outcome, std::move(reason)}});
  state.settle(std::move(p));
  forget(self, id);
}

/// What this desk would still try could come after the next one gave up and voided.
void leave(self_pointer self, const leave_charges& which) {
  auto& state = self->state;
  auto is_left = [&which](const charge_under_way& c) {
    return c.partition == which.partition &&
           (which.groups.empty() ||
            std::find(which.groups.begin(), which.groups.end(), c.session.event) != which.groups.end());
  };
  auto drop = [&is_left](std::deque<charge_under_way>& line) { std::erase_if(line, is_left); };
  drop(state.waiting);
  for (auto& [reservation, line] : state.behind)
    drop(line);
  std::vector<std::uint64_t> idle;
  for (auto& [id, c] : state.under_way)
    if (is_left(c)) {
      c.left = true;
      if (!c.calling)
        idle.push_back(id);
    }
  for (auto id : idle)
    forget(self, id);
}

std::chrono::milliseconds backoff(const desk_settings& settings, std::uint32_t tries) {
  auto wait = settings.first_backoff * (1 << std::min(tries, 10u));
  return std::min(wait, settings.last_backoff);
}

/// What an inquiry says about a step: did it take effect, can it never, or is it still to be done (empty)?
std::optional<domain::charge_outcome> judge(domain::charge_step step, const provider_result& r) {
  using state = provider_result::payment_state;
  using outcome = domain::charge_outcome;
  auto is = [&](std::initializer_list<state> states) {
    return std::find(states.begin(), states.end(), r.payment) != states.end();
  };
  switch (step) {
  case domain::charge_step::authorise:
    if (is({state::authorised, state::captured}))
      return outcome::done;
    if (is({state::declined, state::voided, state::refunded}))
      return outcome::refused;
    return std::nullopt;
  case domain::charge_step::capture:
    if (is({state::captured, state::refunded}))
      return outcome::done;
    if (is({state::declined, state::voided, state::none}))
      return outcome::refused;
    return std::nullopt;
  case domain::charge_step::cancel:
    if (is({state::voided, state::declined, state::none, state::refunded}))
      return outcome::done;
    return std::nullopt;
  case domain::charge_step::refund:
    if (is({state::refunded}))
      return outcome::done;
    if (is({state::voided, state::declined, state::none}))
      return outcome::refused;
    return std::nullopt;
  }
  return std::nullopt;
}

void on_result(self_pointer self, std::uint64_t id, provider_result result) {
  auto& state = self->state;
  auto known = state.under_way.find(id);
  if (known == state.under_way.end())
    return;
  auto& c = known->second;
  c.calling = false;
  using verdict = provider_result::verdict;
  bool is_clear = result.outcome == verdict::done || result.outcome == verdict::refused;
  if (!c.inquiring && is_clear)
    return settle(self, id, outcome_of(result.outcome), std::move(result.reason));
  bool is_told = c.inquiring && result.outcome != verdict::unknown;
  if (is_told)
    if (auto concluded = judge(c.what.step, result))
      return settle(self, id, *concluded, std::move(result.reason));
  if (c.left)
    return forget(self, id);
  if (!c.inquiring) {
    // It may or may not have taken effect: ask, after a moment.
    c.inquiring = true;
    self->delayed_send(self, backoff(state.settings, c.tries), try_again{id});
    return;
  }
  if (is_told) {
    if (c.tries < state.settings.tries_max)
      return call(self, id, false); // the same key: harmless if it took effect after all
  } else if (++c.tries < state.settings.tries_max) {
    self->delayed_send(self, backoff(state.settings, c.tries), try_again{id});
    return;
  }
  settle(self, id, domain::charge_outcome::unknown, {});
}

} // namespace

payment_desk_actor::behavior_type payment_desk(self_pointer self, provider_port* provider,
                                               std::function<void(partition::proposal)> settle_with,
                                               desk_settings settings, desk_figures* figures) {
  stop_on_exceptions(*self);
  self->state.provider = provider;
  self->state.settle = std::move(settle_with);
  self->state.settings = settings;
  self->state.figures = figures;
  return {
      [self](const start_charges& m) {
        for (const auto& effect : *m.body)
          if (auto charge = codec::decode_charge(effect.body))
            self->state.waiting.push_back({m.partition, effect.of, std::move(*charge)});
        fill(self);
      },
      [self](const leave_charges& m) { leave(self, m); },
      [self](const provider_said& m) { on_result(self, m.charge, m.result); },
      [self](const try_again& m) {
        if (self->state.under_way.contains(m.charge))
          call(self, m.charge, self->state.under_way.at(m.charge).inquiring);
      },
      [self](const settle_again& m) { self->state.settle(*m.body); },
      [self](const stop_desk&) { self->quit(); },
  };
}

} // namespace sluice::actors
