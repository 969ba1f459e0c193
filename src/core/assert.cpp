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
  // Should telling fail in its turn, it is told without.
  for (const auto* w = std::exchange(innermost, nullptr); w != nullptr; w = w->outer_)
    text += (text.empty() ? "" : ", within ") + w->tell_(w->about_);
  return text;
}

void name_for_fail_stop(std::string_view name) {
  process_name() = std::string{name} + ' ';
}

void fail_stop(std::string_view what, const char* file, int line) {
  auto at = at_work::text();
  std::fprintf(stderr, "FATAL %s%s:%d: %.*s%s%s; stopping, the log is intact: start again to recover\n",
               process_name().c_str(), file, line, static_cast<int>(what.size()), what.data(),
               at.empty() ? "" : "; at ", at.c_str());
  std::fflush(stderr);
  std::abort();
}

} // namespace sluice
