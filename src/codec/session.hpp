// A session's checkpoint: one piece, gone once the session holds nothing.
#pragma once

#include "core/entity.hpp"
#include "core/record.hpp"
#include "domain/session.hpp"

namespace sluice::proto {
class HoldReply;
class PricedPart;
} // namespace sluice::proto

namespace sluice::codec {

void encode(const domain::priced_part& from, proto::PricedPart& to);
domain::priced_part decode(const proto::PricedPart& from);
void encode(const domain::hold_reply& from, proto::HoldReply& to);
/// False unless the hold's id has the right size.
[[nodiscard]] bool read(const proto::HoldReply& from, domain::hold_reply& to);

record_pieces save_changed(domain::session& machine);
/// Everything, changed or not; changes nothing. For comparing replicas.
record_pieces save_all(const domain::session& machine);
domain::session load(const entity_ref& ref, const loaded_pieces& pieces, const domain::session*);

/// For people: the state as JSON.
std::string describe(const domain::session& machine);

} // namespace sluice::codec
