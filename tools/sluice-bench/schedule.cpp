#include "sluice-bench/schedule.hpp"

#include <cmath>
#include <numbers>

namespace sluice::bench {

schedule schedule::constant(double per_second, nanoseconds length) {
  schedule s;
  s.rate_ = per_second;
  s.length_ = length;
  return s;
}

schedule schedule::wave(double mean_per_second, double depth, nanoseconds period, nanoseconds length) {
  auto s = constant(mean_per_second, length);
  s.depth_ = depth;
  s.period_ = std::chrono::duration<double>(period).count();
  return s;
}

schedule schedule::burst(std::uint64_t count) {
  schedule s;
  s.burst_ = count;
  return s;
}

nanoseconds schedule::due(std::uint64_t nth) const {
  if (burst_ > 0)
    return {};
  auto seconds = static_cast<double>(nth) / rate_;
  if (depth_ > 0) {
    // The n-th arrival is where the integral of the rate reaches n: found by halving, since it only rises.
    auto integral = [&](double t) {
      auto turn = 2 * std::numbers::pi / period_;
      return rate_ * (t + depth_ / turn * (1 - std::cos(turn * t)));
    };
    double low = std::max(0.0, seconds - period_);
    double high = seconds + period_;
    for (int i = 0; i < 50; ++i) {
      auto middle = (low + high) / 2;
      (integral(middle) < static_cast<double>(nth) ? low : high) = middle;
    }
    seconds = high;
  }
  return std::chrono::duration_cast<nanoseconds>(std::chrono::duration<double>(seconds));
}

std::optional<nanoseconds> schedule::next() const {
  if (burst_ > 0)
    return nth_ < burst_ ? std::optional{nanoseconds{}} : std::nullopt;
  if (rate_ <= 0)
    return std::nullopt;
  auto at = due(nth_);
  return at < length_ ? std::optional{at} : std::nullopt;
}

void schedule::advance() {
  nth_ += step_;
}

schedule schedule::part(unsigned first, unsigned share) const {
  auto mine = *this;
  mine.nth_ = first;
  mine.step_ = share;
  return mine;
}

void arrivals::advance(time_point now) {
  while (auto at = plan_.next()) {
    if (start_ + *at > now)
      return;
    line_.push_back(start_ + *at);
    plan_.advance();
  }
}

time_point arrivals::take() {
  auto due = line_.front();
  line_.pop_front();
  return due;
}

std::optional<time_point> arrivals::next_due() const {
  auto at = plan_.next();
  return at ? std::optional{start_ + *at} : std::nullopt;
}

} // namespace sluice::bench
