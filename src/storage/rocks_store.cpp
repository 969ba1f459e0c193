#include "storage/rocks_store.hpp"

#include "core/assert.hpp"
#include "core/hash.hpp"
#include "storage/key_layout.hpp"
#include "storage/rocks_options.hpp"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <cstring>

namespace sluice::storage {

namespace {

rocksdb::Slice slice(std::string_view s) {
  return {s.data(), s.size()};
}

std::string_view view(const rocksdb::Slice& s) {
  return {s.data(), s.size()};
}

/// Fail-stop on anything but success: what was acknowledged is on disk, what was not may be lost, nothing is half done.
void must(const rocksdb::Status& status, std::string_view doing, const std::filesystem::path& folder) {
  if (status.ok()) [[likely]]
    return;
  auto hint = status.IsNoSpace() ? "; free some disk space and start again" : "; check the disk and start again";
  fail_stop("storage: " + std::string{doing} + " in " + folder.string() + " failed: " + status.ToString() + hint,
            __FILE__, __LINE__);
}

std::uint64_t checksum(partition_id partition, log_index index, log_term term, std::uint8_t kind,
                       std::string_view payload) {
  std::string place;
  append_be(place, partition.value);
  append_be(place, index);
  append_be(place, term);
  place += static_cast<char>(kind);
  return hash_of(payload, hash_of(place));
}

constexpr std::size_t entry_header = 8 + 8 + 1;

std::string encode_entry_header(partition_id partition, const stored_entry& e, std::string_view payload) {
  std::string bytes;
  bytes.reserve(entry_header);
  append_be(bytes, checksum(partition, e.index, e.term, e.kind, payload));
  append_be(bytes, e.term);
  bytes += static_cast<char>(e.kind);
  return bytes;
}

/// Empty when the bytes are not the entry that belongs there.
std::optional<stored_entry> decode_entry(partition_id partition, log_index index, std::string_view bytes) {
  if (bytes.size() < entry_header)
    return std::nullopt;
  stored_entry e;
  e.index = index;
  e.term = read_be<std::uint64_t>(bytes.substr(8));
  e.kind = static_cast<std::uint8_t>(bytes[16]);
  auto payload = bytes.substr(entry_header);
  if (read_be<std::uint64_t>(bytes) != checksum(partition, index, e.term, e.kind, payload))
    return std::nullopt;
  e.payload = std::make_shared<const std::string>(payload);
  return e;
}

std::string encode_vote(const vote_record& v) {
  std::string bytes;
  append_be(bytes, v.term);
  append_be(bytes, v.vote.value);
  return bytes;
}

std::string with_length(std::string_view text) {
  std::string bytes;
  append_be(bytes, static_cast<std::uint32_t>(text.size()));
  bytes += text;
  return bytes;
}

std::string encode_checkpoint(const checkpoint_record& c, const std::set<std::uint64_t>& aborted) {
  std::string bytes;
  append_be(bytes, c.number);
  append_be(bytes, c.index);
  append_be(bytes, c.term);
  append_be(bytes, static_cast<std::uint32_t>(aborted.size()));
  for (auto number : aborted)
    append_be(bytes, number);
  bytes += with_length(c.record);
  bytes += with_length(c.members);
  return bytes;
}

std::pair<checkpoint_record, std::set<std::uint64_t>> decode_checkpoint(std::string_view bytes) {
  checkpoint_record c;
  std::set<std::uint64_t> aborted;
  c.number = read_be<std::uint64_t>(bytes);
  c.index = read_be<std::uint64_t>(bytes.substr(8));
  c.term = read_be<std::uint64_t>(bytes.substr(16));
  auto count = read_be<std::uint32_t>(bytes.substr(24));
  auto rest = bytes.substr(28);
  for (; count > 0; --count, rest.remove_prefix(8))
    aborted.insert(read_be<std::uint64_t>(rest));
  auto take = [&] {
    auto length = read_be<std::uint32_t>(rest);
    std::string text{rest.substr(4, length)};
    rest.remove_prefix(4 + length);
    return text;
  };
  c.record = take();
  c.members = take();
  return {std::move(c), std::move(aborted)};
}

} // namespace

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

void rocks_store::write(const std::vector<log_batch>& batches) {
  rocksdb::WriteBatch all;
  for (const auto& b : batches)
    add(all, b);
  rocksdb::WriteOptions synced;
  synced.sync = true;
  must(db_->Write(synced, &all), "writing the log", settings_.folder);
  ++syncs_;
  batches_ += batches.size();
  log_bytes_ += all.GetDataSize();
  for (const auto& b : batches) {
    if (!b.append.empty())
      mark_->set(b.partition, b.append.back().index);
    else if (b.truncate_from)
      mark_->set(b.partition, std::min(mark_->of(b.partition), *b.truncate_from - 1));
  }
  mark_->save();
}

void rocks_store::add(rocksdb::WriteBatch& out, const log_batch& b) {
  if (b.vote)
    out.Put(meta_, meta_key('V', b.partition), encode_vote(*b.vote));
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
    std::string attempt;
    append_be(attempt, *b.checkpoint_attempt);
    out.Put(meta_, meta_key('A', b.partition), attempt);
  }
  if (b.checkpoint)
    add_checkpoint(out, b);
}

