// What the stories about the store share: one on a file system that forgets, and a look at the raw keys behind it.
#pragma once

#include "storage/key_layout.hpp"
#include "storage/rocks_options.hpp"
#include "storage/rocks_store.hpp"
#include "support/faulty_fs.hpp"
#include "support/in_child.hpp"
#include "support/temp_folder.hpp"

#include <catch2/catch.hpp>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace sluice::test {

using namespace storage;

/// A store on a file system that forgets, and can lose its power.
struct shaky_store {
  temp_folder folder;
  std::shared_ptr<forgetful_fs> fs = std::make_shared<forgetful_fs>(rocksdb::FileSystem::Default());
  std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(fs);
  std::unique_ptr<rocks_store> store;

  shaky_store() { open(); }

  rocks_settings settings() const {
    rocks_settings s;
    s.folder = folder.path();
    s.env = env.get();
    return s;
  }

  void open() { store = std::make_unique<rocks_store>(settings()); }

  /// Everything unsynced is gone.
  void cut_power(std::uint64_t torn = 0) {
    store.reset();
    fs->cut_power(torn);
    open();
  }

  /// Opens RocksDB itself for a moment, then the store again.
  void behind_its_back(const std::function<void(opened_rocks&)>& act) {
    store.reset();
    {
      auto raw = open_rocks(settings());
      REQUIRE(raw.status.ok());
      act(raw);
      for (auto* family : {raw.meta, raw.log, raw.state, raw.feed})
        raw.db->DestroyColumnFamilyHandle(family);
    }
    open();
  }

  /// How many versions of pieces lie on the disk, seen or not.
  std::size_t versions_kept(partition_id partition) {
    std::size_t count = 0;
    store->flush();
    behind_its_back([&](opened_rocks& raw) {
      rocksdb::ReadOptions all;
      all.total_order_seek = true;
      auto prefix = partition_prefix(partition);
      std::unique_ptr<rocksdb::Iterator> at{raw.db->NewIterator(all, raw.state)};
      for (at->Seek(prefix); at->Valid() && at->key().starts_with(prefix); at->Next())
        ++count;
    });
    return count;
  }
};

inline stored_entry entry(log_index index, std::string text, log_term term = 1) {
  return {index, term, 1, std::make_shared<const std::string>(std::move(text))};
}

inline log_batch append(partition_id partition, std::vector<stored_entry> entries) {
  log_batch b;
  b.partition = partition;
  b.append = std::move(entries);
  return b;
}

inline log_batch attempt(partition_id partition, std::uint64_t number) {
  log_batch b;
  b.partition = partition;
  b.checkpoint_attempt = number;
  return b;
}

inline log_batch commit(partition_id partition, std::uint64_t number, log_index index) {
  log_batch b;
  b.partition = partition;
  b.checkpoint = checkpoint_record{number, index, 1, "record-" + std::to_string(number), "members"};
  b.drop_below = index + 1;
  return b;
}

inline log_batch install(partition_id partition, std::uint64_t number, log_index index) {
  log_batch b;
  b.partition = partition;
  b.install = install_record{{number, index, 7, "image-" + std::to_string(number), "their members"}};
  return b;
}

/// A whole checkpoint of an own attempt.
inline void take_checkpoint(log_store& store, partition_id partition, std::uint64_t number, log_index index,
                            const std::vector<piece_write>& pieces) {
  store.write({attempt(partition, number)});
  store.put_pieces(partition, number, pieces);
  store.flush();
  store.write({commit(partition, number, index)});
}

inline std::vector<std::string> texts(const recovered& r) {
  std::vector<std::string> all;
  for (const auto& e : r.log)
    all.push_back(*e.payload);
  return all;
}

inline const auto alice = entity_ref::of_session({1}, "alice");
inline const auto al = entity_ref::of_session({1}, "al");

} // namespace sluice::test
