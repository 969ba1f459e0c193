#include "actors/exceptions.hpp"

#include "core/at_work.hpp"

#include <exception>
#include <string>

namespace sluice::actors {

namespace {

caf::error stop(caf::scheduled_actor* self, std::exception_ptr& thrown) {
  must_do([self] { return std::string{"the actor '"} + self->name() + "'"; }, [&] { std::rethrow_exception(thrown); });
  return {}; // not reached
}

} // namespace

void stop_on_exceptions(caf::scheduled_actor& self) {
  self.set_exception_handler(&stop);
}

} // namespace sluice::actors
