// A replica whose log was lost or shortened has forgotten what it acknowledged, perhaps also whom it voted for. It
// neither votes nor counts in any quorum until the others have gone on without it: it has to see a configuration
// without its vote committed, and then one with it, both made after its restart. From the first on no majority leans on
// what it forgot; with the second it has the whole log again, and its word is as good as anybody's.
//
// What is "after its restart"? Its own log will be refilled with old entries, among them old configurations. So it asks
// the leader for its last index, confirmed like a read by a majority of now: only what lies beyond counts.
#include "cluster/raft/impl.hpp"

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
  auto votes = configs_.at(known).voters.contains(settings_.self);
  if (!votes)
    seen_demoted_ = true;
  else if (seen_demoted_) {
    rejoining_ = false;
    persist_state();
  }
}

raft::standing core::impl::own_standing() const {
  if (!rejoining_ || bug(planted_bug::wiped_node_counts))
    return standing::full;
  return seen_demoted_ ? standing::readmitted : standing::rejoining;
}

} // namespace sluice::raft
