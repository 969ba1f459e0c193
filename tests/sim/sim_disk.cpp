#include "sim_disk.hpp"

#include "core/assert.hpp"
#include "core/planted.hpp"
#include "sluice/log_entry.pb.h"

namespace sluice::simulation {

namespace {

constexpr std::string_view name_of(storage_call call) {
  constexpr std::string_view names[] = {"a log write", "a commit",   "a feed record", "checkpoint pieces",
                                        "a flush",     "a clean-up", "a load"};
  return names[static_cast<std::size_t>(call)];
}

/// A copy: later changes do not show.
struct held_image final : storage::checkpoint_image {
  explicit held_image(storage::checkpoint_record r) : of{std::move(r)} {}

  const storage::checkpoint_record& record() const override { return of; }

  void scan_pieces(const place* after, const piece_visitor& visit) const override {
    auto at = after ? pieces.upper_bound({after->of, after->number}) : pieces.begin();
    while (at != pieces.end() && visit(at->first.first, at->first.second, at->second))
      ++at;
  }

  void scan_feed(log_index after, const feed_visitor& visit) const override {
    auto at = feed.upper_bound(after);
    while (at != feed.end() && visit(at->first, at->second))
      ++at;
  }

  storage::checkpoint_record of;
  std::map<std::pair<entity_ref, std::uint32_t>, std::string> pieces;
  std::map<log_index, std::string> feed;
};

} // namespace

bool sim_disk::power_goes(storage_call call, bool before) {
  if (dead_ || !run_.stormy)
    return dead_;
  bool writes = call != storage_call::load && call != storage_call::clean;
  if (before && writes && run_.time.now() < full_until_) {
    ++run_.counts[fault::full_disk];
    run_.say("the disk is full");
    return dead_ = true;
  }
  // The rare calls matter most.
  auto odds = run_.settings.power_cut;
  if (call == storage_call::commit || call == storage_call::flush || call == storage_call::pieces)
    odds *= 4;
  if (call == storage_call::load || call == storage_call::feed)
    odds /= 8;
  if (!run_.dice.millionth(odds))
    return false;
  dead_ = true;
  ++run_.counts[fault::power_cut];
  if (run_.telling())
    run_.say("power cut " + std::string{before ? "before " : "after "} + std::string{name_of(call)});
  return true;
}

sim_disk::sequence sim_disk::kept_up_to() {
  auto unflushed = last_ - flushed_;
  if (unflushed == 0 || run_.settings.unsynced_kept >= 1'000)
    return last_;
  return run_.dice.permille(run_.settings.unsynced_kept) ? flushed_ + run_.dice.below(unflushed + 1) : flushed_;
}

void sim_disk::power_on() {
  dead_ = false;
  auto kept = kept_up_to();
  run_.counts[fault::lost_unsynced] += last_ - kept;
  for (auto& [partition, s] : shelves_) {
    for (auto& [entity, numbers] : s.pieces)
      for (auto& [number, all] : numbers) {
        std::erase_if(all, [&](const auto& v) {
          return v.second.put_at > kept || (v.second.cleaned_at != 0 && v.second.cleaned_at <= kept);
        });
        for (auto& [version, held] : all)
          held.cleaned_at = 0;
      }
    std::erase_if(s.feed, [&](const auto& record) { return record.second.put_at > kept; });
  }
  flushed_ = last_ = kept;
}

void sim_disk::write(const std::vector<storage::log_batch>& batches) {
  auto call = storage_call::write;
  for (const auto& b : batches)
    if (b.checkpoint || b.install)
      call = storage_call::commit;
  if (power_goes(call, true))
    return;
  for (const auto& b : batches) {
    apply(shelves_[b.partition], b);
    if (!run_.telling())
      continue;
    auto in_force = [&](std::string_view what, const storage::checkpoint_record& c) {
      run_.say("disk: partition " + std::to_string(b.partition.value) + std::string{what} + std::to_string(c.number) +
               " at index " + std::to_string(c.index) + " is in force");
    };
    if (b.install)
      in_force(" fetched checkpoint ", b.install->checkpoint);
    if (b.checkpoint)
      in_force(" checkpoint ", *b.checkpoint);
  }
  ++figures_.syncs;
  figures_.batches += batches.size();
  power_goes(call, false);
}

void sim_disk::apply(shelf& s, const storage::log_batch& b) {
  if (b.vote)
    s.vote = b.vote;
  if (b.vote && b.vote->rejoining)
    lost_.erase(b.partition);
  if (b.install)
    s.install(b.install->checkpoint);
  if (b.truncate_from) {
    s.log.erase(s.log.lower_bound(*b.truncate_from), s.log.end());
    s.corrupt.erase(s.corrupt.lower_bound(*b.truncate_from), s.corrupt.end());
  }
  for (const auto& e : b.append)
    s.log[e.index] = e;
  if (b.drop_below) {
    s.log.erase(s.log.begin(), s.log.lower_bound(*b.drop_below));
    s.corrupt.erase(s.corrupt.begin(), s.corrupt.lower_bound(*b.drop_below));
  }
  if (b.checkpoint_attempt)
    s.attempts = *b.checkpoint_attempt;
  if (!b.checkpoint)
    return;
  for (auto event : b.forgotten)
    std::erase_if(s.pieces, [&](const auto& entity) { return entity.first.event == event; });
  SLUICE_ASSERT(!s.numbers.dead(b.checkpoint->number),
                "storage: checkpoint " + std::to_string(b.checkpoint->number) + " was given up");
  s.numbers.commit(b.checkpoint->number);
  s.checkpoint = b.checkpoint;
}

void sim_disk::shelf::install(const storage::checkpoint_record& c) {
  log.clear();
  corrupt.clear();
  feed.erase(feed.upper_bound(c.index), feed.end());
  if (is_planted(planted::keeps_old_pieces))
    numbers.commit(c.number);
  else
    numbers.install(c.number);
  checkpoint = c;
}

void sim_disk::lose_all(partition_id partition) {
  shelves_.erase(partition);
  lost_.insert(partition);
}

void sim_disk::lose_tail(partition_id partition) {
  auto& s = shelves_[partition];
  auto kept = s.checkpoint ? s.checkpoint->index : 0;
  auto last = s.log.empty() ? kept : std::max(kept, s.log.rbegin()->first);
  s.log.erase(s.log.upper_bound(kept + run_.dice.below(last - kept + 1)), s.log.end());
  lost_.insert(partition);
}

bool sim_disk::corrupt_tail(partition_id partition) {
  auto& s = shelves_[partition];
  auto kept = s.checkpoint ? s.checkpoint->index : 0;
  if (s.log.empty() || s.log.rbegin()->first <= kept)
    return false;
  s.corrupt.insert(kept + 1 + run_.dice.below(s.log.rbegin()->first - kept));
  return true;
}

bool sim_disk::flip_state(partition_id partition) {
  auto& s = shelves_[partition];
  proto::PartitionRecord record;
  if (!s.checkpoint || !record.ParseFromString(s.checkpoint->record) || s.checkpoint->index == 0)
    return false;
  record.set_state_hash(record.state_hash() ^ 1);
  s.checkpoint->record = record.SerializeAsString();
  return true;
}

std::vector<partition_id> sim_disk::partitions() const {
  std::vector<partition_id> all;
  for (const auto& [partition, s] : shelves_)
    all.push_back(partition);
  return all;
}

void sim_disk::append_feed(partition_id partition, log_index index, std::string_view record) {
  if (power_goes(storage_call::feed, true))
    return;
  auto& known = shelves_[partition].feed[index];
  if (known.bytes != record)
    known = {std::string{record}, ++last_};
  power_goes(storage_call::feed, false);
}

void sim_disk::put_feed(partition_id partition, const std::vector<storage::feed_write>& records) {
  if (is_planted(planted::fetches_no_feed))
    return;
  for (const auto& r : records)
    append_feed(partition, r.index, r.record);
}

void sim_disk::put_pieces(partition_id partition, std::uint64_t checkpoint,
                          const std::vector<storage::piece_write>& pieces) {
  if (power_goes(storage_call::pieces, true))
    return;
  auto& s = shelves_[partition];
  if (s.numbers.dead(checkpoint))
    return;
  ++last_;
  for (const auto& p : pieces) {
    s.pieces[p.of][p.number][checkpoint] = {p.bytes, last_, 0};
    if (run_.telling())
      run_.say("disk: piece " + std::to_string(p.number) + " of " + to_string(p.of) + " for checkpoint " +
               std::to_string(checkpoint) + (p.bytes ? "" : ": gone"));
  }
  power_goes(storage_call::pieces, false);
}

void sim_disk::flush() {
  if (power_goes(storage_call::flush, true))
    return;
  flushed_ = last_;
  power_goes(storage_call::flush, false);
}

void sim_disk::clean(partition_id partition, const std::vector<std::pair<entity_ref, std::uint32_t>>& pieces) {
  if (power_goes(storage_call::clean, true))
    return;
  auto& s = shelves_[partition];
  ++last_;
  for (const auto& [of, number] : pieces) {
    auto entity = s.pieces.find(of);
    if (entity == s.pieces.end() || !entity->second.contains(number) || !s.checkpoint)
      continue;
    sweep_piece(s.numbers, entity->second[number]);
  }
  power_goes(storage_call::clean, false);
}

void sim_disk::abandon(partition_id partition, std::uint64_t checkpoint) {
  auto& s = shelves_[partition];
  if (!dead_ && checkpoint > s.numbers.in_force)
    s.numbers.aborted.insert(checkpoint);
}

std::string sim_disk::sweep(partition_id partition, std::string_view) {
  if (power_goes(storage_call::clean, true))
    return {};
  auto& s = shelves_[partition];
  ++last_;
  for (auto& [entity, numbers] : s.pieces)
    for (auto& [number, all] : numbers)
      sweep_piece(s.numbers, all);
  power_goes(storage_call::clean, false);
  return {};
}

void sim_disk::sweep_piece(const storage::piece_versions& numbers, versions& all) {
  std::erase_if(all, [&](const auto& v) { return v.second.cleaned_at != 0 && v.second.cleaned_at <= flushed_; });
  bool newest_seen = false;
  for (auto& [version, held] : all) {
    if (version > numbers.in_force && !numbers.dead(version))
      continue; // still being written
    bool newest = !newest_seen && numbers.visible(version);
    newest_seen = newest_seen || newest;
    if (!newest || !held.bytes)
      held.cleaned_at = last_;
  }
}

std::unique_ptr<const storage::checkpoint_image> sim_disk::pin(partition_id partition, std::uint64_t number) {
  auto& s = shelves_[partition];
  if (!s.checkpoint || s.checkpoint->number != number || s.checkpoint->index == 0)
    return nullptr;
  auto image = std::make_unique<held_image>(*s.checkpoint);
  for (const auto& [of, numbers] : s.pieces)
    for (auto& [piece, bytes] : peek(partition, of))
      image->pieces.emplace(std::make_pair(of, piece), std::move(bytes));
  for (const auto& [index, record] : s.feed)
    if (index <= s.checkpoint->index)
      image->feed.emplace(index, record.bytes);
  return image;
}

storage::recovered sim_disk::recover(partition_id partition) {
  storage::recovered found;
  auto& s = shelves_[partition];
  // No attempt survives the process that made it; what came after the last durable one never was.
  s.numbers.aborted.erase(s.numbers.aborted.upper_bound(s.attempts), s.numbers.aborted.end());
  for (auto number = s.numbers.in_force + 1; number <= s.attempts; ++number)
    s.numbers.aborted.insert(number);
  found.vote = s.vote;
  found.attempts = s.attempts;
  if (s.checkpoint && s.checkpoint->index > 0)
    found.checkpoint = s.checkpoint;
  auto expected = found.checkpoint ? found.checkpoint->index + 1 : 1;
  for (auto at = s.log.lower_bound(expected); at != s.log.end(); ++at, ++expected) {
    if (at->first != expected || s.corrupt.contains(expected)) {
      found.damage = "log entry " + std::to_string(expected) + (at->first != expected ? " is missing" : " is damaged");
      break;
    }
    found.log.push_back(at->second);
  }
  return found;
}

log_index sim_disk::checkpoint_index(partition_id partition) const {
  auto known = shelves_.find(partition);
  return known != shelves_.end() && known->second.checkpoint ? known->second.checkpoint->index : 0;
}

loaded_pieces sim_disk::load(partition_id partition, const entity_ref& of) {
  if (power_goes(storage_call::load, true))
    return {};
  return peek(partition, of);
}

loaded_pieces sim_disk::peek(partition_id partition, const entity_ref& of) const {
  loaded_pieces pieces;
  auto known = shelves_.find(partition);
  if (known == shelves_.end())
    return pieces;
  const auto& s = known->second;
  auto entity = s.pieces.find(of);
  if (entity == s.pieces.end())
    return pieces;
  for (const auto& [number, all] : entity->second)
    for (const auto& [version, held] : all) {
      if (!s.numbers.visible(version) || held.cleaned_at != 0)
        continue;
      if (held.bytes)
        pieces.emplace_back(number, *held.bytes);
      break;
    }
  return pieces;
}

std::vector<entity_ref> sim_disk::stored_entities(partition_id partition) const {
  std::vector<entity_ref> all;
  auto known = shelves_.find(partition);
  if (known != shelves_.end())
    for (const auto& [of, numbers] : known->second.pieces)
      all.push_back(of);
  return all;
}

std::vector<storage::stored_entry> sim_disk::read_log(partition_id partition, log_index first, log_index last,
                                                      std::size_t max_bytes) {
  std::vector<storage::stored_entry> entries;
  std::size_t bytes = 0;
  auto& log = shelves_[partition].log;
  for (auto at = log.lower_bound(first); at != log.end() && at->first <= last; ++at) {
    if (at->first != first + entries.size())
      return {};
    if (!entries.empty() && bytes >= max_bytes)
      break;
    bytes += at->second.payload ? at->second.payload->size() : 0;
    entries.push_back(at->second);
  }
  return entries;
}

void sim_disk::scan_feed(partition_id partition, log_index after,
                         const std::function<bool(log_index, std::string_view)>& visit) {
  auto& feed = shelves_[partition].feed;
  for (auto at = feed.upper_bound(after); at != feed.end(); ++at)
    if (!visit(at->first, at->second.bytes))
      return;
}

std::optional<std::string> sim_disk::get_fact(std::string_view name) {
  auto known = facts_.find(name);
  return known == facts_.end() ? std::nullopt : std::make_optional(known->second);
}

void sim_disk::put_fact(std::string_view name, std::string_view value) {
  if (!dead_)
    facts_[std::string{name}] = value;
}

} // namespace sluice::simulation
