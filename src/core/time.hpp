// The two times a command carries. Nothing here can read a clock: a machine knows only what its log entry says.
#pragma once

#include <chrono>
#include <cstdint>

namespace sluice {

using std::chrono::milliseconds;

/// Log time: milliseconds that passed in a partition while it had a leader. Never decreases, stops during an outage,
/// so that an outage lapses nobody's hold. Rates, TTLs and graces are measured in it.
struct log_clock {
  using rep = std::int64_t;
  using period = std::milli;
  using duration = milliseconds;
  using time_point = std::chrono::time_point<log_clock, milliseconds>;
  static constexpr bool is_steady = true;
};

using log_time = log_clock::time_point;

/// Wall time: UTC, for schedules, token expiry and records. Monotone within a partition's log.
using wall_time = std::chrono::sys_time<milliseconds>;

/// What "now" means inside one log entry.
struct entry_time {
  log_time log{};
  wall_time wall{};

  friend bool operator==(const entry_time&, const entry_time&) = default;
};

/// The host's steady clock as the pure cores see it: handed in with every input, never read by them.
struct host_clock {
  using rep = std::int64_t;
  using period = std::micro;
  using duration = std::chrono::microseconds;
  using time_point = std::chrono::time_point<host_clock, std::chrono::microseconds>;
  static constexpr bool is_steady = true;
};

using host_time = host_clock::time_point;

constexpr std::int64_t to_ms(log_time t) {
  return t.time_since_epoch().count();
}

constexpr std::int64_t to_ms(wall_time t) {
  return t.time_since_epoch().count();
}

constexpr log_time log_time_from_ms(std::int64_t ms) {
  return log_time{milliseconds{ms}};
}

constexpr wall_time wall_time_from_ms(std::int64_t ms) {
  return wall_time{milliseconds{ms}};
}

} // namespace sluice
