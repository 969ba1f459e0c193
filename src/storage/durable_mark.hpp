// How far each partition's log was durable, kept beside the store.
#pragma once

#include "core/ids.hpp"

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <vector>

namespace sluice::storage {

/// RocksDB's recovery drops everything after the first damaged record of its write-ahead log, silently. This file tells:
/// it is written after each sync, so it never runs ahead of the log, and a log that ends below it was damaged.
/// It is itself synced about once a second: after a power cut it may lag by that much, so damage to the very last second
/// before a power cut can not be told from a torn tail. A killed process loses nothing of it.
/// Set by the log writer's thread; any may read.
class durable_mark {
public:
  explicit durable_mark(const std::filesystem::path& file);
  ~durable_mark();
  durable_mark(const durable_mark&) = delete;
  durable_mark& operator=(const durable_mark&) = delete;

  log_index of(partition_id partition) const;
  /// May lower it: before what takes entries away, with `save_synced`.
  void set(partition_id partition, log_index durable);
  /// Writes what was set; syncs it now and then.
  void save();
  /// Writes what was set, and is safe from a power cut when it returns.
  void save_synced();

private:
  void write();
  void sync();

  std::filesystem::path file_;
  int fd_ = -1;
  mutable std::mutex lock_;
  std::vector<log_index> marks_; // by partition
  bool changed_ = false;
  std::int64_t synced_ms_ = 0;
};

} // namespace sluice::storage
