// The store on RocksDB.
#pragma once

#include "storage/durable_mark.hpp"
#include "storage/log_store.hpp"

#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>

namespace rocksdb {
class ColumnFamilyHandle;
class DB;
class Env;
class WriteBatch;
} // namespace rocksdb

namespace sluice::storage {

struct rocks_settings {
  std::filesystem::path folder;
  rocksdb::Env* env = nullptr; // null: the default one; tests put faults behind it
  std::size_t log_memtable_bytes = 64 * 1024 * 1024;
  std::size_t cache_bytes = 64 * 1024 * 1024;
  std::size_t background_bytes_per_second = 96 * 1024 * 1024; // of flushes and compactions
};

class rocks_store final : public log_store {
public:
  /// Opens or creates. Stops the process with a message if the folder is in use, damaged or not writable.
  explicit rocks_store(const rocks_settings& settings);
  ~rocks_store() override;

  void write(const std::vector<log_batch>& batches) override;
  void append_feed(partition_id partition, log_index index, std::string_view record) override;
  void put_pieces(partition_id partition, std::uint64_t checkpoint, const std::vector<piece_write>& pieces) override;
  void flush() override;
  void clean(partition_id partition, const std::vector<std::pair<entity_ref, std::uint32_t>>& pieces) override;
  recovered recover(partition_id partition) override;
  loaded_pieces load(partition_id partition, const entity_ref& of) override;
  std::vector<stored_entry> read_log(partition_id partition, log_index first, log_index last,
                                     std::size_t max_bytes) override;
  void scan_feed(partition_id partition, log_index after,
                 const std::function<bool(log_index, std::string_view)>& visit) override;
  std::optional<std::string> get_fact(std::string_view name) override;
  void put_fact(std::string_view name, std::string_view value) override;
  figures count() const override;

private:
  /// Which checkpoint versions of a partition's pieces count.
  struct versions {
    std::uint64_t in_force = 0;
    std::set<std::uint64_t> aborted; // begun, never in force

    bool visible(std::uint64_t number) const { return number <= in_force && !aborted.contains(number); }
  };

  void add(rocksdb::WriteBatch& out, const log_batch& b);
  void add_checkpoint(rocksdb::WriteBatch& out, const log_batch& b);
  versions versions_of(partition_id partition) const;
  void recover_log(partition_id partition, recovered& found);

  rocks_settings settings_;
  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::ColumnFamilyHandle* meta_ = nullptr; // owned by db_, released in the destructor
  rocksdb::ColumnFamilyHandle* log_ = nullptr;
  rocksdb::ColumnFamilyHandle* state_ = nullptr;
  rocksdb::ColumnFamilyHandle* feed_ = nullptr;
  std::unique_ptr<durable_mark> mark_;

  mutable std::mutex versions_lock_;
  std::map<partition_id, versions> versions_;

  std::atomic<std::uint64_t> syncs_{0};
  std::atomic<std::uint64_t> batches_{0};
  std::atomic<std::uint64_t> log_bytes_{0};
  std::atomic<std::uint64_t> piece_bytes_{0};
};

} // namespace sluice::storage
