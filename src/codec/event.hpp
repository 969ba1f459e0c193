// An event's checkpoint: piece 0 is the head, piece 1 the plan, then for each chunk k of 4 096 tickets a piece 2 + 2k with
// the tickets and a piece 3 + 2k with the visits.
#pragma once

#include "core/entity.hpp"
#include "core/record.hpp"
#include "domain/event.hpp"

namespace sluice::proto {
class PlacedEvent;
}

namespace sluice::codec {

void encode(const domain::placed_event& from, proto::PlacedEvent& to);
std::shared_ptr<const domain::placed_event> decode(const proto::PlacedEvent& from);

/// What changed since the last call. Tickets are encoded later, from chunks the machine no longer touches.
record_pieces save_changed(domain::event& machine);
/// Everything, changed or not; changes nothing. For comparing replicas.
record_pieces save_all(const domain::event& machine);
domain::event load(const entity_ref& ref, const loaded_pieces& pieces, const domain::event*);

/// For people: the state as JSON.
std::string describe(const domain::event& machine);

} // namespace sluice::codec
