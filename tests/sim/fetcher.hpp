// Checkpoints on their way from node to node: both ends of it. Pulled part by part over a network that loses some, written
// under a number of the receiver's own, flushed, and only then handed to consensus.
#pragma once

#include "peer_net.hpp"
#include "scene.hpp"

#include "cluster/partition/types.hpp"
#include "storage/log_store.hpp"

#include <map>
#include <memory>

namespace sluice::simulation {

class sim_node;

/// Owned by one life of a node.
class fetcher {
public:
  fetcher(scene& run, sim_node& node) : run_{run}, node_{node} {}

  // ---- the receiver ----
  /// Takes the place of a fetch under way for the same partition.
  void begin(partition_id partition, const partition::fetch_out& wanted);
  void take(node_id from, chunk_parcel part);
  /// All pieces under this number are durable. False: it is no fetched checkpoint.
  bool flushed(partition_id partition, std::uint64_t checkpoint);

  // ---- the sender ----
  void give(node_id to, std::uint64_t incarnation, const chunk_request& wanted);

private:
  static constexpr std::uint32_t tries_max = 5;  // of one part
  static constexpr std::size_t chunks_max = 200; // about; small parts of much would be under way longer than the run

  struct transfer {
    partition::fetch_out wanted;
    std::uint32_t chunk = 0; // wanted next
    std::uint32_t tries = 0;
    bool complete = false;
    std::string record;
  };

  struct image {
    std::uint64_t incarnation = 0; // of who asked
    std::uint64_t transfer = 0;
    storage::checkpoint_record record;
    std::vector<std::tuple<entity_ref, std::uint32_t, std::string>> pieces;
    std::vector<std::pair<log_index, std::string>> feed;
  };

  void ask(partition_id partition);
  void fail(partition_id partition);
  std::shared_ptr<const image> pin(node_id to, std::uint64_t incarnation, const chunk_request& wanted);

  scene& run_;
  sim_node& node_;
  std::map<partition_id, transfer> transfers_;
  std::map<std::pair<node_id, partition_id>, std::shared_ptr<const image>> images_;
};

} // namespace sluice::simulation
