// What a thread works on, for the line it prints if it has to stop the process.
#pragma once

#include "core/assert.hpp"

#include <exception>
#include <string>
#include <utility>

namespace sluice {

/// While one lives, fail_stop on this thread also says what `tell` tells of `about`. They nest: the innermost comes first.
/// Costs nothing worth naming until it is asked.
class at_work {
public:
  using teller = std::string (*)(const void* about);

  at_work(teller tell, const void* about);
  at_work(const at_work&) = delete;
  at_work& operator=(const at_work&) = delete;
  ~at_work();

  /// What this thread works on; empty when it has not said.
  static std::string text();

private:
  teller tell_;
  const void* about_;
  const at_work* outer_;
};

/// Does what may not fail. An exception out of `work` stops the process, as a broken invariant does: whatever it left half
/// done is in memory only. Both are told with what `tell()` says.
template <class Tell, class Work>
auto must_do(const Tell& tell, Work&& work) -> decltype(std::forward<Work>(work)()) {
  at_work what{[](const void* about) { return (*static_cast<const Tell*>(about))(); }, &tell};
  try {
    return std::forward<Work>(work)();
  } catch (const std::exception& e) {
    fail_stop(std::string{"an exception: "} + e.what(), __FILE__, __LINE__);
  } catch (...) {
    fail_stop("an exception of unknown kind", __FILE__, __LINE__);
  }
}

} // namespace sluice
