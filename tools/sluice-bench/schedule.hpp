// Open loop: when each arrival is due is fixed before the first one leaves, and latency counts from then. A server that
// stalls is charged for everyone who would have come meanwhile (no coordinated omission).
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

namespace sluice::bench {

using clock = std::chrono::steady_clock;
using time_point = clock::time_point;
using nanoseconds = std::chrono::nanoseconds;

/// Offsets from the stage's start, one after the other. A constant rate, or a wave around it.
class schedule {
public:
  /// `per_second` arrivals until `length`.
  static schedule constant(double per_second, nanoseconds length);
  /// The rate swings between mean × (1 - depth) and mean × (1 + depth).
  static schedule wave(double mean_per_second, double depth, nanoseconds period, nanoseconds length);
  /// `count` arrivals at once.
  static schedule burst(std::uint64_t count);

  /// Arrivals per second over the whole; 0 of a burst.
  double mean_rate() const { return rate_; }

  /// When the next one is due; empty after the last.
  std::optional<nanoseconds> next() const;
  void advance();

  /// Every `share`-th arrival, beginning with the `first`: what one of several threads sends.
  schedule part(unsigned first, unsigned share) const;

private:
  nanoseconds due(std::uint64_t nth) const;

  double rate_ = 0;
  double depth_ = 0;
  double period_ = 1; // seconds
  nanoseconds length_{};
  std::uint64_t burst_ = 0; // set: that many at offset 0
  std::uint64_t nth_ = 0;
  std::uint64_t step_ = 1;
};

/// Those who are due and have not been served. Pure: the time comes in.
class arrivals {
public:
  arrivals(schedule plan, time_point start) : plan_{plan}, start_{start} {}

  /// Lets everyone due by `now` arrive.
  void advance(time_point now);

  bool waiting() const { return !line_.empty(); }

  std::size_t count() const { return line_.size(); }

  /// The longest waiting: when he was due, which his latency counts from.
  time_point take();

  /// When the next one comes; empty if nobody does.
  std::optional<time_point> next_due() const;

private:
  schedule plan_;
  time_point start_;
  std::deque<time_point> line_;
};

} // namespace sluice::bench
