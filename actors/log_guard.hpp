// What other nodes send gets into a log only if it makes sense: every replica executes it, now and whenever the log is
// read again. No CAF here.
#pragma once

#include <cstddef>

namespace sluice::proto {
class Command;
class EntityRef;
class PulledSlot;
} // namespace sluice::proto

namespace sluice::actors {

/// There are entities of that kind.
bool is_addressable(const proto::EntityRef& of);

/// To an entity: a message of this version or older. A step of a partition: one of those that travel as a note; the others
/// are proposed where they are executed. `partitions`: how many there are.
bool may_enter(const proto::Command& c, std::size_t partitions);

/// The part that was asked for, with nothing in it of another slot; or none.
bool may_enter(const proto::PulledSlot& pulled);

} // namespace sluice::actors
