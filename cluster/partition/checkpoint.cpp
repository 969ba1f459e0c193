// A checkpoint is a cut between two entries, written ahead under its own number and put in force by one write.
#include "cluster/partition/core.hpp"

#include "cluster/partition/wire.hpp"
#include "core/planted.hpp"

#include <algorithm>
#include <utility>

namespace sluice::partition {

void core::maybe_begin_checkpoint(const reading&, outputs& out) {
  if (taking_ != 0 || fetching_ != 0 || fetch_wanted_ || applied_ == checkpoint_index_)
    return;
  // What may be wrong is neither kept nor given away. Where nothing can go on without, it is kept: it is found out later, or it
  // never would be, since who stands still hears nothing new (found by simulation).
  if (hashes_.disputed() && !awaits_cleaning())
    return;
  if (!forced_ && log_bytes_ < config_.checkpoint_log_bytes &&
      applied_ - checkpoint_index_ < config_.checkpoint_entries)
    return;
  forced_ = ended_ = false;
  log_bytes_ = 0;
  taking_ = ++attempts_;
  taking_index_ = applied_;
  taking_record_ = encode_record();
  // Only groups that ended before the cut: replay from here may still need the records of one that ends later.
  taking_forgotten_ = std::exchange(forgotten_, {});
  taking_ref_ = {applied_, applied_term_, raft_.members_at(applied_), manifest_of(taking_)};
  out.begins.push_back({taking_, taking_index_});
  entities_.begin_checkpoint(taking_, out);
}

void core::drive_checkpoint(const reading&, outputs& out) {
  if (taking_ == 0 || ended_)
    return;
  entities_.collect(config_.collect_per_turn, out);
  if (!entities_.checkpoint_complete())
    return;
  ended_ = true;
  out.ends.push_back({taking_});
}

void core::on(const reading& now, checkpoint_flushed in, outputs& out) {
  if (in.checkpoint != taking_ || !ended_ || committing_)
    return;
  committing_ = true;
  auto before = out.writes.size();
  auto kept = keep_from(); // looks at thousands of entries
  consult(now, raft::snapshot_taken{taking_ref_, kept}, out);
  if (failed_)
    return;
  if (out.writes.size() == before)
    out.writes.emplace_back();
  while (!log_sizes_.empty() && log_sizes_.front().first < kept)
    log_sizes_.pop_front();
  out.writes[before].commit = {
      taking_, taking_index_, taking_ref_.term, std::move(taking_record_), taking_ref_.members, taking_forgotten_};
}

void core::on(const reading&, checkpoint_committed in, outputs& out) {
  if (!committing_ || in.checkpoint != taking_)
    return;
  committing_ = false;
  checkpoint_ = taking_;
  checkpoint_index_ = taking_index_;
  checkpoint_term_ = taking_ref_.term;
  taking_ = 0;
  taking_forgotten_.clear();
  entities_.checkpoint_in_force();
  if (auto wanted = std::exchange(fetch_wanted_, std::nullopt))
    begin_fetch(*wanted, out);
}

/// How much of the log stays behind the checkpoint: bounded by entries and by bytes.
log_index core::keep_from() const {
  auto from = taking_index_ + 1;
  std::size_t bytes = 0;
  log_index kept = 0;
  for (auto at = log_sizes_.rbegin(); at != log_sizes_.rend(); ++at) {
    if (at->first > taking_index_)
      continue;
    bytes += at->second + 64;
    if (bytes > config_.kept_bytes || ++kept > config_.kept_entries)
      break;
    from = at->first;
  }
  return from;
}

std::string core::encode_record() const {
  proto::PartitionRecord p;
  p.set_index(applied_);
  p.set_term(applied_term_);
  p.set_log_time_ms(to_ms(last_.log));
  p.set_wall_time_ms(to_ms(last_.wall));
  p.set_state_hash(state_hash_);
  for (const auto& [entity, at] : deadlines_.all()) {
    if (is_planted(planted::forgets_deadlines))
      break;
    auto& d = *p.add_deadlines();
    encode(entity, *d.mutable_entity());
    d.set_at_ms(to_ms(at));
  }
  for (const auto& [key, body] : open_effects_) {
    if (is_planted(planted::forgets_effects))
      break;
    auto& e = *p.add_open_effects();
    encode(key.first, *e.mutable_entity());
    e.set_key(key.second);
    e.set_body(body);
  }
  for (const auto& [to, lane] : outbox_.lanes()) {
    (*p.mutable_outbox_sequences())[to.value] = lane.last;
    for (const auto& item : lane.items) {
      auto& i = *p.add_outbox();
      i.set_sequence(item.sequence);
      encode(item.to, *i.mutable_to());
      i.set_to_partition(to.value);
      i.set_body(item.body);
      i.set_is_step(item.is_step);
    }
  }
  for (const auto& [from, sequence] : inbox_.all()) {
    auto& i = *p.add_inbox();
    i.set_partition(from.value);
    i.set_sequence(sequence);
  }
  for (const auto& entity : roster_)
    encode(entity, *p.add_roster());
  for (auto event : ended_groups_)
    p.add_ended_groups(event.value);
  slots_.save(p);
  if (founding_ > 1)
    p.set_founding(founding_);
  return p.SerializeAsString();
}

bool core::restore_record(const std::string& record) {
  proto::PartitionRecord p;
  if (!p.ParseFromString(record))
    return false;
  applied_ = p.index();
  applied_term_ = p.term();
  last_ = {log_time_from_ms(p.log_time_ms()), wall_time_from_ms(p.wall_time_ms())};
  state_hash_ = p.state_hash();
  for (const auto& d : p.deadlines())
    deadlines_.set(decode(d.entity()), log_time_from_ms(d.at_ms()));
  for (const auto& e : p.open_effects())
    open_effects_.emplace(std::make_pair(decode(e.entity()), e.key()), e.body());
  founding_ = std::max<std::uint32_t>(p.founding(), 1);
  outbox_.restore(founding_);
  for (const auto& [to, last] : p.outbox_sequences())
    outbox_.restore({to}, last);
  for (const auto& i : p.outbox())
    outbox_.restore({i.to_partition()}, {i.sequence(), decode(i.to()), i.body(), i.is_step()});
  for (const auto& i : p.inbox())
    inbox_.restore({i.partition()}, i.sequence());
  for (const auto& entity : p.roster())
    roster_.insert(decode(entity));
  for (auto event : p.ended_groups())
    ended_groups_.insert({event});
  slots_.restore(p);
  return true;
}

} // namespace sluice::partition
