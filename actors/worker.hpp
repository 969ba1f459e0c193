// A thread for what blocks: its jobs run one after the other, in order.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace sluice::actors {

/// Any thread may hand in jobs. Jobs not begun when it stops are dropped.
class worker {
public:
  /// `nice` above 0 lets others go first when cores are scarce.
  explicit worker(std::string name, int nice = 0);
  ~worker();
  worker(const worker&) = delete;
  worker& operator=(const worker&) = delete;

  /// False: too many wait, or it stopped.
  bool run(std::function<void()> job, std::size_t waiting_max = 10'000);
  void stop();

private:
  void loop(const std::string& name, int nice);

  std::mutex lock_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
  std::thread thread_;
};

} // namespace sluice::actors
