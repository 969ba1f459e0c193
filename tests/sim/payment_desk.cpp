#include "payment_desk.hpp"

#include <algorithm>
#include <iterator>
#include <optional>

namespace sluice::simulation {

namespace {

using settled = domain::charge_outcome;

/// What an inquiry says about a step; empty: it is still to be done.
std::optional<settled> judge(domain::charge_step step, provider_answer::state found) {
  using s = provider_answer::state;
  switch (step) {
  case domain::charge_step::authorise:
    if (found == s::none)
      return std::nullopt;
    return found == s::authorised || found == s::captured ? settled::done : settled::refused;
  case domain::charge_step::capture:
    if (found == s::authorised)
      return std::nullopt;
    return found == s::captured || found == s::refunded ? settled::done : settled::refused;
  case domain::charge_step::cancel:
    if (found == s::authorised)
      return std::nullopt;
    return found == s::captured ? settled::refused : settled::done;
  case domain::charge_step::refund:
    if (found == s::captured)
      return std::nullopt;
    return found == s::refunded ? settled::done : settled::refused;
  }
  return std::nullopt;
}

} // namespace

void payment_desk::start(partition_id partition, const entity_ref& session, const domain::charge& c) {
  auto& line = lines_[c.reservation];
  for (const auto& known : line)
    if (known.what == c && !known.left)
      return; // a new leader of this very process asks again
  line.push_back({partition, session, c, ++last_});
  if (line.size() == 1)
    begin(c.reservation);
}

void payment_desk::leave(partition_id partition) {
  leave_if([partition](const job& j) { return j.partition == partition; });
}

void payment_desk::leave(partition_id partition, event_number event) {
  leave_if([partition, event](const job& j) { return j.partition == partition && j.session.event == event; });
}

template <class Which>
void payment_desk::leave_if(Which which) {
  std::vector<reservation_id> idle;
  for (auto& [id, line] : lines_) {
    // What waits behind may be of the partition to which the event has moved meanwhile.
    line.erase(std::remove_if(std::next(line.begin()), line.end(), which), line.end());
    if (!which(line.front()))
      continue;
    line.front().left = true;
    if (!line.front().calling)
      idle.push_back(id);
  }
  for (const auto& id : idle)
    next(id);
}

void payment_desk::begin(const reservation_id& id) {
  if (lines_.at(id).front().what.step != domain::charge_step::cancel)
    return call(id, false);
  // An earlier step may still be on its way, perhaps sent by a process that died: let it arrive, then ask.
  later(sim_provider::late_at_most + 1 * ms, id, true);
}

void payment_desk::later(micros wait, const reservation_id& id, bool inquire) {
  clock_.after(wait, [this, id, inquire, number = lines_.at(id).front().number] {
    auto line = lines_.find(id);
    if (line != lines_.end() && line->second.front().number == number)
      call(id, inquire);
  });
}

void payment_desk::call(const reservation_id& id, bool inquire) {
  auto& j = lines_.at(id).front();
  j.calling = true;
  if (!inquire)
    ++j.tries;
  auto life = clock_.life();
  provider_.call({id, j.what.step, inquire, j.what.amount, j.what.card}, call_deadline,
                 [this, clock = &clock_, id, inquire, life](provider_answer a) {
                   if (clock->life() == life) // else this desk is gone
                     clock->after(0, [this, id, inquire, a] { on_answer(id, inquire, a); });
                 });
}

void payment_desk::on_answer(const reservation_id& id, bool inquiry, provider_answer a) {
  using verdict = provider_answer::verdict;
  auto& j = lines_.at(id).front();
  j.calling = false;
  auto again = [&](bool inquire) {
    if (j.left)
      return next(id);
    later(run_.dice.between(50, 400) * ms, id, inquire);
  };
  if (!inquiry) {
    if (a.outcome == verdict::done)
      return finish(id, settled::done);
    if (a.outcome == verdict::refused)
      return finish(id, settled::refused);
    return again(true);
  }
  if (a.outcome == verdict::told) {
    if (auto concluded = judge(j.what.step, a.payment))
      return finish(id, *concluded);
    if (j.tries < tries_max)
      return again(false); // the same key: harmless if it took effect after all
  } else if (++j.tries < tries_max) {
    return again(true);
  }
  finish(id, settled::unknown);
}

void payment_desk::finish(const reservation_id& id, domain::charge_outcome result) {
  const auto& j = lines_.at(id).front();
  if (!j.left || result != settled::unknown)
    report_(j.session, {id, j.what.step, j.what.attempt, result, {}});
  next(id);
}

void payment_desk::next(const reservation_id& id) {
  auto& line = lines_.at(id);
  line.pop_front();
  if (line.empty())
    lines_.erase(id);
  else
    begin(id);
}

} // namespace sluice::simulation
