#include "core/assert.hpp"

#include "core/at_work.hpp"

#include <cstdio>
#include <cstdlib>
#include <string>

namespace sluice {

namespace {

std::string& process_name() {
  static std::string name;
  return name;
}

thread_local const at_work* innermost = nullptr;

} // namespace

at_work::at_work(teller tell, const void* about) : tell_{tell}, about_{about}, outer_{std::exchange(innermost, this)} {}

at_work::~at_work() {
  innermost = outer_;
}

std::string at_work::text() {
  std::string text;
  // Should telling fail in its turn, that is told without.
  for (const auto* w = std::exchange(innermost, nullptr); w != nullptr; w = w->outer_)
    text += (text.empty() ? "" : ", within ") + w->tell_(w->about_);
  return text;
}

void name_for_fail_stop(std::string_view name) {
  process_name() = std::string{name} + ' ';
}

void fail_stop(std::string_view what, const char* file, int line) {
  // First what happened: where is asked of what has just been found broken.
  std::fprintf(stderr, "FATAL %s%s:%d: %.*s", process_name().c_str(), file, line, static_cast<int>(what.size()),
               what.data());
  std::fflush(stderr);
  try {
    if (auto at = at_work::text(); !at.empty())
      std::fprintf(stderr, "; at %s", at.c_str());
  } catch (...) { // NOLINT(bugprone-empty-catch): then without
  }
  std::fputs("; stopping, the log is intact: start again to recover\n", stderr);
  std::fflush(stderr);
  std::abort();
}

} // namespace sluice
