#include "storage/log_writer.hpp"

#include <chrono>
#include <utility>

#include <pthread.h>

namespace sluice::storage {

log_writer::log_writer(log_store& store, on_durable done)
    : store_{store}, done_{std::move(done)}, thread_{[this] { run(); }} {}

log_writer::~log_writer() {
  stop();
}

void log_writer::submit(log_batch batch, std::uint64_t write_id) {
  durable d{batch.partition,
            write_id,
            batch.checkpoint ? batch.checkpoint->number : 0,
            batch.checkpoint_attempt.value_or(0),
            batch.install.has_value(),
            {}};
  bool first = false;
  {
    std::lock_guard lock{lock_};
    first = batches_.empty() && feed_.empty();
    batches_.push_back(std::move(batch));
    waiting_.push_back(d);
    backlog_ = batches_.size();
  }
  if (first)
    wake_.notify_one();
}

void log_writer::append_feed(partition_id partition, log_index index, std::string record) {
  bool first = false;
  {
    std::lock_guard lock{lock_};
    first = batches_.empty() && feed_.empty();
    feed_.push_back({partition, index, std::move(record)});
    ++feed_submitted_;
  }
  if (first)
    wake_.notify_one();
}

void log_writer::drain_feed() {
  std::unique_lock lock{lock_};
  auto until = feed_submitted_;
  fed_.wait(lock, [&] { return feed_written_ >= until; });
}

void log_writer::stop() {
  {
    std::lock_guard lock{lock_};
    if (stopping_)
      return;
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

log_writer::figures log_writer::count() {
  return {backlog_, syncs_, sync_us_total_, sync_us_max_.exchange(0)};
}

void log_writer::run() {
  pthread_setname_np(pthread_self(), "log-writer");
  std::vector<log_batch> batches;
  std::vector<durable> done;
  std::vector<feed_record> feed;
  for (;;) {
    {
      std::unique_lock lock{lock_};
      wake_.wait(lock, [&] { return stopping_ || !batches_.empty() || !feed_.empty(); });
      if (batches_.empty() && feed_.empty())
        return;
      batches.swap(batches_);
      done.swap(waiting_);
      feed.swap(feed_);
      backlog_ = 0;
    }
    if (!batches.empty()) {
      auto began = std::chrono::steady_clock::now();
      store_.write(batches);
      auto took = static_cast<std::uint64_t>(
          std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - began).count());
      ++syncs_;
      sync_us_total_ += took;
      if (took > sync_us_max_)
        sync_us_max_ = took;
      for (auto& d : done)
        d.took = std::chrono::microseconds{took};
      done_(done);
    }
    // After the completions: nobody waits for the feed.
    for (const auto& f : feed)
      store_.append_feed(f.partition, f.index, f.record);
    if (!feed.empty()) {
      std::lock_guard lock{lock_};
      feed_written_ += feed.size();
      fed_.notify_all();
    }
    batches.clear();
    done.clear();
    feed.clear();
  }
}

} // namespace sluice::storage
