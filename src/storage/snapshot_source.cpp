#include "storage/snapshot_source.hpp"

#include "core/packed_bytes.hpp"

#include <algorithm>

namespace sluice::storage {

namespace {

/// Fills one chunk with records, up to `limit` bytes or one record.
class filling {
public:
  explicit filling(std::size_t limit) : limit_{limit} {}

  /// Both return false once the chunk is full: the record then belongs to the next.
  bool add(const entity_ref& of, std::uint32_t number, std::string_view bytes) {
    if (!fits(piece_record_size(of, bytes)))
      return false;
    append_piece(records_, of, number, bytes);
    last_piece_ = {of, number};
    return true;
  }

  bool add(log_index index, std::string_view record) {
    if (!fits(feed_record_size(record)))
      return false;
    append_feed_record(records_, index, record);
    last_feed_ = index;
    return true;
  }

  bool full() const { return full_; }

  /// Can not be sent at all.
  bool too_large() const { return records_.size() > chunk_unpacked_max; }

  const std::string& records() const { return records_; }

  /// Behind the last record.
  std::string position() const { return last_feed_ ? position_of(*last_feed_) : position_of(last_piece_); }

private:
  bool fits(std::size_t size) {
    full_ = !records_.empty() && records_.size() + size > limit_;
    return !full_;
  }

  std::size_t limit_;
  std::string records_;
  checkpoint_image::place last_piece_;
  std::optional<log_index> last_feed_;
  bool full_ = false;
};

} // namespace

giving snapshot_source::give(node_id peer, const chunk_place& at, log_index index, std::size_t bytes_max, host_time now,
                             snapshot_part& out) {
  bool first = at.position.empty();
  auto record = record_of(peer, at.partition, at.number);
  if (first && !record) {
    if (open(peer, at.partition, at.number, now) == pinning::busy)
      return giving::busy;
    record = record_of(peer, at.partition, at.number);
  }
  if (!record || (index != 0 && record->index != index))
    return giving::gone;
  auto chunk = read(peer, at, bytes_max, now);
  if (!chunk)
    return giving::gone;
  out.chunk = std::move(*chunk);
  if (first)
    out.record = std::move(record->record);
  return giving::given;
}

pinning snapshot_source::open(node_id peer, partition_id partition, std::uint64_t number, host_time now) {
  release_idle(now);
  {
    std::lock_guard lock{lock_};
    sessions_.erase({peer, partition});
    if (sessions_.size() >= pins_max)
      return pinning::busy;
  }
  std::shared_ptr<const checkpoint_image> image = store_.pin(partition, number);
  if (!image)
    return pinning::not_in_force;
  std::lock_guard lock{lock_};
  if (sessions_.size() >= pins_max)
    return pinning::busy;
  sessions_[{peer, partition}] = {std::move(image), now};
  return pinning::pinned;
}

std::optional<checkpoint_record> snapshot_source::record_of(node_id peer, partition_id partition,
                                                            std::uint64_t number) const {
  auto image = image_of(peer, partition, number);
  return image ? std::make_optional(image->record()) : std::nullopt;
}

std::optional<snapshot_chunk> snapshot_source::read(node_id peer, const chunk_place& at, std::size_t bytes_max,
                                                    host_time now) {
  release_idle(now);
  auto image = image_of(peer, at.partition, at.number);
  auto from = read_position(at.position);
  if (!image || !from)
    return std::nullopt;
  {
    std::lock_guard lock{lock_};
    if (auto s = sessions_.find({peer, at.partition}); s != sessions_.end())
      s->second.last_read = now;
  }
  filling chunk{std::clamp(bytes_max, bytes_min_, chunk_bytes_max)};
  if (!from->feed)
    image->scan_pieces(from->piece ? &*from->piece : nullptr,
                       [&](const entity_ref& of, std::uint32_t number, std::string_view bytes) {
                         return chunk.add(of, number, bytes);
                       });
  if (!chunk.full())
    image->scan_feed(from->feed.value_or(0),
                     [&](log_index index, std::string_view record) { return chunk.add(index, record); });
  if (chunk.too_large())
    return std::nullopt;
  snapshot_chunk made;
  if (chunk.full())
    made.next = chunk.position();
  made.bytes = pack(chunk.records());
  made.checksum = checksum_of(at, made);
  return made;
}

void snapshot_source::close(node_id peer, partition_id partition) {
  std::lock_guard lock{lock_};
  sessions_.erase({peer, partition});
}

void snapshot_source::release_idle(host_time now) {
  std::lock_guard lock{lock_};
  std::erase_if(sessions_, [&](const auto& s) { return now - s.second.last_read >= idle_max; });
}

std::size_t snapshot_source::pins() const {
  std::lock_guard lock{lock_};
  return sessions_.size();
}

std::shared_ptr<const checkpoint_image> snapshot_source::image_of(node_id peer, partition_id partition,
                                                                  std::uint64_t number) const {
  std::lock_guard lock{lock_};
  auto s = sessions_.find({peer, partition});
  if (s == sessions_.end() || s->second.image->record().number != number)
    return nullptr;
  return s->second.image;
}

} // namespace sluice::storage
