// How RocksDB is set up for us, and why.
#pragma once

#include "storage/rocks_store.hpp"

#include <rocksdb/db.h>

#include <memory>

namespace sluice::storage {

struct opened_rocks {
  rocksdb::Status status;
  std::unique_ptr<rocksdb::DB> db;
  rocksdb::ColumnFamilyHandle* meta = nullptr;
  rocksdb::ColumnFamilyHandle* log = nullptr;
  rocksdb::ColumnFamilyHandle* state = nullptr;
  rocksdb::ColumnFamilyHandle* feed = nullptr;
};

opened_rocks open_rocks(const rocks_settings& settings);

} // namespace sluice::storage
