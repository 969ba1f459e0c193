// The giving end of a checkpoint's way to another replica: pins it, and reads it out in chunks as the peer asks for them.
#pragma once

#include "core/time.hpp"
#include "storage/log_store.hpp"
#include "storage/snapshot_chunk.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace sluice::storage {

/// What one question brings: with the first chunk, the partition's own piece as well.
struct snapshot_part {
  snapshot_chunk chunk;
  std::string record;
};

enum class giving : std::uint8_t {
  given,
  gone, // not pinned any more, or never was
  busy, // others are being served: ask again later
};

enum class pinning : std::uint8_t {
  pinned,
  not_in_force, // another checkpoint is in force by now, or none: begin anew with that one
  busy,         // others are being served: ask again later
};

/// Thread-safe; reads run on the caller's thread, which should be a background one. One session per peer and partition.
/// A pin holds disk space of old versions, so it ends when the peer does not read for a while.
/// The stream of chunks: all pieces of the checkpoint, in key order, then the facts of all entries up to its index.
class snapshot_source {
public:
  static constexpr std::size_t pins_max = 8;
  static constexpr std::chrono::seconds idle_max{30};

  /// Chunks hold at least `bytes_min`, if there is as much.
  explicit snapshot_source(log_store& store, std::size_t bytes_min = chunk_bytes_min)
      : store_{store}, bytes_min_{bytes_min} {}

  /// All that a peer pulls: the chunk at `at`, from a checkpoint that is pinned with the first one. One of another index than
  /// `index` is another one under the same number, which happens where a disk was replaced; 0: whatever it is.
  giving give(node_id peer, const chunk_place& at, log_index index, std::size_t bytes_max, host_time now,
              snapshot_part& out);

  /// Pins checkpoint `number` if it is the one in force right now. Opening again replaces the peer's session.
  pinning open(node_id peer, partition_id partition, std::uint64_t number, host_time now);

  /// Index, term, the partition's own piece and the members of the pinned checkpoint: they travel beside the chunks.
  /// Empty: not pinned any more.
  std::optional<checkpoint_record> record_of(node_id peer, partition_id partition, std::uint64_t number) const;

  /// The chunk at `at`, about `bytes_max` unpacked (within `bytes_min` and chunk_bytes_max; a larger piece goes alone).
  /// Every position handed out works again, so a lost answer is asked for once more. Empty: not pinned any more, or
  /// not a position, or a piece is too large to travel at all (chunk_unpacked_max).
  std::optional<snapshot_chunk> read(node_id peer, const chunk_place& at, std::size_t bytes_max, host_time now);

  void close(node_id peer, partition_id partition);
  /// Ends sessions without a read for `idle_max`. `open` and `read` do so as well; call it now and then without them.
  void release_idle(host_time now);
  std::size_t pins() const;

private:
  struct session {
    std::shared_ptr<const checkpoint_image> image;
    host_time last_read{};
  };

  std::shared_ptr<const checkpoint_image> image_of(node_id peer, partition_id partition, std::uint64_t number) const;

  log_store& store_;
  std::size_t bytes_min_;
  mutable std::mutex lock_;
  std::map<std::pair<node_id, partition_id>, session> sessions_;
};

} // namespace sluice::storage
