// The part of the store on RocksDB that keeps checkpoints: pieces under their numbers, and which of them count.
#include "storage/rocks_store.hpp"

#include "storage/key_layout.hpp"
#include "storage/rocks_detail.hpp"
#include "storage/rocks_image.hpp"
#include "storage/stored_bytes.hpp"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <chrono>
#include <cstdlib>
#include <thread>

namespace sluice::storage {

// ---- which numbers count -----------------------------------------------------------------------------------------------

rocks_store::replica& rocks_store::known(partition_id partition) {
  auto at = replicas_.find(partition);
  return at != replicas_.end() ? at->second : replicas_.emplace(partition, found_on_disk(partition)).first->second;
}

rocks_store::replica rocks_store::found_on_disk(partition_id partition) {
  replica r;
  if (auto bytes = get_meta('C', partition)) {
    auto stored = decode_checkpoint(*bytes);
    r.versions = {stored.base, stored.checkpoint.number, std::move(stored.aborted)};
  }
  r.unswept = get_meta('D', partition).has_value();
  // No attempt survives the process that made it.
  auto attempt = get_meta('A', partition);
  auto attempts = attempt ? read_be<std::uint64_t>(*attempt) : 0;
  for (auto number = r.versions.in_force + 1; number <= attempts; ++number)
    r.versions.aborted.insert(number);
  if (attempts > r.versions.in_force && !r.unswept) {
    must(db_->Put({}, meta_, meta_key('D', partition), ""), "writing", settings_.folder);
    r.unswept = true;
  }
  return r;
}

piece_versions rocks_store::versions_of(partition_id partition) {
  std::lock_guard lock{replicas_lock_};
  return known(partition).versions;
}

void rocks_store::note_left_behind(partition_id partition) {
  auto& r = known(partition);
  r.unswept = true;
  ++r.left_behind;
}

void rocks_store::abandon(partition_id partition, std::uint64_t checkpoint) {
  std::lock_guard lock{replicas_lock_};
  auto& r = known(partition);
  if (checkpoint <= r.versions.in_force || !r.versions.aborted.insert(checkpoint).second)
    return;
  must(db_->Put({}, meta_, meta_key('D', partition), ""), "writing", settings_.folder);
  note_left_behind(partition);
}

// ---- writing -----------------------------------------------------------------------------------------------------------

void rocks_store::put_pieces(partition_id partition, std::uint64_t checkpoint, const std::vector<piece_write>& pieces) {
  if (versions_of(partition).dead(checkpoint))
    return; // overtaken while it was written
  wait_for_room(state_);
  rocksdb::WriteBatch all;
  for (const auto& p : pieces) {
    auto key = piece_key(entity_prefix(partition, p.of), p.number, checkpoint);
    rocksdb::Slice key_parts[] = {slice(key)};
    char flag = p.bytes ? 1 : 0;
    rocksdb::Slice value_parts[] = {rocksdb::Slice(&flag, 1), p.bytes ? slice(*p.bytes) : rocksdb::Slice()};
    all.Put(state_, rocksdb::SliceParts(key_parts, 1), rocksdb::SliceParts(value_parts, 2));
  }
  piece_bytes_ += all.GetDataSize();
  must(db_->Write(unlogged(), &all), "writing a checkpoint", settings_.folder);
}

void rocks_store::put_feed(partition_id partition, const std::vector<feed_write>& records) {
  wait_for_room(feed_);
  rocksdb::WriteBatch all;
  for (const auto& r : records)
    all.Put(feed_, index_key(partition, r.index), slice(r.record));
  must(db_->Write(unlogged(), &all), "writing the feed", settings_.folder);
}

/// A full write buffer, or too many young files, would hold up every write of the node, log syncs included. Whoever
/// writes in bulk waits well before that.
void rocks_store::wait_for_room(rocksdb::ColumnFamilyHandle* family) {
  constexpr std::uint64_t waiting_buffers_max = 2; // of 4, see rocks_options.cpp
  constexpr long young_files_max = 24;             // of 40
  constexpr std::chrono::seconds patience{10};     // then RocksDB's own limits apply
  auto until = std::chrono::steady_clock::now() + patience;
  for (;;) {
    std::uint64_t buffers = 0;
    std::string files;
    db_->GetIntProperty(family, rocksdb::DB::Properties::kNumImmutableMemTable, &buffers);
    db_->GetProperty(family, rocksdb::DB::Properties::kNumFilesAtLevelPrefix + "0", &files);
    if ((buffers < waiting_buffers_max && std::strtol(files.c_str(), nullptr, 10) < young_files_max) ||
        std::chrono::steady_clock::now() >= until)
      return;
    std::this_thread::sleep_for(std::chrono::milliseconds{2});
  }
}

// ---- removing ----------------------------------------------------------------------------------------------------------

void rocks_store::clean(partition_id partition, const std::vector<std::pair<entity_ref, std::uint32_t>>& pieces) {
  auto versions = versions_of(partition);
  rocksdb::WriteBatch all;
  rocksdb::ReadOptions read;
  read.prefix_same_as_start = true;
  std::unique_ptr<rocksdb::Iterator> at{db_->NewIterator(read, state_)};
  for (const auto& [of, number] : pieces) {
    auto prefix = entity_prefix(partition, of);
    bool newest_seen = false;
    for (at->Seek(piece_key(prefix, number, versions.in_force)); at->Valid(); at->Next()) {
      auto key = view(at->key());
      if (!key.starts_with(prefix) || key.size() != prefix.size() + version_suffix || piece_of(key) != number)
        break;
      bool gone = !at->value().empty() && at->value()[0] == 0;
      bool newest = !newest_seen && versions.visible(checkpoint_of(key));
      newest_seen = newest_seen || newest;
      if (!newest || gone)
        all.Delete(state_, at->key());
    }
    must(at->status(), "cleaning up checkpoints", settings_.folder);
  }
  if (all.Count() == 0)
    return;
  must(db_->Write(unlogged(), &all), "cleaning up checkpoints", settings_.folder);
}

/// A position is what had been left behind when the sweep began, and the piece to go on with.
std::string rocks_store::sweep(partition_id partition, std::string_view position) {
  piece_versions versions;
  std::uint64_t left_behind = 0;
  {
    std::lock_guard lock{replicas_lock_};
    const auto& r = known(partition);
    if (!r.unswept)
      return {};
    versions = r.versions;
    left_behind = r.left_behind;
  }
  auto from = partition_prefix(partition);
  // More was left behind meanwhile: once more from the start.
  if (position.size() > 8 && read_be<std::uint64_t>(position) == left_behind)
    from = position.substr(8);
  auto next = sweep_from(partition, from, versions);
  if (next.empty()) {
    if (swept(partition, left_behind))
      return {};
    next = partition_prefix(partition);
  }
  std::string going_on;
  append_be(going_on, left_behind);
  return going_on + next;
}

std::string rocks_store::sweep_from(partition_id partition, const std::string& from, const piece_versions& versions) {
  constexpr std::size_t slice_versions = 2'048;
  constexpr std::size_t slice_bytes = 1024 * 1024;
  std::size_t seen = 0;
  std::size_t bytes = 0;
  auto prefix = partition_prefix(partition);
  std::string piece; // the key of the one looked at, without its version
  std::string next;
  bool newest_seen = false;
  rocksdb::WriteBatch all;
  std::unique_ptr<rocksdb::Iterator> at{db_->NewIterator(passing(), state_)};
  for (at->Seek(from); at->Valid() && view(at->key()).starts_with(prefix); at->Next(), ++seen) {
    auto key = view(at->key());
    if (key.size() < piece_key_min)
      continue;
    if (auto of = key.substr(0, key.size() - 8); of != piece) {
      if (seen >= slice_versions || bytes >= slice_bytes) {
        next = of; // versions of one piece are judged together
        break;
      }
      piece = of;
      newest_seen = false;
    }
    bytes += at->value().size();
    auto number = checkpoint_of(key);
    if (number > versions.in_force && !versions.dead(number))
      continue; // still being written
    bool gone = !at->value().empty() && at->value()[0] == 0;
    bool newest = !newest_seen && versions.visible(number);
    newest_seen = newest_seen || newest;
    if (!newest || gone)
      all.Delete(state_, at->key());
  }
  must(at->status(), "cleaning up checkpoints", settings_.folder);
  if (all.Count() != 0)
    must(db_->Write(unlogged(), &all), "cleaning up checkpoints", settings_.folder);
  return next;
}

bool rocks_store::swept(partition_id partition, std::uint64_t left_behind) {
  flush(); // before it is remembered that nothing is left
  std::lock_guard lock{replicas_lock_};
  auto& r = known(partition);
  if (r.left_behind != left_behind)
    return false;
  r.unswept = false;
  must(db_->Delete({}, meta_, meta_key('D', partition)), "writing", settings_.folder);
  return true;
}

// ---- reading -----------------------------------------------------------------------------------------------------------

loaded_pieces rocks_store::load(partition_id partition, const entity_ref& of) {
  auto versions = versions_of(partition);
  auto prefix = entity_prefix(partition, of);
  loaded_pieces pieces;
  rocksdb::ReadOptions read;
  read.prefix_same_as_start = true;
  std::unique_ptr<rocksdb::Iterator> at{db_->NewIterator(read, state_)};
  std::optional<std::uint32_t> done; // the piece whose visible version was seen
  for (at->Seek(prefix); at->Valid() && view(at->key()).starts_with(prefix); at->Next()) {
    auto key = view(at->key());
    if (key.size() != prefix.size() + version_suffix)
      continue;
    auto number = piece_of(key);
    if (done == number || !versions.visible(checkpoint_of(key)))
      continue;
    done = number;
    auto value = view(at->value());
    if (!value.empty() && value[0] != 0)
      pieces.emplace_back(number, std::string{value.substr(1)});
  }
  must(at->status(), "reading a checkpoint", settings_.folder);
  return pieces;
}

std::unique_ptr<const checkpoint_image> rocks_store::pin(partition_id partition, std::uint64_t number) {
  return rocks_image::take(*db_, {meta_, state_, feed_}, partition, number, settings_.folder);
}

} // namespace sluice::storage
