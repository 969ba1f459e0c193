// A slot leaves this partition, or comes to it. The steps are in slots.hpp.
#include "cluster/partition/core.hpp"

#include "cluster/partition/wire.hpp"
#include "core/hash.hpp"
#include "core/planted.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace sluice::partition {

namespace {

constexpr milliseconds ask_again{100}; // what was not to be had

/// The events of the slot that anything is known of.
std::set<event_number> events_of(const std::set<entity_ref>& roster, slot_number slot) {
  std::set<event_number> events;
  for (const auto& of : roster)
    if (of.event && slot_of(of.event) == slot)
      events.insert(of.event);
  return events;
}

/// As long as nobody was told that it leaves.
bool may_stay(const slot_state& s) {
  return s.where == slot_state::stage::leaving && (!s.awaits.empty() || is_planted(planted::calls_off_late));
}

std::string step_of(slot_number slot, const std::function<void(proto::PartitionStep&)>& fill) {
  proto::PartitionStep step;
  step.set_slot(slot.value);
  fill(step);
  return step.SerializeAsString();
}

} // namespace

// ---- asked for ---------------------------------------------------------------------------------------------------

slot_prospect core::prospect(slot_number slot, partition_id to) const {
  using kind = slot_prospect::kind;
  using stage = slot_state::stage;
  if (!leading_)
    return {kind::impossible, {}, "another node leads partition " + std::to_string(config_.partition.value)};
  const auto* s = slots_.find(slot);
  if (s != nullptr && s->where == stage::left)
    return {kind::elsewhere, s->peer, {}};
  if (s != nullptr &&
      (s->where == stage::leaving ? s->peer == to : s->where == stage::arriving && to == config_.partition))
    return {kind::under_way, {}, {}};
  if (s != nullptr && to == config_.partition && may_stay(*s))
    return {kind::possible, {}, {}};
  if (s != nullptr && s->where != stage::here)
    return {kind::impossible, {}, "it is on its way to another partition"};
  if (events_of(roster_, slot).empty())
    return {kind::impossible, {}, "no event of it is in partition " + std::to_string(config_.partition.value)};
  return {to == config_.partition ? kind::done : kind::possible, {}, {}};
}

void core::on(const reading&, move_slot in, outputs&) {
  if (prospect(in.slot, in.to).is != slot_prospect::kind::possible)
    return;
  propose_step(step_of(in.slot, [&](auto& step) {
    if (in.to == config_.partition)
      step.mutable_stays()->set_fenced(slots_.find(in.slot)->fenced);
    else
      step.mutable_leaves()->set_to(in.to.value);
  }));
}

void core::propose_step(std::string step) {
  proposal p;
  p.is_step = true;
  p.body = std::move(step);
  line_up(std::move(p));
}

// ---- pulled by the leader of where it goes -------------------------------------------------------------------------

void core::pull_slots(const reading& now, outputs& out) {
  std::erase_if(pulling_, [this](const auto& p) {
    const auto* s = slots_.find(p.first);
    return !leading_ || s == nullptr || s->where != slot_state::stage::arriving || s->position != p.second.position;
  });
  if (!leading_)
    return;
  for (const auto& [slot, s] : slots_.all()) {
    if (s.where != slot_state::stage::arriving)
      continue;
    auto [p, fresh] = pulling_.try_emplace(slot, pulling{s.position, now.host, false});
    if (!fresh && (p->second.proposed || p->second.asked + config_.resend > now.host))
      continue;
    p->second.asked = now.host;
    out.pulls.push_back({slot, s.peer, s.fenced, s.position});
  }
}

void core::on(const reading& now, slot_pulled in, outputs&) {
  auto p = pulling_.find(in.slot);
  if (p == pulling_.end() || p->second.position != in.position || p->second.proposed ||
      slots_.find(in.slot)->fenced != in.fenced)
    return; // late, or asked for by an earlier leader here
  if (in.step.empty()) {
    p->second.asked = now.host - config_.resend + ask_again;
    return;
  }
  p->second.proposed = true;
  propose_step(std::move(in.step));
}

// ---- executed by every replica -------------------------------------------------------------------------------------

