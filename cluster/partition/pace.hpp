// How many commands a leader puts into an entry, and how soon after the last one it begins.
#pragma once

#include "core/time.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace sluice::partition {

/// The answers to an entry leave together when it is executed, and while it is executed the next one is being written.
/// With much in one entry everybody waits for the last one's turn and the disk stands idle; with little, each sync carries
/// little. So an entry takes about as many commands as are executed while one is synced: 40 holds on a disk that syncs in
/// half a millisecond, all that is there if they are joins or if the disk is slow.
///
/// An entry wakes four threads, whatever it carries. Where several commands come in the time of one, the next waits until
/// it is full or 0.7 ms have passed: half of the peak then takes 48 us of CPU for a hold instead of 63. Who is alone
/// never waits.
///
/// Up to three of them are under way at a time: neither the disk nor the entities then stand idle while somebody else has
/// the core (8 % more holds where client and node share two).
/// Owned by one partition core. Smoothed over some eight entries.
class pace {
public:
  static constexpr std::size_t least = 32;
  static constexpr std::size_t several = 4;
  static constexpr std::chrono::microseconds apart{700};
  static constexpr std::size_t under_way_max = 3;

  /// An entry of so many commands was proposed.
  void proposed(host_time at, std::size_t commands) {
    next_ = commands < several ? std::nullopt : std::optional{at + apart};
  }

  /// When the next one may begin, if it is not full; nothing: when none is under way.
  std::optional<host_time> next() const { return next_; }

  bool may_begin(host_time now, std::size_t under_way) const { return next_ ? *next_ <= now : under_way == 0; }

  /// A write of this replica took so long; 0: not known.
  void synced(std::chrono::microseconds took) {
    if (took.count() > 0)
      smooth(sync_ns_, took, 1);
  }

  void began(host_time at) { began_ = at; }

  void executed(host_time at, std::size_t commands) {
    if (commands > 0)
      smooth(command_ns_, at - began_, static_cast<std::int64_t>(commands));
  }

  /// At most `most`, which may be less than `least`.
  std::size_t entry_commands(std::size_t most) const {
    if (command_ns_ <= 0)
      return most;
    auto fit = std::max(sync_ns_, shortest_sync_ns) / command_ns_;
    return std::min(most, std::max(least, static_cast<std::size_t>(fit)));
  }

private:
  static constexpr std::int64_t shortest_sync_ns = 500'000;

  static void smooth(std::int64_t& value, host_time::duration took, std::int64_t units) {
    auto sample = std::chrono::duration_cast<std::chrono::nanoseconds>(took).count() / units;
    value = value == 0 ? sample : value + (sample - value) / 8;
  }

  std::optional<host_time> next_;
  host_time began_{};
  std::int64_t sync_ns_ = 0;
  std::int64_t command_ns_ = 0; // of its execution
};

} // namespace sluice::partition
