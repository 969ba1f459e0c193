#include "codec/catalogue.hpp"

#include "codec/fields.hpp"
#include "codec/json_of.hpp"
#include "sluice/catalogue.pb.h"

namespace sluice::codec {

namespace {

proto::CatalogueRecord record_of(const domain::catalogue& machine) {
  const auto& state = machine.state();
  proto::CatalogueRecord p;
  p.set_founded(state.founded);
  p.set_cluster_id(state.cluster_id);
  p.set_epoch(state.epoch);
  p.set_wrapped_keys(state.wrapped_keys);
  p.set_last_event(state.last_event);
  for (const auto& [slug, entry] : state.events) {
    auto& e = *p.add_events();
    e.set_number(entry.number.value);
    e.set_slug(entry.slug);
    e.set_slot(entry.slot.value);
    e.set_defined(entry.defined);
    e.set_name(entry.name);
    e.set_venue(entry.venue);
    e.set_starts_at_ms(to_ms(entry.starts_at));
    e.set_time_zone(entry.time_zone);
  }
  for (const auto& [name, key] : state.keys) {
    auto& k = *p.add_keys();
    k.set_name(key.name);
    k.set_hash(key.hash);
    k.set_role(static_cast<std::uint32_t>(key.role));
  }
  return p;
}

} // namespace

record_pieces save_changed(domain::catalogue& machine) {
  return save_all(machine);
}

record_pieces save_all(const domain::catalogue& machine) {
  return one_piece(record_of(machine).SerializeAsString());
}

domain::catalogue load(const entity_ref&, const loaded_pieces& pieces, const domain::catalogue*) {
  const auto* bytes = only_piece(pieces);
  if (bytes == nullptr)
    return domain::catalogue{};
  auto p = parsed<proto::CatalogueRecord>(*bytes);
  domain::catalogue_state state;
  state.founded = p.founded();
  state.cluster_id = p.cluster_id();
  state.epoch = p.epoch();
  state.wrapped_keys = p.wrapped_keys();
  state.last_event = p.last_event();
  for (const auto& e : p.events())
    state.events.emplace(e.slug(), domain::catalogue_entry{{e.number()},
                                                           e.slug(),
                                                           {static_cast<std::uint16_t>(e.slot())},
                                                           e.defined(),
                                                           e.name(),
                                                           e.venue(),
                                                           wall_time_from_ms(e.starts_at_ms()),
                                                           e.time_zone()});
  for (const auto& k : p.keys())
    state.keys.emplace(k.name(), domain::key_entry{k.name(), k.hash(), static_cast<domain::key_role>(k.role())});
  return domain::catalogue{std::move(state)};
}

std::string describe(const domain::catalogue& machine) {
  auto p = record_of(machine);
  p.set_wrapped_keys("(left out)");
  for (auto& k : *p.mutable_keys())
    k.set_hash("(left out)");
  return json_of(p);
}

} // namespace sluice::codec
