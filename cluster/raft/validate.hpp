// What can not have come from a sane replica. Checked once at the door, so that the rules behind it may rely on it.
#pragma once

#include "cluster/raft/types.hpp"

namespace sluice::raft {

/// Has voters, and nobody is voter and learner.
bool sane(const membership& m);
/// Its kind and payload belong together.
bool sane(const entry& e);
bool sane(const message& m);

} // namespace sluice::raft
