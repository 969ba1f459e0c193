// What becomes of an exception nobody expected.
#pragma once

#include <caf/scheduled_actor.hpp>

namespace sluice::actors {

/// Left to itself an actor that throws ends alone, and whoever waits for it waits for ever. With this the process stops
/// with a line that names the actor, and recovers from its log. To be called first thing in the actor.
void stop_on_exceptions(caf::scheduled_actor& self);

} // namespace sluice::actors
