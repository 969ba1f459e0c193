// A replica whose log was lost or shortened has forgotten what it acknowledged, perhaps also whom it voted for. It
// neither votes nor counts in any quorum until the others have gone on without it: it has to hold, durable and
// committed, a configuration without its vote, at or beyond the last index the leader had after its restart (its
// refilled log has old configurations too, and they prove nothing). From then on its word is as good as that of any
// learner:
//
// - What it acknowledged: that configuration C was committed by majorities in which it did not count. Each of them
//   meets, in somebody else, every majority that did lean on it (two majorities of neighbouring configurations have
//   more members together than there are others). So whatever was committed with its forgotten word is in C's log.
// - Whom it voted for: a candidate with its forgotten vote either has C, in which the vote is worth nothing, or needs
//   somebody who acknowledged C, and whoever did so denies the shorter log.
//
// It must not have to wait for its promotion as well: with one more voter dead, nobody could commit that.
#include "cluster/raft/impl.hpp"

#include <utility>

namespace sluice::raft {

void core::impl::rejoin() {
  if (!rejoining_ || role_ != role::follower)
    return;
  if (!rejoin_floor_) {
    if (leader_ && now_ >= rejoin_ask_at_) {
      rejoin_ask_at_ = now_ + timeout_max_;
      ask_leader_to_read(0, true);
    }
    return;
  }
  // Judged by what is committed: what is not may be cut off again.
  auto known = std::min(commit_, writes_.durable_index());
  if (installing_ || known < *rejoin_floor_)
    return;
  if (configs_.at(known).voters.contains(settings_.self))
    return;
  rejoining_ = false;
  persist_state();
}

raft::standing core::impl::own_standing() const {
  return !rejoining_ || bug(planted_bug::wiped_node_counts) ? standing::full : standing::rejoining;
}

/// As after a lost disk, but nobody misses it: the committed configuration's voters have among them all that was ever
/// committed, and no vote of those that are left behind counts here. Term and vote stay.
void core::impl::on(vacate& in) {
  auto index = configs_.latest_index();
  auto term = log_.term_at(index); // 0: it is committed, and its place compacted
  bool knows_later = term == 0 ? index > in.index : std::pair{term, index} > std::pair{in.term, in.index};
  if (role_ == role::leader || hears_leader() || installing_ || !writes_.is_idle() || log_.last_index() == 0 ||
      knows_later) {
    ++dropped_;
    return;
  }
  become_follower(term_, {});
  refuse_reads(); // a late answer to the question of before would be of an index that is too low
  fetching_.reset();
  snapshot_.reset();
  log_.reset(0, 0);
  configs_.reset(0, {});
  writes_.cut(0);
  commit_ = 0;
  rejoining_ = true;
  rejoin_floor_.reset();
  staged().install = snapshot_ref{};
  persist_state();
}

} // namespace sluice::raft
