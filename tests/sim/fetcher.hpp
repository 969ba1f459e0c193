// Checkpoints on their way from node to node: both ends of it, over a network that loses some parts. What a part is, and what is
// done with it, is production's (storage/snapshot_source, snapshot_sink); only who waits for whom is this file's.
#pragma once

#include "peer_net.hpp"
#include "scene.hpp"

#include "cluster/partition/types.hpp"
#include "storage/snapshot_source.hpp"

#include <map>

namespace sluice::simulation {

class sim_node;

/// Owned by one life of a node.
class fetcher {
public:
  fetcher(scene& run, sim_node& node);

  // ---- the receiver ----
  /// Takes the place of a fetch under way for the same partition.
  void begin(partition_id partition, const partition::fetch_out& wanted);
  void take(node_id from, chunk_parcel part);
  /// All pieces under this number are durable. False: it is no fetched checkpoint.
  bool flushed(partition_id partition, std::uint64_t checkpoint);

  // ---- the sender ----
  void give(node_id to, const chunk_request& wanted);

private:
  static constexpr std::uint32_t tries_max = 5; // of one part

  struct transfer {
    partition::fetch_out wanted;
    std::string position; // of the part wanted next
    std::string record;
    std::uint32_t tries = 0;
    bool applying = false;
  };

  /// The one under way, if it is still this one.
  transfer* find(partition_id partition, std::uint64_t checkpoint);
  void ask(partition_id partition);
  void applied(partition_id partition, std::uint64_t checkpoint, const std::string& next);
  void fail(partition_id partition);

  scene& run_;
  sim_node& node_;
  storage::snapshot_source source_;
  std::map<partition_id, transfer> transfers_;
};

} // namespace sluice::simulation
