// What makes a data folder this node's: its keys on disk, and the few facts fixed when it was founded.
#pragma once

#include "cluster/link/links.hpp"
#include "core/ids.hpp"
#include "node/config.hpp"
#include "storage/log_store.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace sluice::node {

struct identity {
  node_id self;
  std::string name;
  std::uint64_t disk = 0;       // made with the data folder
  std::uint32_t generation = 1; // of the disk under this name: above 1 an earlier one was lost
  std::uint32_t partitions = 0;
  std::uint64_t incarnation = 0; // of this process: above those of all earlier ones
  std::string cluster;           // empty until it is founded
  std::uint32_t epoch = 0;
  std::string seal_key;             // 32 bytes; seals the cluster's signing keys
  std::string admin_key;            // as in admin.key; empty if the operator took it away, or this node joined
  std::uint32_t founding_epoch = 1; // of the founding this node proposes; higher after a restore
  std::vector<partition_id> lost;   // at that founding nothing was left of them
  std::uint32_t looked_through = 1; // the founding after which the list of events was compared with what there is
  bool founder = false;             // it began the cluster: its replicas began as the only voters
  bool founded = false;             // the founding is known to be done
  std::uint32_t feature_level = 0;  // active in the cluster, as far as this folder knows
  std::vector<link::peer> peers;    // as last seen: how to find the others before the catalogue can be read
};

/// Reads the folder's identity, making it up on the first start: with `join` by asking the cluster to be let in. Key files
/// are readable by their owner only; a looser one stops the process. Throws start_failure when it can not join.
/// `peer_address` and `http_address` are what the cluster is told.
identity load_identity(storage::log_store& store, const config& settings, const std::string& peer_address,
                       const std::string& http_address);

/// Makes an empty folder that of the first node of a cluster that begins anew from a backup.
void found_restored(storage::log_store& store, const std::string& name, std::uint32_t partitions, std::uint32_t epoch);

/// The fact that this node's replica of a partition is of before it was moved away: "1".
std::string left_fact(partition_id partition);

/// What is known of the cluster by now, remembered for the next start.
void remember_cluster(storage::log_store& store, const std::string& cluster, std::uint32_t epoch);
/// Why this program may not take part in a cluster of this feature level; empty: it may.
std::string too_old_for(std::uint32_t level);
/// From now on only a program that knows this level may start on this folder.
void remember_feature_level(storage::log_store& store, std::uint32_t level);
void remember_peers(storage::log_store& store, const std::vector<link::peer>& peers);

/// Writes a file only its owner can read, atomically and durably.
void write_secret(const std::filesystem::path& file, const std::string& text);

} // namespace sluice::node