void core::take_step(std::string_view body, log_index index, outputs& out) {
  proto::PartitionStep step;
  if (!step.ParseFromArray(body.data(), static_cast<int>(body.size())))
    return fail("a step in log entry " + std::to_string(index) +
                    " is not of this version and can not be skipped: start the version that wrote it",
                out);
  state_hash_ = hash_of(body, state_hash_);
  slot_number slot{static_cast<std::uint16_t>(step.slot())};
  switch (step.body_case()) {
  case proto::PartitionStep::kLeaves:
    return leave(slot, {step.leaves().to()}, index, out);
  case proto::PartitionStep::kArrives:
    return arrive(slot, step.arrives(), out);
  case proto::PartitionStep::kPart:
    return adopt(slot, step.part(), index, out);
  case proto::PartitionStep::kTaken:
    return let_go(slot, step.taken().fenced(), out);
  case proto::PartitionStep::kStays:
    return stay(slot, step.stays().fenced(), out);
  case proto::PartitionStep::kClaimed:
    return yield(slot, step.claimed(), index, out);
  case proto::PartitionStep::kFoundedAnew:
    return begin_anew(step.founded_anew(), index, out);
  case proto::PartitionStep::BODY_NOT_SET:
    return fail("a step in log entry " + std::to_string(index) +
                    " is of a newer version and can not be skipped: start that one",
                out);
  }
}

void core::leave(slot_number slot, partition_id to, log_index index, outputs& out) {
  auto events = events_of(roster_, slot);
  if (events.empty() || !slots_.is_here(*events.begin()) || to == config_.partition)
    return; // asked for twice
  auto event = *events.begin();
  auto fenced_at = slots_.time_of(event, last_);
  auto& s = slots_.at(slot);
  s.where = slot_state::stage::leaving;
  s.peer = to;
  s.fenced = index;
  s.fenced_at = fenced_at;
  forced_ = true; // the parts are read from it
  for (const auto& [receiver, lane] : outbox_.lanes())
    if (!lane.items.empty() && !is_planted(planted::overtakes_notes))
      s.awaits[receiver] = lane.last;
  out.left.insert(out.left.end(), events.begin(), events.end());
  if (s.awaits.empty())
    announce(slot, s);
}

/// Called off.
void core::stay(slot_number slot, log_index fenced, outputs& out) {
  auto* s = slots_.find(slot);
  if (s != nullptr && s->fenced == fenced && may_stay(*s))
    stay(slot, *s, out);
}

/// Its groups go on as if no time had passed.
void core::stay(slot_number slot, slot_state& s, outputs& out) {
  auto shift = s.fenced_at.log - last_.log;
  for (auto event : events_of(roster_, slot)) {
    deadlines_.delay_group(event, s.time_shift - shift);
    std::erase(out.left, event); // in a log executed again both come at once
  }
  s.time_shift = shift;
  s.where = slot_state::stage::here;
  s.peer = {};
  s.fenced = 0;
  s.fenced_at = {};
  s.awaits.clear();
  if (s.stays.empty())
    s.dealt = config_.partition;
  out.homes.push_back({slot, config_.partition, config_.partition});
  resume_effects(out, slot);
  publish_due_ = publish_due_ || leading_;
}

/// Notes have arrived: perhaps all that a slot which leaves had to tell.
void core::announce_slots() {
  for (auto& [slot, s] : slots_.all()) {
    if (s.awaits.empty())
      continue;
    std::erase_if(s.awaits, [this](const auto& awaited) { return outbox_.has_arrived(awaited.first, awaited.second); });
    if (s.awaits.empty())
      announce(slot, s);
  }
}

void core::announce(slot_number slot, const slot_state& s) {
  outbox_.add(s.peer, {},
              step_of(slot,
                      [&](auto& step) {
                        step.mutable_arrives()->set_from(config_.partition.value);
                        step.mutable_arrives()->set_fenced(s.fenced);
                        step.mutable_arrives()->set_moves(s.moves + 1);
                      }),
              true);
  notes_due_ = true;
}

void core::arrive(slot_number slot, const proto::SlotArrives& step, outputs& out) {
  // Where it is or leaves from it can not arrive; nobody says so but a broken peer.
  const auto* known = slots_.find(slot);
  // 0: of before they were counted.
  auto moves = step.moves() != 0 ? step.moves() : known != nullptr ? known->moves + 1 : 1;
  if (known != nullptr && (known->where != slot_state::stage::left || known->moves >= moves))
    return;
  if (auto events = events_of(roster_, slot); !events.empty())
    return;
  auto& s = slots_.at(slot);
  s = {};
  s.where = slot_state::stage::arriving;
  s.peer = {step.from()};
  s.fenced = step.fenced();
  s.moves = moves;
  if (awaits_cleaning())
    forced_ = true;
  out.homes.push_back({slot, config_.partition, config_.partition});
}

