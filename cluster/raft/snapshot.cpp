// Compaction, and checkpoints for those whom the log no longer reaches (thesis 5.1). The core moves only references:
// the host pulls the chunks from who offered it, while the old log here stays usable.
#include "cluster/raft/impl.hpp"

#include <algorithm>

namespace sluice::raft {

void core::impl::on(snapshot_taken& in) {
  auto index = in.ref.index;
  if (index > log_.applied_index())
    return fail("a checkpoint at index " + std::to_string(index) + ", which was not handed out yet");
  if (installing_ || index <= (snapshot_ ? snapshot_->index : 0)) {
    ++dropped_; // overtaken by an installed one
    return;
  }
  // Its members are what a restart begins with, so a wrong one would change the voters unseen.
  if (index < log_.base_index() || in.ref.term != log_.term_at(index) || in.ref.members != configs_.at(index))
    return fail("the checkpoint at index " + std::to_string(index) + " does not belong to this log");
  snapshot_ = std::move(in.ref);
  auto keep_from = std::min(in.keep_from, index + 1);
  if (keep_from > log_.base_index() + 1) {
    log_.compact_to(keep_from - 1);
    staged().drop_below = keep_from;
  }
  configs_.compact_to(index);
}

// ---- the leader -----------------------------------------------------------------------------------------------------

void core::impl::offer_snapshot(progress& p) {
  if (!snapshot_)
    return fail("the log was compacted without a checkpoint");
  p.enter(flow::snapshot);
  p.offered = snapshot_;
  p.offered_at = now_;
  p.offer_failed = false;
  post(p.node, snapshot_offer{term_, *snapshot_, round_});
}

void core::impl::on(node_id from, snapshot_reply& m) {
  if (heed_term(m.term) || m.term < term_ || role_ != role::leader)
    return;
  auto* p = find_peer(from);
  if (!p)
    return;
  if (m.round > round_ || (m.installed && (m.index > log_.last_index() || m.round < p->since_round))) {
    ++dropped_;
    return;
  }
  p->heard = now_;
  p->round = std::max(p->round, m.round);
  if (m.installed) {
    p->match = std::max(p->match, m.index);
    if (p->state == flow::snapshot && p->offered && m.index >= p->offered->index) {
      p->enter(flow::probe);
      p->next = p->match + 1;
      p->probe_bare = false;
    }
  } else if (m.failed && p->offered && p->offered->index == m.index) {
    p->offer_failed = true; // with a later heartbeat: what is the newest now may be gone by then
  }
}

// ---- the follower ---------------------------------------------------------------------------------------------------

void core::impl::on(node_id from, snapshot_offer& m) {
  if (m.term < term_)
    return post(from, snapshot_reply{.term = term_});
  if (!accept_leader(from, m.term))
    return;
  if (has_all_of(m.snapshot)) {
    commit_to(std::max(commit_, m.snapshot.index));
    return reply_installed(from, m.snapshot.index, m.round);
  }
  offer_term_ = m.term;
  offer_round_ = m.round;
  // The leader keeps its offer while we fetch; another one means it, or its disk, gave up on the first.
  if (!fetching_ || *fetching_ != m.snapshot) {
    fetching_ = m.snapshot;
    out_->fetches.push_back({from, m.snapshot});
  }
  post(from, snapshot_reply{.term = term_, .index = m.snapshot.index, .round = m.round});
}

/// Committed here, or in our log: then by log matching everything before it is as well (thesis 3.5).
bool core::impl::has_all_of(const snapshot_ref& ref) const {
  return ref.index <= commit_ || log_.holds(ref.index, ref.term);
}

void core::impl::on(snapshot_fetched& in) {
  if (!fetching_ || *fetching_ != in.ref)
    return; // given up meanwhile
  auto ref = std::move(*fetching_);
  fetching_.reset();
  auto from_leader = role_ == role::follower && leader_;
  auto round = offer_term_ == term_ ? offer_round_ : 0;
  if (!in.ok) {
    if (from_leader)
      post(leader_, snapshot_reply{.term = term_, .index = ref.index, .round = round, .failed = true});
    return;
  }
  if (has_all_of(ref))
    commit_to(std::max(commit_, ref.index));
  else
    install(ref);
  if (from_leader)
    reply_installed(leader_, ref.index, round);
}

/// One write: the checkpoint takes the log's place. What of the old log is not committed contradicts the checkpoint, or
/// ends before it; what is committed is in the checkpoint, so it stays durable throughout.
void core::impl::install(const snapshot_ref& ref) {
  writes_.cut(commit_);
  if (bug(planted_bug::install_keeps_log) && log_.last_index() > ref.index) {
    commit_to(ref.index);
    return;
  }
  log_.reset(ref.index, ref.term);
  configs_.reset(ref.index, ref.members);
  commit_ = ref.index;
  snapshot_ = ref;
  installing_ = true;
  install_write_ = writes_.next_id();
  staged().install = ref;
}

void core::impl::reply_installed(node_id from, log_index index, std::uint64_t round) {
  post(from, snapshot_reply{.term = term_, .index = index, .installed = true, .round = round}, writes_.covering(index));
}

} // namespace sluice::raft
