// All randomness of a run comes from its seed through one of these.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sluice::simulation {

/// SplitMix64: small, fast, the same everywhere.
class chance {
public:
  explicit chance(std::uint64_t seed) : state_{seed} {}

  std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15ull;
    auto z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }

  std::uint64_t below(std::uint64_t n) { return n < 2 ? 0 : next() % n; }

  std::int64_t between(std::int64_t low, std::int64_t high) {
    return high <= low ? low : low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low) + 1));
  }

  /// True `p` times in a million.
  bool millionth(std::uint64_t p) { return p != 0 && below(1'000'000) < p; }

  bool permille(std::uint64_t p) { return p != 0 && below(1'000) < p; }

  bool coin() { return (next() & 1) != 0; }

  /// Small and large magnitudes alike.
  std::int64_t spread(std::int64_t low, std::int64_t high) {
    auto top = low;
    while (top < high && below(4) != 0)
      top = top * 2 + 1 < high ? top * 2 + 1 : high;
    return between(low, top);
  }

  /// Around `mean`: the time to the next fault.
  std::int64_t about(std::int64_t mean) { return between(mean / 4, mean * 7 / 4); }

  template <class Container>
  auto& one_of(Container& all) {
    return all[static_cast<std::size_t>(below(all.size()))];
  }

private:
  std::uint64_t state_;
};

} // namespace sluice::simulation