void rocks_store::add_checkpoint(rocksdb::WriteBatch& out, const log_batch& b) {
  for (auto event : b.forgotten)
    out.DeleteRange(state_, group_prefix(b.partition, event.value), group_prefix(b.partition, event.value + 1ull));
  std::lock_guard lock{versions_lock_};
  auto& known = versions_[b.partition];
  for (auto number = known.in_force + 1; number < b.checkpoint->number; ++number)
    known.aborted.insert(number);
  known.in_force = b.checkpoint->number;
  out.Put(meta_, meta_key('C', b.partition), encode_checkpoint(*b.checkpoint, known.aborted));
}

void rocks_store::append_feed(partition_id partition, log_index index, std::string_view record) {
  rocksdb::WriteOptions unlogged;
  unlogged.disableWAL = true;
  must(db_->Put(unlogged, feed_, index_key(partition, index), slice(record)), "writing the feed", settings_.folder);
}

void rocks_store::put_pieces(partition_id partition, std::uint64_t checkpoint, const std::vector<piece_write>& pieces) {
  rocksdb::WriteBatch all;
  for (const auto& p : pieces) {
    auto key = piece_key(entity_prefix(partition, p.of), p.number, checkpoint);
    rocksdb::Slice key_parts[] = {slice(key)};
    char flag = p.bytes ? 1 : 0;
    rocksdb::Slice value_parts[] = {rocksdb::Slice(&flag, 1), p.bytes ? slice(*p.bytes) : rocksdb::Slice()};
    all.Put(state_, rocksdb::SliceParts(key_parts, 1), rocksdb::SliceParts(value_parts, 2));
  }
  piece_bytes_ += all.GetDataSize();
  rocksdb::WriteOptions unlogged;
  unlogged.disableWAL = true;
  must(db_->Write(unlogged, &all), "writing a checkpoint", settings_.folder);
}

void rocks_store::flush() {
  rocksdb::FlushOptions wait;
  wait.wait = true;
  wait.allow_write_stall = false;
  must(db_->Flush(wait, state_), "flushing a checkpoint", settings_.folder);
  must(db_->Flush(wait, feed_), "flushing the feed", settings_.folder);
}

void rocks_store::clean(partition_id partition, const std::vector<std::pair<entity_ref, std::uint32_t>>& pieces) {
  auto known = versions_of(partition);
  rocksdb::WriteBatch all;
  rocksdb::ReadOptions read;
  read.prefix_same_as_start = true;
  std::unique_ptr<rocksdb::Iterator> at{db_->NewIterator(read, state_)};
  for (const auto& [of, number] : pieces) {
    auto prefix = entity_prefix(partition, of);
    bool newest_seen = false;
    for (at->Seek(piece_key(prefix, number, known.in_force)); at->Valid(); at->Next()) {
      auto key = view(at->key());
      if (!key.starts_with(prefix) || key.size() != prefix.size() + version_suffix || piece_of(key) != number)
        break;
      bool gone = !at->value().empty() && at->value()[0] == 0;
      bool newest = !newest_seen && known.visible(checkpoint_of(key));
      newest_seen = newest_seen || newest;
      if (!newest || gone)
        all.Delete(state_, at->key());
    }
    must(at->status(), "cleaning up checkpoints", settings_.folder);
  }
  if (all.Count() == 0)
    return;
  rocksdb::WriteOptions unlogged;
  unlogged.disableWAL = true;
  must(db_->Write(unlogged, &all), "cleaning up checkpoints", settings_.folder);
}

recovered rocks_store::recover(partition_id partition) {
  recovered found;
  auto get = [&](char what) -> std::optional<std::string> {
    std::string value;
    auto status = db_->Get({}, meta_, meta_key(what, partition), &value);
    if (status.IsNotFound())
      return std::nullopt;
    must(status, "reading", settings_.folder);
    return value;
  };
  if (auto vote = get('V'))
    found.vote = vote_record{read_be<std::uint64_t>(*vote), {read_be<std::uint32_t>(std::string_view{*vote}.substr(8))}};
  if (auto attempt = get('A'))
    found.attempts = read_be<std::uint64_t>(*attempt);
  versions known;
  if (auto bytes = get('C')) {
    auto [checkpoint, aborted] = decode_checkpoint(*bytes);
    known = {checkpoint.number, std::move(aborted)};
    found.checkpoint = std::move(checkpoint);
  }
  {
    std::lock_guard lock{versions_lock_};
    versions_[partition] = std::move(known);
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

loaded_pieces rocks_store::load(partition_id partition, const entity_ref& of) {
  auto known = versions_of(partition);
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
    if (done == number || !known.visible(checkpoint_of(key)))
      continue;
    done = number;
    auto value = view(at->value());
    if (!value.empty() && value[0] != 0)
      pieces.emplace_back(number, std::string{value.substr(1)});
  }
  must(at->status(), "reading a checkpoint", settings_.folder);
  return pieces;
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

rocks_store::versions rocks_store::versions_of(partition_id partition) const {
  std::lock_guard lock{versions_lock_};
  auto known = versions_.find(partition);
  return known == versions_.end() ? versions{} : known->second;
}

} // namespace sluice::storage
