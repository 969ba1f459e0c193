// A disk in memory with the semantics of the node's store: batches are atomic and durable when the call returns, feed and
// checkpoint pieces are not until a flush, and the power may go before or after any call.
#pragma once

#include "scene.hpp"

#include "storage/log_store.hpp"
#include "storage/piece_versions.hpp"
#include "storage/snapshot_chunk.hpp"

#include <functional>
#include <map>

namespace sluice::simulation {

enum class storage_call : std::uint8_t { write, commit, feed, pieces, flush, clean, load };

/// Owned by one node; survives its crashes.
class sim_disk final : public storage::log_store {
public:
  explicit sim_disk(scene& run) : run_{run} {}

  /// True once the power went: calls do nothing until `power_on`.
  bool dead() const { return dead_; }

  /// Loses what was not flushed, or part of it, and lets calls through again.
  void power_on();

  void write(const std::vector<storage::log_batch>& batches) override;
  void append_feed(partition_id partition, log_index index, std::string_view record) override;
  void put_feed(partition_id partition, const std::vector<storage::feed_write>& records) override;
  void put_pieces(partition_id partition, std::uint64_t checkpoint,
                  const std::vector<storage::piece_write>& pieces) override;
  void flush() override;
  void clean(partition_id partition, const std::vector<std::pair<entity_ref, std::uint32_t>>& pieces) override;
  void abandon(partition_id partition, std::uint64_t checkpoint) override;
  std::string sweep(partition_id partition, std::string_view position) override;
  std::unique_ptr<const storage::checkpoint_image> pin(partition_id partition, std::uint64_t number) override;
  storage::recovered recover(partition_id partition) override;
  loaded_pieces load(partition_id partition, const entity_ref& of) override;
  std::vector<storage::stored_entry> read_log(partition_id partition, log_index first, log_index last,
                                              std::size_t max_bytes) override;
  void scan_feed(partition_id partition, log_index after,
                 const std::function<bool(log_index, std::string_view)>& visit) override;
  std::optional<std::string> get_fact(std::string_view name) override;
  void put_fact(std::string_view name, std::string_view value) override;

  figures count() const override { return figures_; }

  /// Of the checkpoint in force; 0: none. Changes nothing, while `recover` is for who starts: it declares dead what was being written.
  log_index checkpoint_index(partition_id partition) const;

  // ---- what happens to disks ----
  /// No room until then: the node stops with its next write, and can not start.
  void fill(micros until) { full_until_ = until; }

  micros full_until() const { return full_until_; }

  /// The replica never was here; or a part of its log, at least, is gone, and no record says so yet.
  void lose_all(partition_id partition);
  void lose_tail(partition_id partition);
  /// One entry that a restart would read is another now, and its checksum tells; those behind it are still there.
  /// False: there is none.
  bool corrupt_tail(partition_id partition);
  /// The partition's own piece of the checkpoint says another state; false: there is no checkpoint.
  bool flip_state(partition_id partition);

  /// The node can not find that out: it is told.
  bool was_lost(partition_id partition) const { return lost_.contains(partition); }

  bool has_lost(partition_id partition) const {
    auto known = shelves_.find(partition);
    return was_lost(partition) || (known != shelves_.end() && !known->second.corrupt.empty());
  }

  bool knows(partition_id partition) const { return shelves_.contains(partition); }

  std::vector<partition_id> partitions() const;

  /// Everything that has pieces in the checkpoint in force; for checkers, costs no power.
  std::vector<entity_ref> stored_entities(partition_id partition) const;
  loaded_pieces peek(partition_id partition, const entity_ref& of) const;

private:
  /// What was not flushed is lost or kept in the order it was written: whoever keeps a thing keeps all before it.
  using sequence = std::uint64_t;

  struct version {
    std::optional<std::string> bytes; // empty: the piece is gone
    sequence put_at = 0;
    sequence cleaned_at = 0; // 0: it was not
  };

  using versions = std::map<std::uint64_t, version, std::greater<>>; // newest first

  struct feed_record {
    std::string bytes;
    sequence put_at = 0;
  };

  struct shelf {
    std::optional<storage::vote_record> vote;
    std::uint64_t attempts = 0;
    std::optional<storage::checkpoint_record> checkpoint;
    storage::piece_versions numbers;
    std::map<log_index, storage::stored_entry> log;
    std::set<log_index> corrupt; // of the log
    std::map<entity_ref, std::map<std::uint32_t, versions>> pieces;
    std::map<log_index, feed_record> feed;

    void install(const storage::checkpoint_record& c);
  };

  /// Removes the versions of one piece that no load can see any more.
  void sweep_piece(const storage::piece_versions& numbers, versions& all);

  /// Draws whether the power goes at this point of a call.
  bool power_goes(storage_call call, bool before);
  void apply(shelf& s, const storage::log_batch& b);
  /// The last unflushed call a crash leaves.
  sequence kept_up_to();

  scene& run_;
  bool dead_ = false;
  sequence last_ = 0;
  sequence flushed_ = 0;
  std::map<partition_id, shelf> shelves_;
  std::set<partition_id> lost_; // until their votes say that they rejoin
  micros full_until_ = 0;
  std::map<std::string, std::string, std::less<>> facts_;
  figures figures_;
};

} // namespace sluice::simulation
