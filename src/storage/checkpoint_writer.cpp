#include "storage/checkpoint_writer.hpp"

#include <algorithm>
#include <chrono>

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

namespace sluice::storage {

checkpoint_writer::checkpoint_writer(log_store& store, log_writer& log, on_flushed flushed,
                                     std::size_t bytes_per_second)
    : store_{store}, log_{log}, flushed_{std::move(flushed)}, bytes_per_second_{bytes_per_second}, thread_{[this] {
        run();
      }} {}

checkpoint_writer::~checkpoint_writer() {
  stop();
}

void checkpoint_writer::begun(partition_id partition, std::uint64_t checkpoint) {
  {
    std::lock_guard lock{lock_};
    begun_[partition] = checkpoint;
  }
  wake_.notify_one();
}

void checkpoint_writer::put(partition_id partition, std::uint64_t checkpoint, entity_ref of, record_pieces pieces) {
  add({job::kind::put, partition, checkpoint, std::move(of), std::move(pieces)});
}

void checkpoint_writer::end(partition_id partition, std::uint64_t checkpoint) {
  add({job::kind::end, partition, checkpoint});
}

void checkpoint_writer::in_force(partition_id partition, std::uint64_t checkpoint) {
  add({job::kind::clean, partition, checkpoint});
}

void checkpoint_writer::installed(partition_id partition) {
  add({job::kind::sweep, partition});
}

void checkpoint_writer::given_up(partition_id partition, std::uint64_t checkpoint) {
  add({job::kind::give_up, partition, checkpoint});
}

void checkpoint_writer::add(job j) {
  {
    std::lock_guard lock{lock_};
    jobs_.push_back(std::move(j));
  }
  wake_.notify_one();
}

void checkpoint_writer::stop() {
  {
    std::lock_guard lock{lock_};
    if (stopping_)
      return;
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void checkpoint_writer::run() {
  pthread_setname_np(pthread_self(), "checkpoint");
  // On Linux a thread has its own nice value: requests go first when cores are scarce.
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), 10);
  for (;;) {
    job j;
    {
      std::unique_lock lock{lock_};
      wake_.wait(lock, [&] {
        return stopping_ || (!jobs_.empty() && (jobs_.front().what != job::kind::put ||
                                                jobs_.front().checkpoint <= begun_[jobs_.front().partition]));
      });
      if (stopping_)
        return;
      j = std::move(jobs_.front());
      jobs_.pop_front();
    }
    carry_out(j);
  }
}

void checkpoint_writer::carry_out(job& j) {
  switch (j.what) {
  case job::kind::put:
    write(j);
    break;
  case job::kind::end:
    flush_batch();
    log_.drain_feed(); // facts of entries up to the cut must be in the feed before those entries may go
    store_.flush();
    flushed_(j.partition, j.checkpoint);
    break;
  case job::kind::clean:
    clean(j.partition);
    add({job::kind::sweep, j.partition}); // for what checkpoints cut short left behind
    break;
  case job::kind::give_up:
    store_.abandon(j.partition, j.checkpoint);
    add({job::kind::sweep, j.partition});
    break;
  case job::kind::sweep:
    sweep(j.partition, j.from);
    break;
  }
}

void checkpoint_writer::write(job& j) {
  if (j.partition != batch_partition_ || j.checkpoint != batch_checkpoint_)
    flush_batch();
  batch_partition_ = j.partition;
  batch_checkpoint_ = j.checkpoint;
  for (auto& piece : j.pieces) {
    piece_write w{j.of, piece.number, {}};
    if (piece.bytes)
      w.bytes = piece.bytes();
    batch_bytes_ += 64 + (w.bytes ? w.bytes->size() : 0);
    written_[j.partition].emplace_back(j.of, piece.number);
    batch_.push_back(std::move(w));
    if (batch_bytes_ >= batch_bytes_max)
      flush_batch();
  }
}

void checkpoint_writer::flush_batch() {
  if (batch_.empty())
    return;
  store_.put_pieces(batch_partition_, batch_checkpoint_, batch_);
  auto pause = std::chrono::microseconds{batch_bytes_ * 1'000'000 / bytes_per_second_};
  batch_.clear();
  batch_bytes_ = 0;
  std::this_thread::sleep_for(pause);
}

void checkpoint_writer::clean(partition_id partition) {
  constexpr std::size_t slice = 256;
  auto all = std::exchange(written_[partition], {});
  for (std::size_t from = 0; from < all.size(); from += slice) {
    auto to = std::min(all.size(), from + slice);
    store_.clean(partition,
                 {all.begin() + static_cast<std::ptrdiff_t>(from), all.begin() + static_cast<std::ptrdiff_t>(to)});
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
}

/// One slice; the next one queues up behind whatever else there is to do, so that no checkpoint waits for the end of it.
void checkpoint_writer::sweep(partition_id partition, const std::string& from) {
  if (from.empty() && !sweeping_.insert(partition).second)
    return; // the one under way sees to what came since it began
  auto began = std::chrono::steady_clock::now();
  auto next = store_.sweep(partition, from);
  if (next.empty()) {
    sweeping_.erase(partition);
    return;
  }
  // Half of the time at most.
  std::this_thread::sleep_for(
      std::max<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - began, std::chrono::milliseconds{1}));
  add({job::kind::sweep, partition, 0, {}, {}, std::move(next)});
}

} // namespace sluice::storage
