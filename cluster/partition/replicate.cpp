// What a replica does beside its log: take over another's checkpoint, and compare its state with the others'.
#include "cluster/partition/core.hpp"

#include "cluster/partition/wire.hpp"

#include <charconv>
#include <utility>

namespace sluice::partition {

std::shared_ptr<const std::string> manifest_of(std::uint64_t checkpoint) {
  return std::make_shared<const std::string>(std::to_string(checkpoint));
}

std::uint64_t checkpoint_in(const raft::snapshot_ref& ref) {
  std::uint64_t number = 0;
  if (ref.manifest)
    std::from_chars(ref.manifest->data(), ref.manifest->data() + ref.manifest->size(), number);
  return number;
}

// ---- another's checkpoint ----------------------------------------------------------------------------------------------

/// Fetched pieces are written like those of an own checkpoint: under a number that was never used and is durable first.
void core::begin_fetch(const raft::fetch_snapshot& wanted, outputs& out) {
  to_install_.reset();
  // What an own checkpoint removes of a group, it removes of every version: what is fetched comes behind it (found by simulation).
  if (taking_ != 0 && !committing_ && !taking_forgotten_.empty()) {
    fetch_wanted_ = wanted;
    fetching_ = 0;
    return;
  }
  fetch_wanted_.reset();
  fetching_ = ++attempts_;
  out.begins.push_back({fetching_, wanted.ref.index});
  out.fetches.push_back({wanted.from, wanted.ref, fetching_});
}

void core::on(const reading& now, fetched in, outputs& out) {
  if (in.checkpoint != fetching_)
    return; // given up meanwhile
  if (in.ok) {
    to_install_ = std::move(in); // between two entries: no entity is in the middle of something then
    return;
  }
  fetching_ = 0;
  consult(now, raft::snapshot_fetched{std::move(in.ref), false}, out);
}

/// Takes the checkpoint's state in place of the own, if consensus still wants it.
void core::install(const reading& now, outputs& out) {
  auto in = std::move(*to_install_);
  to_install_.reset();
  fetching_ = 0;
  auto before = out.writes.size();
  consult(now, raft::snapshot_fetched{in.ref, true}, out);
  if (failed_)
    return;
  for (auto i = before; i < out.writes.size(); ++i) {
    auto& w = out.writes[i];
    if (!w.what.install)
      continue;
    start_over();
    if (!restore_record(in.record))
      return fail("the partition's own piece of a fetched checkpoint does not parse", out);
    if (applied_ != in.ref.index)
      return fail("a fetched checkpoint is of index " + std::to_string(applied_) + ", not " +
                      std::to_string(in.ref.index),
                  out);
    checkpoint_ = in.checkpoint;
    checkpoint_index_ = committed_to_ = applied_;
    checkpoint_term_ = in.ref.term;
    w.installed = {in.checkpoint, applied_, in.ref.term, std::move(in.record), in.ref.members, {}};
    out.reset = true;
    out.homes = slots_.homes();
    return;
  }
}

/// Between two entries only, and with nothing of it on its way to the disk.
void core::on(const reading& now, vacate in, outputs& out) {
  if (leading_ || step_.running() || taking_ != 0 || fetching_ != 0 || fetch_wanted_)
    return;
  auto before = out.writes.size();
  consult(now, in.what, out);
  if (failed_ || out.writes.size() == before)
    return;
  start_over();
  out.begins.push_back({++attempts_, 0});
  out.writes.back().installed = {attempts_, 0, 0, {}, {}, {}};
  out.reset = true;
}

/// As in a new process, but for what the host and consensus know of us.
void core::start_over() {
  applied_ = committed_to_ = checkpoint_index_ = 0;
  applied_term_ = checkpoint_term_ = 0;
  checkpoint_ = state_hash_ = 0;
  last_ = {};
  committed_.clear();
  step_ = superstep{};
  parked_.clear();
  entities_ = entity_table{config_.entities};
  deadlines_ = deadline_index{};
  open_effects_.clear();
  outbox_ = outbox{};
  inbox_ = inbox{};
  roster_.clear();
  ended_groups_.clear();
  founding_ = 1;
  slots_ = slot_table{config_.partition, config_.place};
  pulling_.clear();
  notes_seen_.clear();
  forgotten_.clear();
  fetch_wanted_.reset();
  taking_ = 0; // an own checkpoint in progress is overtaken; its pieces stay out of sight
  ended_ = committing_ = false;
  taking_forgotten_.clear();
  log_bytes_ = 0;
  log_sizes_.clear();
  publish_due_ = false;
  publish_asleep_.clear();
  publish_woken_.reset();
  hashes_.forget(config_.consensus.self);
}

// ---- equal state at equal index ----------------------------------------------------------------------------------------

void core::note_hash(outputs& out) {
  if (applied_ % config_.compare_entries != 0)
    return;
  hashes_.note(config_.consensus.self, applied_, state_hash_);
  if (raft_.members().voters.contains(config_.consensus.self) && !raft_.status().rejoining)
    out.hashes.push_back({applied_, state_hash_});
  compare_hashes(out);
}

void core::on(const reading&, compare_state in, outputs& out) {
  hashes_.note(in.from, in.index, in.hash);
  compare_hashes(out);
}

void core::compare_hashes(outputs& out) {
  auto found = hashes_.judge(config_.consensus.self, raft_.members().voters, applied_);
  if (found.what == state_hashes::verdict::agreed)
    return;
  auto differs = "the state after entry " + std::to_string(found.index) + " is " + std::to_string(found.ours) +
                 " here and " + std::to_string(found.theirs);
  if (found.what == state_hashes::verdict::we_differ) {
    out.untrue = true;
    return fail(
        differs + " at most voters: this replica is not to be trusted. Started again it gets its state from the others;"
                  " look after this machine's memory and disk",
        out);
  }
  halt(out);
  out.halted = where() + differs +
               " at another voter, and there is no majority for any: the partition stands still rather than"
               " sell twice. Restart its voters; if it stands still again, restore a backup";
}

/// Nobody waits for it any longer than it takes to say so.
void core::halt(outputs& out) {
  failed_ = true;
  out.leading_ended = std::exchange(leading_, false) || out.leading_ended;
  refuse_waiting(errc::not_leader, out);
  auto refuse_all = [&out](const std::vector<query>& questions) {
    for (const auto& q : questions)
      out.refusals.push_back({q.from, errc::not_leader});
  };
  for (const auto& [id, questions] : std::exchange(reads_, {}))
    refuse_all(questions);
  for (const auto& [index, questions] : std::exchange(ready_reads_, {}))
    refuse_all(questions);
}

} // namespace sluice::partition
