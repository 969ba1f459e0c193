#include "storage/rocks_image.hpp"

#include "storage/key_layout.hpp"
#include "storage/rocks_detail.hpp"
#include "storage/stored_bytes.hpp"

#include <rocksdb/db.h>

namespace sluice::storage {

namespace {

/// Behind all versions of this piece: version 0, the last one in order, is never written.
std::string behind(partition_id partition, const checkpoint_image::place& p) {
  return piece_key(entity_prefix(partition, p.of), p.number, 0);
}

} // namespace

std::unique_ptr<const checkpoint_image> rocks_image::take(rocksdb::DB& db, const families& of, partition_id partition,
                                                          std::uint64_t number, const std::filesystem::path& folder) {
  std::unique_ptr<rocks_image> image{new rocks_image{db, of, partition, folder}};
  if (!image->is_in_force(number))
    return nullptr;
  return image;
}

rocks_image::rocks_image(rocksdb::DB& db, const families& of, partition_id partition,
                         const std::filesystem::path& folder)
    : db_{db}, families_{of}, partition_{partition}, folder_{folder}, snapshot_{db.GetSnapshot()} {}

rocks_image::~rocks_image() {
  db_.ReleaseSnapshot(snapshot_);
}

/// What is in force is asked of the snapshot itself, so that pieces and record are of the same moment.
bool rocks_image::is_in_force(std::uint64_t number) {
  rocksdb::ReadOptions read;
  read.snapshot = snapshot_;
  std::string bytes;
  auto status = db_.Get(read, families_.meta, meta_key('C', partition_), &bytes);
  if (status.IsNotFound())
    return false;
  must(status, "reading", folder_);
  auto stored = decode_checkpoint(bytes);
  versions_ = {stored.base, stored.checkpoint.number, std::move(stored.aborted)};
  record_ = std::move(stored.checkpoint);
  return record_.number == number;
}

void rocks_image::scan_pieces(const place* after, const piece_visitor& visit) const {
  auto read = passing();
  read.snapshot = snapshot_;
  auto prefix = partition_prefix(partition_);
  std::string done; // the key, without version, of the piece whose visible version was seen
  std::unique_ptr<rocksdb::Iterator> at{db_.NewIterator(read, families_.state)};
  for (at->Seek(after ? behind(partition_, *after) : prefix); at->Valid() && view(at->key()).starts_with(prefix);
       at->Next()) {
    auto key = view(at->key());
    if (key.size() < piece_key_min || !versions_.visible(checkpoint_of(key)))
      continue;
    auto piece = key.substr(0, key.size() - 8);
    if (piece == done)
      continue;
    done = piece;
    auto value = view(at->value());
    if (!value.empty() && value[0] != 0 && !visit(entity_of(key), piece_of(key), value.substr(1)))
      return;
  }
  must(at->status(), "reading a checkpoint", folder_);
}

void rocks_image::scan_feed(log_index after, const feed_visitor& visit) const {
  if (after >= record_.index)
    return;
  auto read = passing();
  read.snapshot = snapshot_;
  auto prefix = partition_prefix(partition_);
  std::unique_ptr<rocksdb::Iterator> at{db_.NewIterator(read, families_.feed)};
  for (at->Seek(index_key(partition_, after + 1)); at->Valid() && view(at->key()).starts_with(prefix); at->Next()) {
    auto index = index_of(view(at->key()));
    if (index > record_.index || !visit(index, view(at->value())))
      return;
  }
  must(at->status(), "reading the feed", folder_);
}

} // namespace sluice::storage
