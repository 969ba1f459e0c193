// What a node keeps on its disk: log entries, votes, checkpoints and the feed of every partition replica. One store a node.
// The interface is what the rest of Sluice sees; RocksDB is behind it (rocks_store.hpp).
#pragma once

#include "core/entity.hpp"
#include "core/ids.hpp"
#include "core/record.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::storage {

/// One log entry as stored. Its checksum covers partition, index, term and bytes; a misplaced entry is found out.
struct stored_entry {
  log_index index = 0;
  log_term term = 0;
  std::uint8_t kind = 0;
  std::shared_ptr<const std::string> payload; // null: empty
};

struct vote_record {
  log_term term = 0;
  node_id vote{};
  bool rejoining = false; // the log was once lost or shortened

  friend bool operator==(const vote_record&, const vote_record&) = default;
};

/// The checkpoint to restart from: pieces with this number, or the newest before it that was in force.
struct checkpoint_record {
  std::uint64_t number = 0;
  log_index index = 0;
  log_term term = 0;
  std::string record;  // the partition's own piece
  std::string members; // the membership at `index`, encoded
};

/// A checkpoint fetched from another replica: a full image, which takes the place of everything the partition had here.
/// One at index 0 is of nothing: what a restart finds behind it is a replica without log or checkpoint (it was not to be
/// believed, or was moved away).
struct install_record {
  checkpoint_record checkpoint; // its number is one of this replica's own, above every one that was in force here
};

/// One partition's part of an atomic, synced write. Applied in field order.
struct log_batch {
  partition_id partition;
  std::optional<vote_record> vote;
  /// The log is emptied and starts anew after the image; pieces under any other number are out of sight for good, until
  /// `sweep` removes them. The image's pieces and feed were flushed before.
  std::optional<install_record> install;
  std::optional<log_index> truncate_from;
  std::vector<stored_entry> append;
  std::optional<log_index> drop_below;
  std::optional<std::uint64_t> checkpoint_attempt; // a checkpoint of this number begins
  std::optional<checkpoint_record> checkpoint;     // this one is in force from now on
  std::vector<event_number> forgotten;             // placement groups whose pieces go
};

/// What a restart finds of one partition.
struct recovered {
  std::optional<vote_record> vote;
  std::optional<checkpoint_record> checkpoint;
  std::uint64_t attempts = 0;
  std::vector<stored_entry> log; // after the checkpoint, contiguous
  /// Set when durable entries are missing or damaged: what is wrong. The replica must not vote with such a log.
  std::optional<std::string> damage;

  /// Of log or checkpoint; 0: there is neither.
  log_index last_index() const { return !log.empty() ? log.back().index : checkpoint ? checkpoint->index : 0; }
};

struct piece_write {
  entity_ref of;
  std::uint32_t number = 0;
  std::optional<std::string> bytes; // empty: the piece is gone
};

struct feed_write {
  log_index index = 0;
  std::string record;
};

/// Everything of the one checkpoint that was in force when it was pinned: later checkpoints and cleaning do not show.
/// Thread-safe. Must not outlive its store.
class checkpoint_image {
public:
  virtual ~checkpoint_image() = default;

  virtual const checkpoint_record& record() const = 0;

  struct place {
    entity_ref of;
    std::uint32_t number = 0; // of the piece
  };

  using piece_visitor = std::function<bool(const entity_ref&, std::uint32_t number, std::string_view bytes)>;
  using feed_visitor = std::function<bool(log_index, std::string_view)>;

  /// Calls `visit` for every piece behind `after` (null: from the first), by entity and number, until it returns false.
  virtual void scan_pieces(const place* after, const piece_visitor& visit) const = 0;
  /// The same for the facts of entries after `after` and up to the checkpoint's own index.
  virtual void scan_feed(log_index after, const feed_visitor& visit) const = 0;
};

/// Thread-safe unless said otherwise. Writes do not return errors: an I/O error on log, vote or checkpoint stops the
/// process with a message that names the path and the cause, since an fsync that failed once can not be trusted again.
class log_store {
public:
  virtual ~log_store() = default;

  /// Atomic and synced when it returns. Called by one thread.
  virtual void write(const std::vector<log_batch>& batches) = 0;

  /// Facts of one entry. Not synced: `flush` does that, before the log entries behind them are dropped.
  virtual void append_feed(partition_id partition, log_index index, std::string_view record) = 0;

  /// The same for many entries. May wait for the disk to catch up, so that log writes need not: for background threads.
  virtual void put_feed(partition_id partition, const std::vector<feed_write>& records) = 0;

  /// Pieces of a checkpoint not yet in force; of one that was given up or overtaken they are dropped. Not synced: `flush`
  /// does that. May wait for the disk to catch up, as `put_feed`.
  virtual void put_pieces(partition_id partition, std::uint64_t checkpoint, const std::vector<piece_write>& pieces) = 0;

  /// Makes the feed and all pieces put so far durable.
  virtual void flush() = 0;

  /// Removes versions of these pieces older than the one in force. Housekeeping: may be lost.
  virtual void clean(partition_id partition, const std::vector<std::pair<entity_ref, std::uint32_t>>& pieces) = 0;

  /// A checkpoint begun in this process never comes into force: a transfer failed. What was begun before a restart needs
  /// no such word. Its pieces are for `sweep`.
  virtual void abandon(partition_id partition, std::uint64_t checkpoint) = 0;

  /// One slice of the removal of pieces that no load can see any more, where an install, a crash or a transfer given up
  /// left some. Begins with an empty position and goes on with the one it returned; empty: there are none left, which is
  /// remembered. Returns at once if nothing was left behind. Housekeeping: may be lost, and is then done again.
  virtual std::string sweep(partition_id partition, std::string_view position) = 0;

  /// The image of checkpoint `number`; null unless it is the one in force.
  virtual std::unique_ptr<const checkpoint_image> pin(partition_id partition, std::uint64_t number) = 0;

  /// Not while a write of this partition is under way.
  virtual recovered recover(partition_id partition) = 0;

  /// The pieces of the checkpoint in force.
  virtual loaded_pieces load(partition_id partition, const entity_ref& of) = 0;

  /// Entries [first, last], stopping early at `max_bytes` but with at least one; empty when they are gone.
  virtual std::vector<stored_entry> read_log(partition_id partition, log_index first, log_index last,
                                             std::size_t max_bytes) = 0;

  /// Calls `visit(index, record)` in index order from `after` + 1 until it returns false.
  virtual void scan_feed(partition_id partition, log_index after,
                         const std::function<bool(log_index, std::string_view)>& visit) = 0;

  /// A few values of the node itself (its identity, its founding parameters); synced.
  virtual std::optional<std::string> get_fact(std::string_view name) = 0;
  virtual void put_fact(std::string_view name, std::string_view value) = 0;

  struct figures {
    std::uint64_t syncs = 0;
    std::uint64_t batches = 0;
    std::uint64_t log_bytes = 0;
    std::uint64_t piece_bytes = 0;
  };

  virtual figures count() const = 0;
};

} // namespace sluice::storage
