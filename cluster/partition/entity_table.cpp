#include "cluster/partition/entity_table.hpp"

#include "core/assert.hpp"
#include "core/planted.hpp"

#include <algorithm>
#include <utility>

namespace sluice::partition {

bool entity_table::prepare(host_time now, delivery& d, outputs& out) {
  auto known = slots_.find(d.to);
  if (known != slots_.end() && known->second.stopping)
    return false;
  auto& s = touch(now, d.to, d.activate, d.record);
  if (s.owes && !is_planted(planted::late_share))
    ask_share(d.to, s, out);
  if (!std::exchange(s.dirty, true))
    dirty_.push_back(d.to);
  return true;
}

bool entity_table::prepare(host_time now, const entity_ref& of, activation& activate, kept_pieces& record) {
  auto known = slots_.find(of);
  if (known != slots_.end() && known->second.stopping)
    return false;
  touch(now, of, activate, record);
  return true;
}

void entity_table::passivate_idle(host_time now, std::size_t most, outputs& out,
                                  std::optional<std::chrono::seconds> idle_session) {
  passivate_idle_shared(now, most, out);
  for (; most > 0 && !recent_.empty(); --most) {
    auto& of = recent_.front();
    auto& s = slots_.at(of);
    if (s.used + idle_session.value_or(limits_.idle) > now && recent_.size() <= limits_.active_sessions_max)
      return;
    if (s.owes)
      ask_share(of, s, out);
    stop(of, s, out);
  }
}

/// Only what a checkpoint in force carries wholly: nothing of these is kept in memory.
void entity_table::passivate_idle_shared(host_time now, std::size_t most, outputs& out) {
  if (checkpoint_ != 0)
    return;
  for (auto at = shared_.begin(); most > 0 && at != shared_.end(); --most) {
    auto& of = *at++;
    auto& s = slots_.at(of);
    if (s.used + limits_.shared_idle > now)
      return;
    if (!s.dirty)
      stop(of, s, out);
  }
}

void entity_table::stop(const entity_ref& of, slot& s, outputs& out) {
  s.stopping = true;
  out.saves.push_back({of, 0, true});
  recent_of(of).erase(s.recent); // and `of` with it
}

std::list<entity_ref>& entity_table::recent_of(const entity_ref& of) {
  return of.kind == entity_kind::session ? recent_ : shared_;
}

void entity_table::begin_checkpoint(std::uint64_t number, outputs& out) {
  SLUICE_ASSERT(checkpoint_ == 0, "a checkpoint began while another was in progress");
  checkpoint_ = number;
  for (auto& of : std::exchange(dirty_, {})) {
    auto known = slots_.find(of);
    if (known == slots_.end() || !known->second.dirty)
      continue;
    auto& s = known->second;
    s.dirty = false;
    if (s.active) {
      s.owes = true;
      if (s.stopping)
        ++asked_; // its last record, under way, is its share
      else
        owed_.push_back(std::move(of));
      continue;
    }
    if (!is_planted(planted::drops_dirty))
      hand_in_record(of, s, out);
  }
}

void entity_table::hand_in_record(const entity_ref& of, const slot& s, outputs& out) {
  checkpoint_pieces pieces{checkpoint_, of, {}};
  for (const auto& [number, bytes] : s.record)
    pieces.pieces.push_back({number, [bytes = bytes] { return *bytes; }});
  if (s.record.empty())
    pieces.pieces.push_back({0, {}});
  out.pieces.push_back(std::move(pieces));
  // The record stays until the checkpoint is in force, since the store does not show it before.
  kept_.push_back(of);
}

void entity_table::collect(std::size_t most, outputs& out) {
  while (asked_ < most && !owed_.empty()) {
    auto known = slots_.find(owed_.back());
    if (known != slots_.end() && known->second.owes)
      ask_share(known->first, known->second, out);
    owed_.pop_back();
  }
}

void entity_table::checkpoint_in_force() {
  checkpoint_ = 0;
  for (const auto& of : std::exchange(kept_, {})) {
    auto known = slots_.find(of);
    if (known == slots_.end() || known->second.active || known->second.dirty)
      continue;
    slots_.erase(known);
  }
}

void entity_table::accept(saved s, outputs& out) {
  auto known = slots_.find(s.of);
  if (s.checkpoint != 0) {
    if (s.checkpoint != checkpoint_)
      return;
    --asked_;
    if (!s.pieces.empty())
      out.pieces.push_back({s.checkpoint, s.of, std::move(s.pieces)});
    return;
  }
  if (s.passivated && orphans_.erase(s.of) != 0) {
    --asked_;
    if (s.pieces.empty())
      s.pieces.push_back({0, {}}); // it holds nothing
    out.pieces.push_back({checkpoint_, s.of, std::move(s.pieces)});
    return;
  }
  if (!s.passivated || known == slots_.end() || !known->second.stopping)
    return;
  auto& slot = known->second;
  slot.active = slot.stopping = false;
  --active_;
  if (s.of.kind != entity_kind::session) {
    SLUICE_ASSERT(!slot.dirty && !slot.owes, "a shared entity was passivated with changes");
    slots_.erase(known);
    return;
  }
  slot.how = activation::kept;
  slot.record.clear();
  for (auto& piece : s.pieces) {
    SLUICE_ASSERT(piece.number == 0, "a session has one piece");
    if (piece.bytes)
      slot.record.emplace_back(0, std::make_shared<const std::string>(piece.bytes()));
  }
  if (std::exchange(slot.owes, false)) {
    --asked_;
    hand_in_record(s.of, slot, out);
    return;
  }
  if (slot.dirty)
    return;
  // Unchanged since the last cut. If that cut is not in force yet, the store still shows what was before it.
  if (checkpoint_ != 0)
    kept_.push_back(s.of);
  else
    slots_.erase(known);
}

void entity_table::forget(event_number event, outputs& out) {
  for (auto at = slots_.begin(); at != slots_.end();) {
    if (at->first.event != event) {
      ++at;
      continue;
    }
    auto& s = at->second;
    if (s.stopping && s.owes) // replay from the cut may need it until the group's end (found by simulation)
      orphans_.insert(at->first);
    else if (s.owes)
      ask_share(at->first, s, out);
    if (s.active) {
      --active_;
      if (!s.stopping)
        recent_of(at->first).erase(s.recent);
    }
    at = slots_.erase(at);
  }
}

/// What the checkpoint in force shows of it stays under what is adopted: a long line comes in many parts, and checkpoints
/// are taken between them.
void entity_table::adopt(const entity_ref& of, std::uint32_t piece, std::string bytes) {
  auto& s = slots_[of];
  SLUICE_ASSERT(!s.active, "an active entity was adopted");
  s.how = activation::adopted;
  s.record.emplace_back(piece, std::make_shared<const std::string>(std::move(bytes)));
  if (!is_planted(planted::keeps_no_pieces) && !std::exchange(s.dirty, true))
    dirty_.push_back(of);
}

bool entity_table::is_active(const entity_ref& of) const {
  auto known = slots_.find(of);
  return known != slots_.end() && known->second.active && !known->second.stopping;
}

entity_table::slot& entity_table::touch(host_time now, const entity_ref& of, activation& activate,
                                        kept_pieces& record) {
  auto& s = slots_[of];
  auto& recent = recent_of(of);
  if (s.active) {
    activate = activation::none;
    recent.splice(recent.end(), recent, s.recent);
  } else {
    activate = std::exchange(s.how, activation::fresh);
    record = std::exchange(s.record, {});
    s.active = true;
    ++active_;
    s.recent = recent.insert(recent.end(), of);
  }
  s.used = now;
  return s;
}

void entity_table::ask_share(const entity_ref& of, slot& s, outputs& out) {
  s.owes = false;
  ++asked_;
  out.saves.push_back({of, checkpoint_, false});
}

} // namespace sluice::partition
