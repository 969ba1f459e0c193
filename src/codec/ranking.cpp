#include "codec/ranking.hpp"

#include "codec/fields.hpp"
#include "codec/json_of.hpp"
#include "sluice/ranking.pb.h"

namespace sluice::codec {

namespace {

proto::RankingRecord record_of(const domain::ranking& machine) {
  proto::RankingRecord p;
  for (const auto& [number, count] : machine.state().events) {
    auto& c = *p.add_events();
    c.set_number(number.value);
    c.set_sequence(count.sequence);
    c.set_date(count.date);
    c.set_sold(count.sold);
    c.set_last_sale_ms(to_ms(count.last_sale));
  }
  return p;
}

} // namespace

record_pieces save_changed(domain::ranking& machine) {
  return save_all(machine);
}

record_pieces save_all(const domain::ranking& machine) {
  return one_piece(record_of(machine).SerializeAsString());
}

domain::ranking load(const entity_ref&, const loaded_pieces& pieces, const domain::ranking*) {
  const auto* bytes = only_piece(pieces);
  if (bytes == nullptr)
    return domain::ranking{};
  auto p = parsed<proto::RankingRecord>(*bytes);
  domain::ranking_state state;
  for (const auto& c : p.events())
    state.events.emplace(event_number{c.number()},
                         domain::event_count{c.sequence(), c.date(), c.sold(), wall_time_from_ms(c.last_sale_ms())});
  return domain::ranking{std::move(state)};
}

std::string describe(const domain::ranking& machine) {
  return json_of(record_of(machine));
}

} // namespace sluice::codec
