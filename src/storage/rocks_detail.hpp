// What the parts of the store on RocksDB share. Not for others.
#pragma once

#include "core/assert.hpp"

#include <rocksdb/options.h>
#include <rocksdb/slice.h>
#include <rocksdb/status.h>

#include <filesystem>
#include <string>
#include <string_view>

namespace sluice::storage {

inline rocksdb::Slice slice(std::string_view s) {
  return {s.data(), s.size()};
}

inline std::string_view view(const rocksdb::Slice& s) {
  return {s.data(), s.size()};
}

/// Fail-stop on anything but success: what was acknowledged is on disk, what was not may be lost, nothing is half done.
inline void must(const rocksdb::Status& status, std::string_view doing, const std::filesystem::path& folder) {
  if (status.ok()) [[likely]]
    return;
  auto hint = status.IsNoSpace() ? "; free some disk space and start again" : "; check the disk and start again";
  fail_stop("storage: " + std::string{doing} + " in " + folder.string() + " failed: " + status.ToString() + hint,
            __FILE__, __LINE__);
}

/// For what a flush makes durable.
inline rocksdb::WriteOptions unlogged() {
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  return options;
}

/// For passes over much that is read once: the cache is for what is read again.
inline rocksdb::ReadOptions passing() {
  rocksdb::ReadOptions options;
  options.total_order_seek = true;
  options.fill_cache = false;
  return options;
}

} // namespace sluice::storage
