#include "actors/exceptions.hpp"

#include "core/assert.hpp"

#include <exception>
#include <string>

namespace sluice::actors {

namespace {

caf::error stop(caf::scheduled_actor* self, std::exception_ptr& thrown) {
  std::string why = "of unknown kind";
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& e) {
    why = e.what();
  } catch (...) { // NOLINT(bugprone-empty-catch): said above
  }
  fail_stop(std::string{"an exception in the actor '"} + self->name() + "': " + why, __FILE__, __LINE__);
}

} // namespace

void stop_on_exceptions(caf::scheduled_actor& self) {
  self.set_exception_handler(&stop);
}

} // namespace sluice::actors
