// Backups of a live cluster: every partition's checkpoint as of a log index, in files with checksums, written by the node that
// was asked; and the way back, into an empty data folder that founds the cluster anew.
#pragma once

#include "core/ids.hpp"
#include "storage/log_store.hpp"

#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace sluice::node {

/// The file that stands in a data folder while a restore into it is not complete.
constexpr const char* restore_begun = "restoring";

// A backup is a folder: manifest.json, and per partition p-<number>.parts with SnapshotPart messages, each behind its length
// (4 bytes, big endian). The manifest has each file's size and SHA-256, index and term; it is written last.

struct backup_request {
  std::filesystem::path folder; // of all backups
  std::string cluster;
  std::uint32_t epoch = 0;
  std::uint32_t partitions = 0;
  std::string version;
  std::uint64_t reader = 0; // what tells this run from others at the leaders
  /// Asks the leader of a partition; blocks; throws std::runtime_error when it does not answer.
  std::function<std::string(partition_id, const std::string& what, const std::string& argument)> ask_leader;
};

/// Makes one; returns its manifest. Throws std::runtime_error that says what went wrong; nothing half done is left. Blocks.
std::string make_backup(const backup_request& request);

/// {"backups":[manifest, …]}, newest last.
std::string list_backups(const std::filesystem::path& folder);

/// Checks the whole backup, then brings it into the store of an empty data folder: this node is the first of a cluster with
/// another id and a higher epoch. Throws std::runtime_error that says what is wrong; the folder is not used then.
void restore_backup(storage::log_store& store, const std::filesystem::path& backup, const std::string& name);

/// What was asked for is done, and there is nothing to serve.
struct finished : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// For when a majority is lost for good: makes this node the only member of every partition it has a replica of, and of the
/// cluster, which is founded anew with a higher epoch at the next start. What only the lost nodes had is gone. `cluster` has
/// to be the cluster's id. Throws `finished`, or a start_failure that says what is wrong.
[[noreturn]] void recover_unsafe(storage::log_store& store, const std::string& cluster);

} // namespace sluice::node
