// A session's checkpoint: one piece, gone once the session holds nothing.
#pragma once

#include "core/entity.hpp"
#include "core/record.hpp"
#include "domain/session.hpp"

namespace sluice::codec {

record_pieces save_changed(domain::session& machine);
/// Everything, changed or not; changes nothing. For comparing replicas.
record_pieces save_all(const domain::session& machine);
domain::session load(const entity_ref& ref, const loaded_pieces& pieces, const domain::session*);

/// For people: the state as JSON.
std::string describe(const domain::session& machine);

} // namespace sluice::codec
