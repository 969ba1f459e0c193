#include "actors/worker.hpp"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

namespace sluice::actors {

worker::worker(std::string name, int nice) : thread_{[this, name = std::move(name), nice] { loop(name, nice); }} {}

worker::~worker() {
  stop();
}

bool worker::run(std::function<void()> job, std::size_t waiting_max) {
  {
    std::lock_guard lock{lock_};
    if (stopping_ || jobs_.size() >= waiting_max)
      return false;
    jobs_.push_back(std::move(job));
  }
  wake_.notify_one();
  return true;
}

void worker::stop() {
  {
    std::lock_guard lock{lock_};
    if (stopping_)
      return;
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void worker::loop(const std::string& name, int nice) {
  pthread_setname_np(pthread_self(), name.c_str());
  // On Linux a thread has its own nice value.
  if (nice > 0)
    setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), nice);
  for (;;) {
    std::function<void()> job;
    {
      std::unique_lock lock{lock_};
      wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
      if (stopping_)
        return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job();
  }
}

} // namespace sluice::actors
