// What happens next: one heap of events in virtual time, ties broken by the seed.
#pragma once

#include "chance.hpp"

#include "core/hash.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace sluice::simulation {

/// Virtual time since the run began.
using micros = std::int64_t;
constexpr micros ms = 1'000;
constexpr micros second = 1'000'000;

/// Owned by one run; single-threaded.
class agenda {
public:
  explicit agenda(std::uint64_t seed) : ties_{seed} {}

  micros now() const { return now_; }

  std::uint64_t steps() const { return steps_; }

  void at(micros when, std::function<void()> what) {
    auto slot = put(std::move(what));
    heap_.push_back({std::max(when, now_), ties_.next(), slot});
    std::push_heap(heap_.begin(), heap_.end(), later);
  }

  void after(micros delay, std::function<void()> what) { at(now_ + delay, std::move(what)); }

  bool empty() const { return heap_.empty(); }

  micros next() const { return heap_.front().at; }

  /// Nothing happens until then.
  void pass_to(micros when) { now_ = std::max(now_, when); }

  /// Runs the earliest event.
  void step() {
    std::pop_heap(heap_.begin(), heap_.end(), later);
    auto e = heap_.back();
    heap_.pop_back();
    now_ = e.at;
    ++steps_;
    hash_ = mix(hash_ ^ static_cast<std::uint64_t>(e.at) ^ e.tie);
    auto what = std::move(things_[e.slot]);
    things_[e.slot] = nullptr;
    free_.push_back(e.slot);
    what();
  }

  /// Stirs `what` into the run's fingerprint: two runs of one seed must end with the same.
  void note(std::uint64_t what) { hash_ = mix(hash_ ^ what); }

  std::uint64_t fingerprint() const { return hash_; }

private:
  struct entry {
    micros at;
    std::uint64_t tie;
    std::uint32_t slot;
  };

  static bool later(const entry& a, const entry& b) { return a.at != b.at ? a.at > b.at : a.tie > b.tie; }

  std::uint32_t put(std::function<void()> what) {
    if (free_.empty()) {
      things_.push_back(std::move(what));
      return static_cast<std::uint32_t>(things_.size() - 1);
    }
    auto slot = free_.back();
    free_.pop_back();
    things_[slot] = std::move(what);
    return slot;
  }

  chance ties_;
  micros now_ = 0;
  std::uint64_t steps_ = 0;
  std::uint64_t hash_ = 0;
  std::vector<entry> heap_;
  std::vector<std::function<void()>> things_;
  std::vector<std::uint32_t> free_;
};

} // namespace sluice::simulation
