// The store on RocksDB.
#pragma once

#include "storage/durable_mark.hpp"
#include "storage/log_store.hpp"
#include "storage/piece_versions.hpp"

#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>

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
  void put_feed(partition_id partition, const std::vector<feed_write>& records) override;
  void put_pieces(partition_id partition, std::uint64_t checkpoint, const std::vector<piece_write>& pieces) override;
  void flush() override;
  void clean(partition_id partition, const std::vector<std::pair<entity_ref, std::uint32_t>>& pieces) override;
  void abandon(partition_id partition, std::uint64_t checkpoint) override;
  std::string sweep(partition_id partition, std::string_view position) override;
  std::unique_ptr<const checkpoint_image> pin(partition_id partition, std::uint64_t number) override;
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
  struct replica {
    piece_versions versions;
    bool unswept = false;          // an install, a crash or a transfer given up left pieces behind
    std::uint64_t left_behind = 0; // counts these events: a sweep that began before one does not cover it
  };

  /// Several batches of one write may be of the same partition.
  using changed_versions = std::map<partition_id, piece_versions>;

  void add(rocksdb::WriteBatch& out, const log_batch& b, changed_versions& changed);
  void add_install(rocksdb::WriteBatch& out, const log_batch& b, piece_versions& versions);
  void add_checkpoint(rocksdb::WriteBatch& out, const log_batch& b, piece_versions& versions);
  void take_over(const log_batch& b);
  void lower_marks(const std::vector<log_batch>& batches);
  void raise_marks(const std::vector<log_batch>& batches);

  /// With `replicas_lock_` held. What the disk says of it, on first use.
  replica& known(partition_id partition);
  replica found_on_disk(partition_id partition);
  piece_versions versions_of(partition_id partition);
  void note_left_behind(partition_id partition);
  /// A sweep reached the end. False if more was left behind since it began.
  bool swept(partition_id partition, std::uint64_t left_behind);
  /// The slice of a sweep from `from` on: removes what is dead or outdated, returns where the next begins.
  std::string sweep_from(partition_id partition, const std::string& from, const piece_versions& versions);
  void wait_for_room(rocksdb::ColumnFamilyHandle* family);

  std::optional<std::string> get_meta(char what, partition_id partition);
  void recover_log(partition_id partition, recovered& found);

  rocks_settings settings_;
  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::ColumnFamilyHandle* meta_ = nullptr; // owned by db_, released in the destructor
  rocksdb::ColumnFamilyHandle* log_ = nullptr;
  rocksdb::ColumnFamilyHandle* state_ = nullptr;
  rocksdb::ColumnFamilyHandle* feed_ = nullptr;
  std::unique_ptr<durable_mark> mark_;

  std::mutex replicas_lock_;
  std::map<partition_id, replica> replicas_;

  std::atomic<std::uint64_t> syncs_{0};
  std::atomic<std::uint64_t> batches_{0};
  std::atomic<std::uint64_t> log_bytes_{0};
  std::atomic<std::uint64_t> piece_bytes_{0};
};

} // namespace sluice::storage
