// Raft's writes and starts as the node's store keeps them.
#pragma once

#include "cluster/partition/types.hpp"
#include "storage/log_store.hpp"

namespace sluice::simulation {

std::string encode_members(const raft::membership& m);
raft::membership decode_members(std::string_view bytes);

storage::log_batch to_batch(partition_id partition, const partition::log_write& w);

raft::entry to_entry(const storage::stored_entry& e);

/// What a partition core starts from; `bootstrap` counts only on an empty disk.
partition::start to_start(const storage::recovered& found, const raft::membership& bootstrap);

} // namespace sluice::simulation
