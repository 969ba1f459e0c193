#include "storage/rocks_store.hpp"

#include "core/assert.hpp"
#include "storage/key_layout.hpp"
#include "storage/rocks_detail.hpp"
#include "storage/rocks_options.hpp"
#include "storage/stored_bytes.hpp"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <algorithm>

namespace sluice::storage {

rocks_store::rocks_store(const rocks_settings& settings) : settings_{settings} {
  std::error_code failed;
  std::filesystem::create_directories(settings_.folder, failed);
  if (failed)
    fail_stop("storage: can not create " + settings_.folder.string() + ": " + failed.message(), __FILE__, __LINE__);
  auto opened = open_rocks(settings_);
  must(opened.status, "opening the store", settings_.folder);
  db_ = std::move(opened.db);
  meta_ = opened.meta;
  log_ = opened.log;
  state_ = opened.state;
  feed_ = opened.feed;
  mark_ = std::make_unique<durable_mark>(settings_.folder / "durable");
}

rocks_store::~rocks_store() {
  for (auto* family : {meta_, log_, state_, feed_})
    db_->DestroyColumnFamilyHandle(family);
}

// ---- the log's path ----------------------------------------------------------------------------------------------------

void rocks_store::write(const std::vector<log_batch>& batches) {
  lower_marks(batches);
  rocksdb::WriteBatch all;
  changed_versions changed;
  for (const auto& b : batches)
    add(all, b, changed);
  rocksdb::WriteOptions synced;
  synced.sync = true;
  must(db_->Write(synced, &all), "writing the log", settings_.folder);
  ++syncs_;
  batches_ += batches.size();
  log_bytes_ += all.GetDataSize();
  for (const auto& b : batches)
    take_over(b);
  raise_marks(batches);
}

void rocks_store::add(rocksdb::WriteBatch& out, const log_batch& b, changed_versions& changed) {
  auto versions = [&]() -> piece_versions& {
    auto at = changed.find(b.partition);
    return at != changed.end() ? at->second : changed.emplace(b.partition, versions_of(b.partition)).first->second;
  };
  if (b.vote)
    out.Put(meta_, meta_key('V', b.partition), encode_vote(*b.vote));
  if (b.install)
    add_install(out, b, versions());
  if (b.truncate_from)
    out.DeleteRange(log_, index_key(b.partition, *b.truncate_from), index_key(b.partition, ~log_index{0}));
  for (const auto& e : b.append) {
    auto key = index_key(b.partition, e.index);
    auto payload = e.payload ? std::string_view{*e.payload} : std::string_view{};
    auto header = encode_entry_header(b.partition, e, payload);
    rocksdb::Slice key_parts[] = {slice(key)};
    rocksdb::Slice value_parts[] = {slice(header), slice(payload)};
    out.Put(log_, rocksdb::SliceParts(key_parts, 1), rocksdb::SliceParts(value_parts, 2));
  }
  if (b.drop_below)
    out.DeleteRange(log_, index_key(b.partition, 0), index_key(b.partition, *b.drop_below));
  if (b.checkpoint_attempt) {
    versions(); // what earlier processes began is known before this one begins something
    std::string attempt;
    append_be(attempt, *b.checkpoint_attempt);
    out.Put(meta_, meta_key('A', b.partition), attempt);
  }
  if (b.checkpoint)
    add_checkpoint(out, b, versions());
}

void rocks_store::add_install(rocksdb::WriteBatch& out, const log_batch& b, piece_versions& versions) {
  const auto& c = b.install->checkpoint;
  SLUICE_ASSERT(c.number > versions.in_force && !versions.dead(c.number),
                "storage: image " + std::to_string(c.number) + " of partition " + std::to_string(b.partition.value) +
                    " comes after " + std::to_string(versions.in_force) + " or was given up");
  versions.install(c.number);
  out.DeleteRange(log_, index_key(b.partition, 0), index_key(b.partition, ~log_index{0}));
  // Facts of entries behind the image can only be of a history that did not happen.
  out.DeleteRange(feed_, index_key(b.partition, c.index + 1), index_key(b.partition, ~log_index{0}));
  out.Put(meta_, meta_key('D', b.partition), "");
  out.Put(meta_, meta_key('C', b.partition), encode_checkpoint(c, versions.aborted, versions.base));
  std::lock_guard lock{replicas_lock_};
  note_left_behind(b.partition);
}

void rocks_store::add_checkpoint(rocksdb::WriteBatch& out, const log_batch& b, piece_versions& versions) {
  auto number = b.checkpoint->number;
  SLUICE_ASSERT(number > versions.in_force && !versions.dead(number),
                "storage: checkpoint " + std::to_string(number) + " of partition " + std::to_string(b.partition.value) +
                    " comes after " + std::to_string(versions.in_force) + " or was given up");
  for (auto event : b.forgotten)
    out.DeleteRange(state_, group_prefix(b.partition, event.value), group_prefix(b.partition, event.value + 1ull));
  if (versions.commit(number)) {
    out.Put(meta_, meta_key('D', b.partition), "");
    std::lock_guard lock{replicas_lock_};
    note_left_behind(b.partition);
  }
  out.Put(meta_, meta_key('C', b.partition), encode_checkpoint(*b.checkpoint, versions.aborted, versions.base));
}

/// What was written is durable: it counts from now on.
void rocks_store::take_over(const log_batch& b) {
  if (!b.install && !b.checkpoint)
    return;
  std::lock_guard lock{replicas_lock_};
  auto& r = known(b.partition);
  if (b.install) {
    r.versions.install(b.install->checkpoint.number);
    note_left_behind(b.partition); // again: a sweep that began since then went by what was in force before
  }
  if (b.checkpoint)
    r.versions.commit(b.checkpoint->number);
}

/// Before the write: a process that ends between write and mark must not find its log shorter than the mark.
void rocks_store::lower_marks(const std::vector<log_batch>& batches) {
  bool lowered = false;
  for (const auto& b : batches) {
    auto mark = mark_->of(b.partition);
    if (b.truncate_from)
      mark = std::min(mark, *b.truncate_from - 1);
    if (b.install)
      mark = std::min(mark, b.install->checkpoint.index);
    lowered = mark < mark_->of(b.partition) || lowered;
    mark_->set(b.partition, mark);
  }
  if (lowered)
    mark_->save_synced();
}

void rocks_store::raise_marks(const std::vector<log_batch>& batches) {
  for (const auto& b : batches)
    if (!b.append.empty())
      mark_->set(b.partition, b.append.back().index);
    else if (b.install)
      mark_->set(b.partition, b.install->checkpoint.index);
    else if (b.truncate_from)
      mark_->set(b.partition, std::min(mark_->of(b.partition), *b.truncate_from - 1));
  mark_->save();
}

void rocks_store::append_feed(partition_id partition, log_index index, std::string_view record) {
  must(db_->Put(unlogged(), feed_, index_key(partition, index), slice(record)), "writing the feed", settings_.folder);
}

void rocks_store::flush() {
  rocksdb::FlushOptions wait;
  wait.wait = true;
  wait.allow_write_stall = false;
  must(db_->Flush(wait, state_), "flushing a checkpoint", settings_.folder);
  must(db_->Flush(wait, feed_), "flushing the feed", settings_.folder);
}

// ---- recovery and reading ----------------------------------------------------------------------------------------------

std::optional<std::string> rocks_store::get_meta(char what, partition_id partition) {
  std::string value;
  auto status = db_->Get({}, meta_, meta_key(what, partition), &value);
  if (status.IsNotFound())
    return std::nullopt;
  must(status, "reading", settings_.folder);
  return value;
}

recovered rocks_store::recover(partition_id partition) {
  recovered found;
  if (auto vote = get_meta('V', partition))
    found.vote = decode_vote(*vote);
  if (auto attempt = get_meta('A', partition))
    found.attempts = read_be<std::uint64_t>(*attempt);
  if (auto bytes = get_meta('C', partition))
    if (auto c = decode_checkpoint(*bytes).checkpoint; c.index > 0)
      found.checkpoint = std::move(c);
  {
    std::lock_guard lock{replicas_lock_};
    known(partition);
  }
  recover_log(partition, found);
  return found;
}

void rocks_store::recover_log(partition_id partition, recovered& found) {
  auto expected = found.checkpoint ? found.checkpoint->index + 1 : 1;
  rocksdb::ReadOptions read;
  read.total_order_seek = true;
  auto prefix = partition_prefix(partition);
  std::unique_ptr<rocksdb::Iterator> at{db_->NewIterator(read, log_)};
  for (at->Seek(index_key(partition, expected)); at->Valid() && view(at->key()).starts_with(prefix); at->Next()) {
    auto index = index_of(view(at->key()));
    auto entry = decode_entry(partition, index, view(at->value()));
    if (index != expected || !entry) {
      found.damage = "log entry " + std::to_string(expected) + " of partition " + std::to_string(partition.value) +
                     (entry ? " is missing" : " is damaged");
      return;
    }
    found.log.push_back(std::move(*entry));
    ++expected;
  }
  must(at->status(), "reading the log", settings_.folder);
  auto last = expected - 1;
  if (last < mark_->of(partition))
    found.damage = "the log of partition " + std::to_string(partition.value) + " ends at index " +
                   std::to_string(last) + ", but was durable up to " + std::to_string(mark_->of(partition));
}

std::vector<stored_entry> rocks_store::read_log(partition_id partition, log_index first, log_index last,
                                                std::size_t max_bytes) {
  std::vector<stored_entry> entries;
  rocksdb::ReadOptions read;
  read.total_order_seek = true;
  std::unique_ptr<rocksdb::Iterator> at{db_->NewIterator(read, log_)};
  std::size_t bytes = 0;
  auto expected = first;
  auto prefix = partition_prefix(partition);
  for (at->Seek(index_key(partition, first)); at->Valid() && view(at->key()).starts_with(prefix); at->Next()) {
    auto index = index_of(view(at->key()));
    if (index > last || (!entries.empty() && bytes >= max_bytes))
      break;
    auto entry = decode_entry(partition, index, view(at->value()));
    if (index != expected)
      return {};
    SLUICE_ASSERT(entry, "storage: log entry " + std::to_string(index) + " of partition " +
                             std::to_string(partition.value) + " is damaged");
    bytes += entry->payload->size();
    entries.push_back(std::move(*entry));
    ++expected;
  }
  must(at->status(), "reading the log", settings_.folder);
  return entries;
}

void rocks_store::scan_feed(partition_id partition, log_index after,
                            const std::function<bool(log_index, std::string_view)>& visit) {
  rocksdb::ReadOptions read;
  read.total_order_seek = true;
  read.readahead_size = 256 * 1024;
  auto prefix = partition_prefix(partition);
  std::unique_ptr<rocksdb::Iterator> at{db_->NewIterator(read, feed_)};
  for (at->Seek(index_key(partition, after + 1)); at->Valid() && view(at->key()).starts_with(prefix); at->Next())
    if (!visit(index_of(view(at->key())), view(at->value())))
      break;
  must(at->status(), "reading the feed", settings_.folder);
}

std::optional<std::string> rocks_store::get_fact(std::string_view name) {
  std::string value;
  auto status = db_->Get({}, meta_, "N" + std::string{name}, &value);
  if (status.IsNotFound())
    return std::nullopt;
  must(status, "reading", settings_.folder);
  return value;
}

void rocks_store::put_fact(std::string_view name, std::string_view value) {
  rocksdb::WriteOptions synced;
  synced.sync = true;
  must(db_->Put(synced, meta_, "N" + std::string{name}, slice(value)), "writing", settings_.folder);
}

log_store::figures rocks_store::count() const {
  return {syncs_, batches_, log_bytes_, piece_bytes_};
}

} // namespace sluice::storage
