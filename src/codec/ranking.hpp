// The ranking's checkpoint: one piece.
#pragma once

#include "core/entity.hpp"
#include "core/record.hpp"
#include "domain/ranking.hpp"

namespace sluice::codec {

record_pieces save_changed(domain::ranking& machine);
/// Everything, changed or not; changes nothing. For comparing replicas.
record_pieces save_all(const domain::ranking& machine);
domain::ranking load(const entity_ref& ref, const loaded_pieces& pieces, const domain::ranking*);

/// For people: the state as JSON.
std::string describe(const domain::ranking& machine);

} // namespace sluice::codec
