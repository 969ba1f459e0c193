// The catalogue's checkpoint: one piece.
#pragma once

#include "core/entity.hpp"
#include "core/record.hpp"
#include "domain/catalogue.hpp"

namespace sluice::codec {

record_pieces save_changed(domain::catalogue& machine);
/// Everything, changed or not; changes nothing. For comparing replicas.
record_pieces save_all(const domain::catalogue& machine);
domain::catalogue load(const entity_ref& ref, const loaded_pieces& pieces, const domain::catalogue*);

/// For people: the state as JSON.
std::string describe(const domain::catalogue& machine);

} // namespace sluice::codec
