// Which checkpoint numbers' pieces count, for one partition replica. Plain data.
#pragma once

#include <cstdint>
#include <set>

namespace sluice::storage {

/// Invariant: a number below `base`, or in `aborted`, never comes into force again.
struct piece_versions {
  std::uint64_t base = 0; // of the image installed last; 0: there never was one
  std::uint64_t in_force = 0;
  std::set<std::uint64_t> aborted; // begun, never in force

  bool dead(std::uint64_t number) const { return number < base || aborted.contains(number); }

  bool visible(std::uint64_t number) const { return number <= in_force && !dead(number); }

  /// An own checkpoint is in force. True if numbers before it turn out never to have been.
  bool commit(std::uint64_t number) {
    bool skipped = false;
    for (auto between = in_force + 1; between < number; ++between)
      skipped = aborted.insert(between).second || skipped;
    in_force = number;
    return skipped;
  }

  /// A fetched image is in force, and nothing else.
  void install(std::uint64_t number) {
    base = in_force = number;
    aborted.erase(aborted.begin(), aborted.upper_bound(number));
  }
};

} // namespace sluice::storage
