#include "domain/outflow.hpp"

#include "core/assert.hpp"
#include "core/planted.hpp"

#include <algorithm>

namespace sluice::domain {

void outflow::configure(log_time now, std::uint32_t users_per_minute, std::uint32_t batch_ms) {
  bool first = state_.users_per_minute == 0;
  auto credit = first ? 0 : credit_at(now);
  state_ = {credit, now, users_per_minute, batch_ms};
  auto full = std::int64_t{batch()} * unit;
  state_.credit = first ? full : std::min(credit, full);
}

std::uint32_t outflow::available(log_time now) const {
  return static_cast<std::uint32_t>(credit_at(now) / unit);
}

void outflow::take(log_time now, std::uint32_t users) {
  auto credit = credit_at(now) - std::int64_t{users} * unit;
  SLUICE_ASSERT(credit >= 0, "more users let through than the outflow allows");
  state_.credit = credit;
  state_.at = now;
}

log_time outflow::next(log_time now) const {
  auto missing = unit - credit_at(now);
  if (missing <= 0)
    return now;
  auto rate = std::int64_t{state_.users_per_minute};
  return now + milliseconds{(missing + rate - 1) / rate};
}

std::uint32_t outflow::batch() const {
  auto users = (std::int64_t{state_.users_per_minute} * state_.batch_ms + unit - 1) / unit;
  if (is_planted(planted::double_admission))
    ++users;
  return static_cast<std::uint32_t>(std::max<std::int64_t>(users, 1));
}

std::int64_t outflow::credit_at(log_time now) const {
  auto elapsed = std::max<std::int64_t>((now - state_.at).count(), 0);
  auto full = std::int64_t{batch()} * unit;
  // One batch is full after at most this long; stopping there keeps the product small whatever the outage.
  auto enough = full / std::max<std::int64_t>(state_.users_per_minute, 1) + 1;
  return std::min(full, state_.credit + std::min(elapsed, enough) * std::int64_t{state_.users_per_minute});
}

} // namespace sluice::domain
