#include "core/assert.hpp"

#include <cstdio>
#include <cstdlib>
#include <string>

namespace sluice {

namespace {

std::string& process_name() {
  static std::string name;
  return name;
}

} // namespace

void name_for_fail_stop(std::string_view name) {
  process_name() = std::string{name} + ' ';
}

void fail_stop(std::string_view what, const char* file, int line) {
  std::fprintf(stderr, "FATAL %s%s:%d: %.*s; stopping, the log is intact: start again to recover\n",
               process_name().c_str(), file, line, static_cast<int>(what.size()), what.data());
  std::fflush(stderr);
  std::abort();
}

} // namespace sluice
