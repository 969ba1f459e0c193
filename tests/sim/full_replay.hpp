// A partition's whole log, executed once more from the very beginning by a fresh core that takes no checkpoints: every
// index must come out as it did the first time.
#pragma once

#include "check_replay.hpp"
#include "scene.hpp"

#include "cluster/partition/core.hpp"

namespace sluice::simulation {

void replay_from_the_beginning(scene& run, replay_checker& replay, partition::config settings);

} // namespace sluice::simulation
