#include "sim_provider.hpp"

#include "core/text_id.hpp"

#include <memory>

namespace sluice::simulation {

using verdict = provider_answer::verdict;

provider_answer::state account::state() const {
  using s = provider_answer::state;
  if (refunded > 0)
    return s::refunded;
  if (captured > 0)
    return s::captured;
  if (voided)
    return s::voided;
  if (authorised > 0)
    return s::authorised;
  return declined ? s::declined : s::none;
}

void sim_provider::begin_outages() {
  if (run_.settings.outage_every == 0)
    return;
  run_.time.after(run_.dice.about(run_.settings.outage_every), [this] {
    if (!run_.stormy)
      return;
    ++run_.counts[fault::provider_outage];
    // Some last longer than any payment window.
    auto lasts = run_.dice.coin() ? run_.dice.spread(500, 12'000) : run_.dice.between(8'000, 30'000);
    down_until_ = run_.time.now() + lasts * ms;
    begin_outages();
  });
}

void sim_provider::call(const provider_call& c, micros patience, std::function<void(provider_answer)> done) {
  // Answered at most once, whatever happens to the call on its way.
  auto answer = std::make_shared<std::function<void(provider_answer)>>(std::move(done));
  auto reply = [answer](provider_answer a) {
    if (auto once = std::exchange(*answer, nullptr))
      once(a);
  };
  run_.time.after(patience, [reply] { reply({}); });
  auto there = run_.dice.between(1, 40) * ms;
  if (run_.strikes(fault::provider_late, run_.settings.provider_late))
    there = run_.dice.between(patience, late_at_most);
  auto is_lost = run_.strikes(fault::provider_error, run_.settings.provider_error);
  auto is_mute = run_.strikes(fault::provider_silence, run_.settings.provider_silent);
  run_.time.after(there, [this, c, reply, is_lost, is_mute] {
    bool is_down = run_.stormy && run_.time.now() < down_until_;
    if (is_lost || is_down) {
      if (run_.dice.coin())
        run_.time.after(run_.dice.between(1, 20) * ms, [reply] { reply({}); }); // an error, not an outcome
      return;
    }
    auto a = perform(c);
    if (run_.telling())
      run_.say("provider " + to_text(c.reservation) + (c.inquire ? " inquiry" : " step ") +
               std::to_string(static_cast<int>(c.step)) + " outcome " + std::to_string(static_cast<int>(a.outcome)) +
               " state " + std::to_string(static_cast<int>(ledger_[c.reservation].state())));
    if (!is_mute)
      run_.time.after(run_.dice.between(1, 40) * ms, [reply, a] { reply(a); });
  });
}

provider_answer sim_provider::perform(const provider_call& c) {
  if (c.inquire) {
    auto known = ledger_.find(c.reservation);
    return {verdict::told, known == ledger_.end() ? provider_answer::state::none : known->second.state()};
  }
  auto& a = ledger_[c.reservation];
  auto say = [&](bool done) { return provider_answer{done ? verdict::done : verdict::refused, a.state()}; };
  switch (c.step) {
  case domain::charge_step::authorise:
    if (a.declined || a.voided)
      return say(false);
    if (a.authorisations > 0)
      return say(true);
    if (run_.strikes(fault::declined, run_.settings.declined)) {
      a.declined = true;
      return say(false);
    }
    ++a.authorisations;
    a.authorised = c.amount;
    return say(true);
  case domain::charge_step::capture:
    if (a.captures > 0)
      return say(true);
    if (a.capture_refused || a.voided || a.authorisations == 0)
      return say(false);
    if (run_.strikes(fault::capture_refused, run_.settings.capture_refused)) {
      a.capture_refused = true;
      return say(false);
    }
    before_capture(c.reservation);
    ++a.captures;
    a.captured = c.amount;
    return say(true);
  case domain::charge_step::cancel:
    if (a.captures > 0)
      return say(false);
    // Nothing there to void: nothing is remembered either. A late authorisation would then go through, which is why the
    // desk has to wait before it cancels.
    if (a.authorisations > 0)
      a.voided = true;
    return say(true);
  case domain::charge_step::refund:
    if (a.captures == 0)
      return say(false);
    if (a.refunds == 0 && a.refunds_refused < 2 && run_.strikes(fault::refund_refused, run_.settings.refund_refused)) {
      ++a.refunds_refused;
      return say(false);
    }
    if (a.refunds == 0) {
      ++a.refunds;
      a.refunded = a.captured;
    }
    return say(true);
  }
  return {};
}

} // namespace sluice::simulation
