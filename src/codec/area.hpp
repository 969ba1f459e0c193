// An area's checkpoint: one piece.
#pragma once

#include "core/entity.hpp"
#include "core/record.hpp"
#include "domain/area.hpp"

namespace sluice::codec {

record_pieces save_changed(domain::area& machine);
/// Everything, changed or not; changes nothing. For comparing replicas.
record_pieces save_all(const domain::area& machine);
domain::area load(const entity_ref& ref, const loaded_pieces& pieces, const domain::area*);

/// For people: the state as JSON.
std::string describe(const domain::area& machine);

} // namespace sluice::codec
