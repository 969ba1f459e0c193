// The one thread that writes the log of all partitions: whatever gathered while the last sync ran goes into the next.
#pragma once

#include "storage/log_store.hpp"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace sluice::storage {

/// What became durable, in the order it was submitted.
struct durable {
  partition_id partition;
  std::uint64_t write_id = 0;       // 0: none was asked for
  std::uint64_t checkpoint = 0;     // put in force by it; 0: none
  std::uint64_t attempt = 0;        // checkpoint begun by it; 0: none
  bool installed = false;           // something took the place of all there was
  std::chrono::microseconds took{}; // to write and sync
};

/// Group commit. Any thread may submit; completions come from the writer's thread, at most one call per sync.
class log_writer {
public:
  using on_durable = std::function<void(const std::vector<durable>&)>;

  log_writer(log_store& store, on_durable done);
  ~log_writer();
  log_writer(const log_writer&) = delete;
  log_writer& operator=(const log_writer&) = delete;

  void submit(log_batch batch, std::uint64_t write_id);
  /// Written after the next sync, without one of its own.
  void append_feed(partition_id partition, log_index index, std::string record);
  /// Blocks until all feed records submitted before are in the store.
  void drain_feed();
  /// Writes what was submitted, then ends. No submission may follow.
  void stop();

  struct figures {
    std::uint64_t backlog = 0; // batches waiting
    std::uint64_t syncs = 0;
    std::uint64_t sync_us_total = 0;
    std::uint64_t sync_us_max = 0; // since the last call of `count`
  };

  figures count();

private:
  struct feed_record {
    partition_id partition;
    log_index index;
    std::string record;
  };

  void run();

  log_store& store_;
  on_durable done_;
  std::mutex lock_;
  std::condition_variable wake_;
  std::condition_variable fed_;
  std::vector<log_batch> batches_;
  std::vector<durable> waiting_;
  std::vector<feed_record> feed_;
  std::uint64_t feed_submitted_ = 0;
  std::uint64_t feed_written_ = 0;
  bool stopping_ = false;
  std::atomic<std::uint64_t> backlog_{0};
  std::atomic<std::uint64_t> syncs_{0};
  std::atomic<std::uint64_t> sync_us_total_{0};
  std::atomic<std::uint64_t> sync_us_max_{0};
  std::thread thread_;
};

} // namespace sluice::storage