/// What a slot left behind here, when it was here before, has to be out of the store before it is here again.
bool core::awaits_cleaning() const {
  if (is_planted(planted::shows_old_pieces))
    return false;
  auto comes_back = [this](event_number event) {
    const auto* s = slots_.find(event);
    return s != nullptr && (s->where == slot_state::stage::arriving ||
                            (s->where == slot_state::stage::here && !ended_groups_.contains(event)));
  };
  return std::any_of(forgotten_.begin(), forgotten_.end(), comes_back) ||
         std::any_of(taking_forgotten_.begin(), taking_forgotten_.end(), comes_back);
}

void core::adopt(slot_number slot, const proto::SlotPart& part, log_index index, outputs& out) {
  auto* s = slots_.find(slot);
  if (s == nullptr || s->where != slot_state::stage::arriving || s->position != part.position() ||
      s->fenced != part.fenced())
    return; // two leaders brought the same, or one a part of an earlier move
  for (const auto& piece : part.pieces()) {
    auto of = decode(piece.entity());
    s->events.insert(of.event);
    entities_.adopt(of, piece.number(), piece.bytes());
  }
  s->luggage.MergeFrom(part.luggage());
  s->position = part.next();
  if (part.next().empty())
    open(slot, index, out);
}

void core::open(slot_number slot, log_index index, outputs& out) {
  auto& s = slots_.at(slot);
  auto from = s.peer;
  auto fenced = s.fenced;
  auto moves = s.moves;
  auto [notes, luggage] = std::pair{std::move(s.notes), std::move(s.luggage)};
  out.opened.push_back({slot, from, s.fenced});
  s = {};
  s.moves = moves;
  s.since = index;
  s.time_shift = log_time_from_ms(luggage.log_time_ms()) - last_.log;
  s.index_shift = luggage.index() >= index ? luggage.index() + 1 - index : 0;
  s.wall_floor = wall_time_from_ms(luggage.wall_time_ms());
  for (const auto& stay : luggage.stays())
    s.stays.push_back(decode(stay));
  for (const auto& d : luggage.deadlines())
    if (!is_planted(planted::moves_no_deadlines))
      deadlines_.set(decode(d.entity()), log_time_from_ms(d.at_ms()) - s.time_shift);
  for (const auto& e : luggage.open_effects()) {
    if (is_planted(planted::moves_no_charges))
      break;
    auto of = decode(e.entity());
    if (leading_)
      out.effects.push_back({of, e.key(), e.body()});
    open_effects_.emplace(std::make_pair(std::move(of), e.key()), e.body());
  }
  for (const auto& of : luggage.roster())
    roster_.insert(decode(of));
  for (auto event : luggage.ended_groups())
    ended_groups_.insert({event});
  s.dealt = luggage.roster().empty() ? config_.partition : config_.place({luggage.roster(0).event()});
  out.homes.push_back({slot, s.dealt, config_.partition});
  outbox_.add(from, {}, step_of(slot, [fenced](auto& step) { step.mutable_taken()->set_fenced(fenced); }), true);
  for (auto& n : notes)
    outbox_.add(config_.partition, n.to, std::move(n.body));
  notes_due_ = true;
  publish_due_ = publish_due_ || leading_;
}

void core::let_go(slot_number slot, log_index fenced, outputs& out) {
  auto* s = slots_.find(slot);
  if (s == nullptr || s->where != slot_state::stage::leaving || s->fenced != fenced)
    return; // told again, of a move before
  give_up(slot, s->peer, s->moves + 1, out);
}

void core::give_up(slot_number slot, partition_id to, std::uint32_t moves, outputs& out) {
  for (auto event : events_of(roster_, slot))
    forget(event, out);
  auto& s = slots_.at(slot);
  s = {};
  s.where = slot_state::stage::left;
  s.peer = to;
  s.moves = moves;
  out.homes.push_back({slot, config_.partition, to});
}

/// The slot is not here: who asked may ask elsewhere, and a note goes on to where it went.
void core::turn_away(const logged_command& c, outputs& out) {
  if (!c.note) {
    if (leading_ && c.from.node)
      out.refusals.push_back({c.from, errc::not_leader, slots_.home_of(c.to.event)});
    return;
  }
  entry_hash_ = hash_of(c.body, entry_hash_);
  auto* s = slots_.find(slot_of(c.to.event));
  if (s != nullptr && s->where == slot_state::stage::arriving) {
    s->notes.push_back({c.to, std::string{c.body}});
    return;
  }
  outbox_.add(s != nullptr ? s->peer : config_.place(c.to.event), c.to, std::string{c.body});
  notes_due_ = true;
}

} // namespace sluice::partition
