// The node's two writer threads, on one thread and in virtual time: the log's, which groups what gathered into one synced
// write, and the checkpoints', which waits for the attempt to be durable, writes pieces, and flushes.
#pragma once

#include "node_clock.hpp"
#include "sim_disk.hpp"

#include "core/record.hpp"
#include "storage/snapshot_chunk.hpp"

#include <deque>
#include <functional>
#include <map>

namespace sluice::simulation {

/// Owned by one life of a node: dies with it.
class disk_writer {
public:
  struct durable {
    partition_id partition;
    std::uint64_t write_id = 0;   // 0: none was asked for
    std::uint64_t checkpoint = 0; // put in force by it; 0: none
    std::uint64_t attempt = 0;    // checkpoint begun by it; 0: none
    bool installed = false;       // a fetched checkpoint took the place of everything
  };

  using on_durable = std::function<void(const durable&)>;
  using on_flushed = std::function<void(partition_id, std::uint64_t)>;

  disk_writer(scene& run, node_clock& clock, sim_disk& disk, on_durable done, on_flushed flushed)
      : run_{run}, clock_{clock}, disk_{disk}, done_{std::move(done)}, flushed_{std::move(flushed)} {}

  void submit(storage::log_batch batch, std::uint64_t write_id);
  void append_feed(partition_id partition, log_index index, std::string record);
  void begun(partition_id partition, std::uint64_t checkpoint);
  void put(partition_id partition, std::uint64_t checkpoint, entity_ref of, record_pieces pieces);
  /// Of a checkpoint being fetched; `done` says whether the chunk was sound.
  void apply(const storage::chunk_place& at, std::uint64_t checkpoint, storage::snapshot_chunk chunk,
             std::function<void(bool)> done);
  void end(partition_id partition, std::uint64_t checkpoint);
  void in_force(partition_id partition);

  /// Syncs take long until then.
  void slow_down(micros until) { slow_until_ = until; }

  bool idle() const { return !syncing_ && jobs_.empty() && batches_.empty(); }

private:
  struct job {
    enum class kind { put, apply, end, clean } what;
    partition_id partition;
    std::uint64_t checkpoint = 0;
    entity_ref of;
    record_pieces pieces;
    storage::chunk_place at;
    storage::snapshot_chunk chunk;
    std::function<void(bool)> done;
  };

  void sync();
  void write_feed();
  void next_job();
  void run_job();

  scene& run_;
  node_clock& clock_;
  sim_disk& disk_;
  on_durable done_;
  on_flushed flushed_;

  bool syncing_ = false;
  micros slow_until_ = 0;
  std::vector<storage::log_batch> batches_;
  std::vector<durable> waiting_;

  struct feed_record {
    partition_id partition;
    log_index index;
    std::string record;
  };

  std::vector<feed_record> feed_;

  bool working_ = false;
  std::deque<job> jobs_;
  std::map<partition_id, std::uint64_t> begun_;
  std::map<partition_id, std::vector<std::pair<entity_ref, std::uint32_t>>> written_; // to clean once in force
};

} // namespace sluice::simulation
