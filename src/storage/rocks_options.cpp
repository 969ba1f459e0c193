#include "storage/rocks_options.hpp"

#include "core/assert.hpp"
#include "storage/key_layout.hpp"

#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/rate_limiter.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>

namespace sluice::storage {

namespace {

/// Everything of an entity's key but piece and version: lets a bloom filter answer "never seen this session".
class entity_prefix_transform final : public rocksdb::SliceTransform {
public:
  const char* Name() const override { return "sluice.entity"; }

  // A prefix is looked up by itself as well: it ends with the 0x00 behind the user, which no full key of ours lacks.
  rocksdb::Slice Transform(const rocksdb::Slice& key) const override {
    auto end = end_of(key);
    return {key.data(), end};
  }

  bool InDomain(const rocksdb::Slice& key) const override { return key.size() > 11 && end_of(key) != 0; }

private:
  static std::size_t end_of(const rocksdb::Slice& key) {
    constexpr std::size_t user_at = 2 + 4 + 1 + 4;
    for (auto i = user_at; i < key.size(); ++i)
      if (key[i] == '\0')
        return i + 1;
    return 0;
  }
};

/// RocksDB retries some background errors by itself; we do not trust a disk that failed once.
class stop_on_error final : public rocksdb::EventListener {
public:
  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* status) override {
    auto hint = status->IsNoSpace() ? "; free some disk space and start again" : "; check the disk and start again";
    fail_stop("storage: background work failed: " + status->ToString() + hint, __FILE__, __LINE__);
  }
};

rocksdb::ColumnFamilyOptions base_options(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions options;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.format_version = 5;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.paranoid_file_checks = false; // reads every new file back; block checksums find damage when it matters
  return options;
}

} // namespace

opened_rocks open_rocks(const rocks_settings& settings) {
  auto cache = rocksdb::NewLRUCache(settings.cache_bytes);
  rocksdb::DBOptions db;
  if (settings.env)
    db.env = settings.env;
  db.create_if_missing = true;
  db.create_missing_column_families = true;
  db.paranoid_checks = true;
  db.track_and_verify_wals_in_manifest = true;
  // A torn tail is normal after a crash; damage before it shortens the log, which the durable mark finds out.
  db.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  // Writing over an old file spares the file system a size change per sync: about half the time of an fdatasync.
  db.recycle_log_file_num = 4;
  db.max_total_wal_size = 512ull * 1024 * 1024;
  db.max_bgerror_resume_count = 0;
  db.listeners.push_back(std::make_shared<stop_on_error>());
  // What a checkpoint needs it flushes itself; the rest is in the log. A stop is quick, and leaves what a crash would.
  db.avoid_flush_during_shutdown = true;
  db.max_background_jobs = 2;
  db.bytes_per_sync = 1024 * 1024; // spread the write-back of big files, so that log syncs do not pay for it at once
  db.rate_limiter.reset(
      rocksdb::NewGenericRateLimiter(static_cast<std::int64_t>(settings.background_bytes_per_second)));
  db.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  db.max_log_file_size = 16 * 1024 * 1024;
  db.keep_log_file_num = 4;

  auto meta = base_options(cache);
  meta.write_buffer_size = 4 * 1024 * 1024;

  // The log is written once, read at a restart, and dropped from the front: most of it goes in the memtable already.
  auto log = base_options(cache);
  log.write_buffer_size = settings.log_memtable_bytes;
  log.max_write_buffer_number = 4;
  log.level0_file_num_compaction_trigger = 8;
  log.level0_slowdown_writes_trigger = 40;
  log.level0_stop_writes_trigger = 60;
  log.compression = rocksdb::kNoCompression;

  auto state = base_options(cache);
  state.prefix_extractor = std::make_shared<entity_prefix_transform>();
  state.memtable_prefix_bloom_size_ratio = 0.05;
  state.write_buffer_size = 32 * 1024 * 1024;
  state.max_write_buffer_number = 4;
  state.level0_slowdown_writes_trigger = 40;
  state.level0_stop_writes_trigger = 60;
  state.compression = rocksdb::kLZ4Compression;

  auto feed = base_options(cache);
  feed.write_buffer_size = 16 * 1024 * 1024;
  feed.max_write_buffer_number = 4;
  feed.level0_slowdown_writes_trigger = 40;
  feed.level0_stop_writes_trigger = 60;
  feed.compression = rocksdb::kLZ4Compression;

  std::vector<rocksdb::ColumnFamilyDescriptor> families{
      {rocksdb::kDefaultColumnFamilyName, meta}, {"log", log}, {"state", state}, {"feed", feed}};
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  opened_rocks opened;
  rocksdb::DB* raw = nullptr;
  opened.status = rocksdb::DB::Open(db, (settings.folder / "rocks").string(), families, &handles, &raw);
  if (!opened.status.ok())
    return opened;
  opened.db.reset(raw);
  opened.meta = handles[0];
  opened.log = handles[1];
  opened.state = handles[2];
  opened.feed = handles[3];
  return opened;
}

} // namespace sluice::storage
