// A seat block's checkpoint: one piece.
#pragma once

#include "core/entity.hpp"
#include "core/record.hpp"
#include "domain/seat_block.hpp"

namespace sluice::codec {

record_pieces save_changed(domain::seat_block& machine);
/// Everything, changed or not; changes nothing. For comparing replicas.
record_pieces save_all(const domain::seat_block& machine);
domain::seat_block load(const entity_ref& ref, const loaded_pieces& pieces, const domain::seat_block*);

/// For people: the state as JSON.
std::string describe(const domain::seat_block& machine);

} // namespace sluice::codec
