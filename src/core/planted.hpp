// Faults planted on purpose, to prove that the simulator's checkers would see them. Honoured only in a build with
// -DSLUICE_PLANTED_BUGS; everywhere else `is_planted` is a constant and the compiler drops the branch.
#pragma once

#include <cstdint>
#include <string_view>

namespace sluice {

enum class planted : std::uint8_t {
  none,
  count_,
};

struct planted_name {
  planted bug;
  std::string_view name;
};

#ifdef SLUICE_PLANTED_BUGS
/// The one in force, for everything in the process: the simulator is alone in it.
inline planted planted_now = planted::none;

inline bool is_planted(planted bug) {
  return planted_now == bug;
}
#else
constexpr bool is_planted(planted) {
  return false;
}
#endif

} // namespace sluice
