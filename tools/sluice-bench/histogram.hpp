// Latencies in bounded memory: log-linear buckets, less than 1 % wide.
#pragma once

#include <bit>
#include <chrono>
#include <cstdint>
#include <vector>

namespace sluice::bench {

/// Counts values of 0 .. 2^42 ns (73 minutes; more counts as that). Not thread-safe: one per thread, merged at the end.
class histogram {
public:
  histogram() : counts_(size) {}

  void record(std::chrono::nanoseconds value) {
    auto ns = value.count() < 0 ? 0 : static_cast<std::uint64_t>(value.count());
    ++counts_[index_of(ns)];
    ++count_;
    sum_ += ns;
    max_ = ns > max_ ? ns : max_;
    min_ = ns < min_ ? ns : min_;
  }

  void merge(const histogram& other);

  void clear() { *this = histogram{}; }

  std::uint64_t count() const { return count_; }

  /// The value that a share of `quantile` (0 .. 1) is not above, never above the greatest one seen.
  std::chrono::nanoseconds at(double quantile) const;

  std::chrono::nanoseconds max() const { return std::chrono::nanoseconds{static_cast<std::int64_t>(max_)}; }

  std::chrono::nanoseconds min() const {
    return std::chrono::nanoseconds{count_ ? static_cast<std::int64_t>(min_) : 0};
  }

  std::chrono::nanoseconds mean() const;

private:
  // Values below 2^7 have a bucket each; each power of two above is cut into 2^7 equal buckets.
  static constexpr unsigned fine_bits = 7;
  static constexpr unsigned top_bit = 42;
  static constexpr std::size_t size = (top_bit - fine_bits + 2) << fine_bits;

  static std::size_t index_of(std::uint64_t ns) {
    if (ns >> top_bit != 0)
      ns = (std::uint64_t{1} << top_bit) - 1;
    if (ns >> fine_bits == 0)
      return static_cast<std::size_t>(ns);
    auto shift = static_cast<unsigned>(std::bit_width(ns)) - 1 - fine_bits;
    return (std::size_t{shift} << fine_bits) + static_cast<std::size_t>(ns >> shift);
  }

  static std::uint64_t upper_edge(std::size_t index);

  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t max_ = 0;
  std::uint64_t min_ = ~std::uint64_t{0};
};

} // namespace sluice::bench
