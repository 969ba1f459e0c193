// Which members hold a partition, and which of them leads it. Pure: every node comes to the same result from the same
// catalogue.
#pragma once

#include "cluster/raft/types.hpp"
#include "core/ids.hpp"

#include <cstdint>
#include <vector>

namespace sluice {

/// The voters a partition should have: the `replication` members with the highest weight for it (rendezvous hashing),
/// all of them if there are fewer. The order of `active_members` does not matter; repeats count once. When a member
/// comes or goes, only its own share moves: each partition changes by one replica at most.
raft::membership target_of(partition_id partition, const std::vector<node_id>& active_members, unsigned replication);

/// Who should lead each partition (index = partition) so that no node leads many more than another: in partition order
/// the voter with the fewest so far, ties by weight, and then those before make room where that evens out the rest.
/// `may_lead` leaves out nodes that are draining or unreachable; a partition without any voter in it gets node 0, that
/// is: leave it as it is.
std::vector<node_id> preferred_leaders(const std::vector<raft::membership>& members,
                                       const std::vector<node_id>& may_lead);

/// The same for one of `partitions` that are all where `target_of` wants them.
node_id preferred_leader(partition_id partition, std::uint32_t partitions, const std::vector<node_id>& active_members,
                         unsigned replication);

} // namespace sluice
