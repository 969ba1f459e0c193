// A checkpoint in force, held still by a RocksDB snapshot.
#pragma once

#include "storage/log_store.hpp"
#include "storage/piece_versions.hpp"

#include <filesystem>
#include <memory>

namespace rocksdb {
class ColumnFamilyHandle;
class DB;
class Snapshot;
} // namespace rocksdb

namespace sluice::storage {

class rocks_image final : public checkpoint_image {
public:
  struct families {
    rocksdb::ColumnFamilyHandle* meta;
    rocksdb::ColumnFamilyHandle* state;
    rocksdb::ColumnFamilyHandle* feed;
  };

  /// Null unless checkpoint `number` is in force. `folder` is for messages.
  static std::unique_ptr<const checkpoint_image> take(rocksdb::DB& db, const families& of, partition_id partition,
                                                      std::uint64_t number, const std::filesystem::path& folder);
  ~rocks_image() override;

  const checkpoint_record& record() const override { return record_; }

  void scan_pieces(const place* after, const piece_visitor& visit) const override;
  void scan_feed(log_index after, const feed_visitor& visit) const override;

private:
  rocks_image(rocksdb::DB& db, const families& of, partition_id partition, const std::filesystem::path& folder);
  bool is_in_force(std::uint64_t number);

  rocksdb::DB& db_;
  families families_;
  partition_id partition_;
  std::filesystem::path folder_;
  const rocksdb::Snapshot* snapshot_;
  checkpoint_record record_;
  piece_versions versions_;
};

} // namespace sluice::storage
