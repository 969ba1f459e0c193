// The leaky bucket between the line and the sale: how many may pass, as an integer, never as a float.
#pragma once

#include "core/time.hpp"

#include <cstdint>

namespace sluice::domain {

/// Lets at most rate × window + one batch users through in any window. Credit grows with log time and is capped at one
/// batch, so a pause, an outage or a new leader never refills it beyond that.
/// Owned by the waiting room of one event. Deterministic.
class outflow {
public:
  /// Credit is counted in 1/60 000 of a user: rate per minute × elapsed ms.
  static constexpr std::int64_t unit = 60'000;

  struct state {
    std::int64_t credit = 0;
    log_time at{};
    std::uint32_t users_per_minute = 0;
    std::uint32_t batch_ms = 0;

    friend bool operator==(const state&, const state&) = default;
  };

  outflow() = default;

  explicit outflow(const state& saved) : state_{saved} {}

  /// A new rate counts from `now` on. The first call starts with one full batch.
  void configure(log_time now, std::uint32_t users_per_minute, std::uint32_t batch_ms);

  /// How many may pass now.
  std::uint32_t available(log_time now) const;
  /// `users` <= available(now).
  void take(log_time now, std::uint32_t users);
  /// When the next one may pass, if nobody passes before; `now` if one may pass now.
  log_time next(log_time now) const;

  /// A full batch, as if it began anew.
  void refill() { state_.credit = std::int64_t{batch()} * unit; }

  /// Users in one batch: what the rate gives in batch_ms, at least one.
  std::uint32_t batch() const;

  const state& saved() const { return state_; }

private:
  std::int64_t credit_at(log_time now) const;

  state state_;
};

} // namespace sluice::domain
