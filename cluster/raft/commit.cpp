// What is committed, and what is handed out to be applied (thesis 3.5, 3.6.2).
#include "cluster/raft/impl.hpp"

#include <algorithm>

namespace sluice::raft {

void core::impl::advance_commit() {
  auto before = commit_;
  commit_ = std::max(commit_, committed_by_majority());
  auto crossed = [&](log_index i) { return before < i && i <= commit_; };
  if (crossed(term_start_) || crossed(configs_.latest_index()))
    members_due_ = true; // the next membership change may have waited for this
}

/// The highest index durable on a majority, if it is of our own term: counting copies of older entries proves nothing,
/// a later leader may still overwrite them (thesis 3.6.2, figure 3.7). They are committed with the first of ours.
log_index core::impl::committed_by_majority() const {
  auto& voters = members().voters;
  auto own = bug(planted_bug::leader_counts_unsynced) ? log_.last_index() : writes_.durable_index();
  auto match_of = [this, own](node_id v) -> log_index {
    if (v == settings_.self)
      return own; // thesis 10.2.1: our own disk is one vote among others
    auto* p = find_peer(v);
    return p && p->counts() ? p->match : 0;
  };
  auto durable_on_majority = [&](log_index i) { return majority([&](node_id v) { return match_of(v) >= i; }); };
  auto best = commit_;
  for (auto v : voters) {
    auto m = match_of(v);
    if (m > best && durable_on_majority(m))
      best = m;
  }
  return log_.term_at(best) == term_ || bug(planted_bug::commit_old_term) ? best : 0;
}

void core::impl::commit_to(log_index index) {
  if (index > commit_ || bug(planted_bug::commit_moves_back))
    commit_ = index;
}

/// Hands out what is committed and durable here, each entry once. Nothing while a checkpoint is being installed: the
/// host's state is neither the old nor the new one.
void core::impl::apply() {
  if (installing_ && !bug(planted_bug::applies_while_installing))
    return;
  auto upto = std::min(commit_, writes_.durable_index());
  if (bug(planted_bug::applies_unsynced) || (installing_ && bug(planted_bug::applies_while_installing)))
    upto = commit_;
  auto next = log_.applied_index() + 1;
  if (next > upto)
    return;
  std::size_t bytes = 0;
  std::size_t count = 0;
  for (; next <= upto && count < settings_.committed_entries_max && bytes < settings_.committed_bytes_max; ++next) {
    auto& e = log_.at(next);
    bytes += e.bytes();
    ++count;
    out_->committed.push_back(e);
  }
  log_.applied_to(next - 1);
}

} // namespace sluice::raft
