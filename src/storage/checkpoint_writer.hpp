// The background thread that encodes and writes checkpoints, away from the log's path.
#pragma once

#include "storage/log_store.hpp"
#include "storage/log_writer.hpp"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace sluice::storage {

/// Any thread may call; `flushed` is called from the writer's thread.
class checkpoint_writer {
public:
  using on_flushed = std::function<void(partition_id, std::uint64_t checkpoint)>;

  /// `bytes_per_second` paces the writing, so that log syncs do not pay for it.
  checkpoint_writer(log_store& store, log_writer& log, on_flushed flushed, std::size_t bytes_per_second);
  ~checkpoint_writer();
  checkpoint_writer(const checkpoint_writer&) = delete;
  checkpoint_writer& operator=(const checkpoint_writer&) = delete;

  /// The attempt's number is durable: its pieces may be written. Until then they wait.
  void begun(partition_id partition, std::uint64_t checkpoint);
  void put(partition_id partition, std::uint64_t checkpoint, entity_ref of, record_pieces pieces);
  /// No more pieces come: makes them durable, then says so.
  void end(partition_id partition, std::uint64_t checkpoint);
  /// The checkpoint is in force: older versions of its pieces can go.
  void in_force(partition_id partition, std::uint64_t checkpoint);
  /// A fetched checkpoint, or nothing, took the place of all there was: everything else can go. To be said once after a
  /// start as well, for what the process before left behind; costs nothing if that is nothing.
  void installed(partition_id partition);
  /// A checkpoint that was being fetched never comes: what is here of it can go.
  void given_up(partition_id partition, std::uint64_t checkpoint);
  /// Drops what was not begun yet and ends. A checkpoint cut short was never in force.
  void stop();

private:
  struct job {
    enum class kind { put, end, clean, give_up, sweep } what;
    partition_id partition;
    std::uint64_t checkpoint = 0;
    entity_ref of{};
    record_pieces pieces{};
    std::string from{}; // where a sweep goes on
  };

  void add(job j);
  void run();
  void carry_out(job& j);
  void write(job& j);
  void flush_batch();
  void clean(partition_id partition);
  void sweep(partition_id partition, const std::string& from);

  static constexpr std::size_t batch_bytes_max = 64 * 1024;

  log_store& store_;
  log_writer& log_;
  on_flushed flushed_;
  std::size_t bytes_per_second_;
  std::mutex lock_;
  std::condition_variable wake_;
  std::deque<job> jobs_;
  std::map<partition_id, std::uint64_t> begun_;
  bool stopping_ = false;

  // the thread's own
  std::vector<piece_write> batch_;
  std::size_t batch_bytes_ = 0;
  partition_id batch_partition_;
  std::uint64_t batch_checkpoint_ = 0;
  std::map<partition_id, std::vector<std::pair<entity_ref, std::uint32_t>>> written_; // to clean once in force
  std::set<partition_id> sweeping_;
  std::thread thread_;
};

} // namespace sluice::storage
