#include "cluster/partition/slots.hpp"

#include "cluster/partition/wire.hpp"

#include "core/planted.hpp"

#include <algorithm>

namespace sluice::partition {

slot_state* slot_table::find(slot_number slot) {
  auto known = states_.find(slot);
  return known == states_.end() ? nullptr : &known->second;
}

const slot_state* slot_table::find(slot_number slot) const {
  auto known = states_.find(slot);
  return known == states_.end() ? nullptr : &known->second;
}

bool slot_table::is_here(event_number event) const {
  if (const auto* s = find(event))
    return s->where == slot_state::stage::here ||
           (s->where == slot_state::stage::leaving && is_planted(planted::sold_in_both));
  return !event || dealt_(event) == self_;
}

std::optional<slot_home> slot_table::home_of(event_number event) const {
  const auto* s = find(event);
  if (s == nullptr)
    return slot_home{slot_of(event), self_, dealt_(event)};
  if (s->where == slot_state::stage::left)
    return slot_home{slot_of(event), self_, s->peer};
  return std::nullopt; // between two: nobody executes it
}

std::vector<slot_home> slot_table::homes() const {
  std::vector<slot_home> all;
  for (const auto& [slot, s] : states_)
    if (s.where == slot_state::stage::left)
      all.push_back({slot, self_, s.peer});
    else if (s.where == slot_state::stage::here)
      all.push_back({slot, s.dealt, self_}); // whatever way it came
    else
      all.push_back({slot, self_, self_});
  return all;
}

entry_time slot_table::time_of(event_number event, entry_time at) const {
  if (const auto* s = find(event))
    return {at.log + s->time_shift, std::max(at.wall, s->wall_floor)};
  return at;
}

log_index slot_table::index_of(event_number event, log_index at) const {
  const auto* s = find(event);
  return s == nullptr ? at : at + s->index_shift;
}

log_time slot_table::here(event_number event, log_time of_group) const {
  const auto* s = find(event);
  return s == nullptr ? of_group : of_group - s->time_shift;
}

void slot_table::save(proto::PartitionRecord& to) const {
  for (const auto& [slot, s] : states_) {
    auto& r = *to.add_slots();
    r.set_slot(slot.value);
    r.set_stage(static_cast<std::uint32_t>(s.where));
    r.set_peer(s.peer.value);
    r.set_fenced(s.fenced);
    r.set_position(s.position);
    r.set_time_shift_ms(s.time_shift.count());
    r.set_index_shift(s.index_shift);
    r.set_wall_floor_ms(to_ms(s.wall_floor));
    r.set_fenced_log_ms(to_ms(s.fenced_at.log));
    r.set_fenced_wall_ms(to_ms(s.fenced_at.wall));
    r.set_since(s.since);
    r.set_dealt(s.dealt.value);
    r.set_moves(s.moves);
    for (const auto& [receiver, last] : s.awaits) {
      auto& a = *r.add_awaits();
      a.set_partition(receiver.value);
      a.set_sequence(last);
    }
    for (const auto& stay : s.stays)
      encode(stay, *r.add_stays());
    if (s.where == slot_state::stage::arriving)
      *r.mutable_luggage() = s.luggage;
    for (auto event : s.events)
      r.add_events(event.value);
    for (const auto& n : s.notes) {
      auto& w = *r.add_waiting();
      encode(n.to, *w.mutable_to());
      w.set_body(n.body);
    }
  }
}

void slot_table::restore(const proto::PartitionRecord& from) {
  for (const auto& r : from.slots()) {
    auto& s = states_[{static_cast<std::uint16_t>(r.slot())}];
    s.where = static_cast<slot_state::stage>(r.stage());
    s.peer = {r.peer()};
    s.fenced = r.fenced();
    s.position = r.position();
    s.time_shift = milliseconds{r.time_shift_ms()};
    s.index_shift = r.index_shift();
    s.wall_floor = wall_time_from_ms(r.wall_floor_ms());
    s.fenced_at = {log_time_from_ms(r.fenced_log_ms()), wall_time_from_ms(r.fenced_wall_ms())};
    s.since = r.since();
    s.dealt = {r.dealt()};
    s.moves = r.moves();
    s.luggage = r.luggage();
    for (auto event : r.events())
      s.events.insert({event});
    for (const auto& a : r.awaits())
      s.awaits[{a.partition()}] = a.sequence();
    for (const auto& stay : r.stays())
      s.stays.push_back(decode(stay));
    for (const auto& n : r.waiting())
      s.notes.push_back({decode(n.to()), n.body()});
  }
}

} // namespace sluice::partition
