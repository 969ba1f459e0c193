// Invariants that stay on in release builds. A broken one is not an error to report to a caller: the process stops and
// recovers from its log, since going on would spread the damage.
#pragma once

#include <string_view>

namespace sluice {

/// Prints where and why, flushes, and aborts. Never returns; safe from any thread.
[[noreturn]] void fail_stop(std::string_view what, const char* file, int line);

/// What this process is called in that line. To be said once, before there are threads.
void name_for_fail_stop(std::string_view name);

} // namespace sluice

/// Stops the process when `condition` is false. Evaluated in every build type.
#define SLUICE_ASSERT(condition, what)                                                                                 \
  do {                                                                                                                 \
    if (!(condition)) [[unlikely]]                                                                                     \
      ::sluice::fail_stop(what, __FILE__, __LINE__);                                                                   \
  } while (false)
