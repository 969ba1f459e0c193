#include "core/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace sluice {

void fail_stop(std::string_view what, const char* file, int line) {
  std::fprintf(stderr, "FATAL %s:%d: %.*s; stopping, the log is intact: start again to recover\n", file, line,
               static_cast<int>(what.size()), what.data());
  std::fflush(stderr);
  std::abort();
}

} // namespace sluice
