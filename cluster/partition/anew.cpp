// A cluster begins anew with what a single node, or a backup, has of each partition. Replicas of different partitions
// end at different moments: what one remembers of its notes to another may be newer or older than what the other has,
// and a slot that moved in between may be in both.
#include "cluster/partition/core.hpp"

#include "cluster/partition/wire.hpp"

#include <algorithm>
#include <utility>

namespace sluice::partition {

void core::propose_founding() {
  proto::PartitionStep step;
  step.mutable_founded_anew()->set_founding(config_.founding);
  for (auto partition : config_.lost)
    step.mutable_founded_anew()->add_lost(partition.value);
  propose_step(step.SerializeAsString());
}

/// The first step of every partition's first leader: nothing is sent or claimed by what was before.
void core::begin_anew(const proto::FoundedAnew& step, log_index index, outputs& out) {
  if (step.founding() <= founding_)
    return; // proposed twice
  founding_ = step.founding();
  std::set<partition_id> lost;
  for (auto partition : step.lost()) {
    lost.insert({partition});
    outbox_.drop_steps({partition}); // slots do not go there any more
  }
  outbox_.begin_anew(founding_);
  for (auto& [slot, s] : slots_.all())
    begin_anew(slot, s, lost, index, out);
  announce_slots(); // what was awaited may have been dropped
  if (awaits_cleaning())
    forced_ = true;
  notes_due_ = true;
}

void core::begin_anew(slot_number slot, slot_state& s, const std::set<partition_id>& lost, log_index index,
                      outputs& out) {
  using stage = slot_state::stage;
  auto peer = s.peer;
  switch (s.where) {
  case stage::here:
    return claim(slot, s, {}, config_.partition); // where it was before may have forgotten that it left
  case stage::leaving:
    if (lost.contains(peer)) {
      stay(slot, s, out);
      ++s.moves; // as it would have had there
      return claim(slot, s, {peer}, config_.partition);
    }
    for (auto& [receiver, last] : s.awaits)
      last = outbox_.lanes().at(receiver).last;
    if (s.awaits.empty())
      announce(slot, s);
    return;
  case stage::arriving:
    if (lost.contains(peer)) {
      begin_empty(slot, s, index, out);
      return claim(slot, s, {peer}, config_.partition);
    }
    return pass_on(slot, s, peer, s.moves == 0 ? 0 : s.moves - 1, out); // it comes again from the beginning
  case stage::left:
    return claim(slot, s, {peer}, peer); // which may have forgotten that it came, or all it had
  }
}

/// It does not come after all: what came is let go, and notes that wait for it follow it.
void core::pass_on(slot_number slot, slot_state& s, partition_id to, std::uint32_t moves, outputs& out) {
  auto notes = std::move(s.notes);
  for (auto event : s.events)
    forget(event, out);
  give_up(slot, to, moves, out);
  for (auto& n : notes)
    outbox_.add(to, n.to, std::move(n.body));
  notes_due_ = true;
}

/// Nothing is left of it.
void core::begin_empty(slot_number slot, slot_state& s, log_index index, outputs& out) {
  auto [notes, moves] = std::pair{std::move(s.notes), s.moves};
  for (auto event : s.events)
    forget(event, out);
  s = {};
  s.moves = moves;
  s.dealt = config_.partition;
  s.since = index;
  for (auto& n : notes)
    outbox_.add(config_.partition, n.to, std::move(n.body));
  out.homes.push_back({slot, config_.partition, config_.partition});
}

/// Tells those it was with, and these, whose it is.
void core::claim(slot_number slot, const slot_state& s, std::set<partition_id> others, partition_id by) {
  for (const auto& stay : s.stays)
    others.insert(stay.partition);
  others.erase(config_.partition);
  proto::PartitionStep step;
  step.set_slot(slot.value);
  step.mutable_claimed()->set_by(by.value);
  step.mutable_claimed()->set_moves(s.moves);
  for (auto partition : others)
    outbox_.add(partition, {}, step.SerializeAsString(), true);
}

/// A note about one whose it is, perhaps this. Who knows of more moves is right.
void core::yield(slot_number slot, const proto::SlotClaimed& step, log_index index, outputs& out) {
  using stage = slot_state::stage;
  auto* s = slots_.find(slot);
  bool is_ours = step.by() == config_.partition.value;
  if (s != nullptr && (s->moves >= step.moves() || (is_ours && s->where == stage::arriving)))
    return;
  if (s != nullptr && s->where == stage::arriving)
    return pass_on(slot, *s, {step.by()}, step.moves(), out);
  if (!is_ours)
    return give_up(slot, {step.by()}, step.moves(), out);
  // It came, and that is forgotten here. What is here of an earlier stay is all there is.
  auto& own = slots_.at(slot);
  if (own.where == stage::leaving)
    stay(slot, own, out);
  else if (own.where == stage::left)
    begin_empty(slot, own, index, out);
  own.moves = step.moves();
  own.dealt = config_.partition;
  if (awaits_cleaning())
    forced_ = true;
}

} // namespace sluice::partition
