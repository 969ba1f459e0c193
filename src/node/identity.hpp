// What makes a data folder this node's: its keys on disk, and the few facts fixed when it was founded.
#pragma once

#include "core/ids.hpp"
#include "storage/log_store.hpp"

#include <cstdint>
#include <filesystem>
#include <string>

namespace sluice::node {

struct identity {
  node_id self{1};
  std::uint32_t partitions = 0;
  std::uint64_t incarnation = 0; // of this process: random, so that answers of an earlier one fit nobody
  std::string seal_key;          // 32 bytes; seals the cluster's signing keys
  std::string admin_key;         // as in admin.key; empty if the operator took it away
  bool founded = false;          // an earlier process proposed the founding and saw it done
};

/// Reads the folder's identity, making it up on the first start. Key files are readable by their owner only; a looser
/// one stops the process.
identity load_identity(storage::log_store& store, const std::filesystem::path& data, std::uint32_t partitions);

/// Remembers that the founding was done.
void set_founded(storage::log_store& store);

/// Writes a file only its owner can read, atomically and durably.
void write_secret(const std::filesystem::path& file, const std::string& text);

} // namespace sluice::node
