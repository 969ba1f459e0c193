// The catalogue's checkpoint: one piece.
#pragma once

#include "core/entity.hpp"
#include "core/record.hpp"
#include "domain/catalogue.hpp"

namespace sluice::proto {
class AddKey;
class CatalogueEntry;
class NodeEntry;
} // namespace sluice::proto

namespace sluice::codec {

void encode(const domain::catalogue_entry& from, proto::CatalogueEntry& to);
domain::catalogue_entry decode(const proto::CatalogueEntry& from);
void encode(const domain::key_entry& from, proto::AddKey& to);
domain::key_entry decode(const proto::AddKey& from);
void encode(const domain::node_entry& from, proto::NodeEntry& to);
/// False unless it has an id and a generation, and role and state are known ones.
[[nodiscard]] bool read(const proto::NodeEntry& from, domain::node_entry& to);

record_pieces save_changed(domain::catalogue& machine);
/// Everything, changed or not; changes nothing. For comparing replicas.
record_pieces save_all(const domain::catalogue& machine);
domain::catalogue load(const entity_ref& ref, const loaded_pieces& pieces, const domain::catalogue*);

/// For people: the state as JSON.
std::string describe(const domain::catalogue& machine);

} // namespace sluice::codec
