// What a node does about the memory it uses.
#pragma once

#include <cstdint>

namespace sluice::node {

struct memory_pressure {
  bool sleep = false;   // entities that nobody needs go to sleep
  bool crowded = false; // no new joins
};

/// `used` of `limit` bytes; a limit of 0 is none. At 80 % what is idle goes to sleep, at 95 % joins are refused, and they are
/// until less than 90 % is used: `was_crowded` is what this said last time.
constexpr memory_pressure memory_pressure_of(std::uint64_t used, std::uint64_t limit, bool was_crowded) {
  if (limit == 0)
    return {};
  auto percent = limit / 100;
  return {used >= percent * 80, used >= percent * (was_crowded ? 90 : 95)};
}

} // namespace sluice::node
