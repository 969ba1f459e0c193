#include "sluice-bench/histogram.hpp"

#include <algorithm>
#include <cmath>

namespace sluice::bench {

void histogram::merge(const histogram& other) {
  for (std::size_t i = 0; i < size; ++i)
    counts_[i] += other.counts_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
  min_ = std::min(min_, other.min_);
}

std::chrono::nanoseconds histogram::at(double quantile) const {
  if (count_ == 0)
    return {};
  auto wanted = static_cast<std::uint64_t>(std::ceil(quantile * static_cast<double>(count_)));
  wanted = std::clamp<std::uint64_t>(wanted, 1, count_);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < size; ++i) {
    seen += counts_[i];
    if (seen >= wanted)
      return std::chrono::nanoseconds{static_cast<std::int64_t>(std::min(upper_edge(i), max_))};
  }
  return max();
}

std::chrono::nanoseconds histogram::mean() const {
  return std::chrono::nanoseconds{count_ ? static_cast<std::int64_t>(sum_ / count_) : 0};
}

std::uint64_t histogram::upper_edge(std::size_t index) {
  constexpr std::size_t fine = std::size_t{1} << fine_bits;
  if (index < 2 * fine)
    return index; // one value each: below 2^7, and the first power of two above
  auto shift = (index >> fine_bits) - 1;
  auto head = index - (shift << fine_bits);
  return ((std::uint64_t{head} + 1) << shift) - 1;
}

} // namespace sluice::bench
