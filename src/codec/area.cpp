#include "codec/area.hpp"

#include "codec/fields.hpp"
#include "codec/json_of.hpp"
#include "sluice/area.pb.h"

namespace sluice::codec {

namespace {

proto::AreaRecord record_of(const domain::area& machine) {
  const auto& state = machine.state();
  proto::AreaRecord p;
  p.set_target(state.target);
  p.set_held(state.held);
  p.set_confirmed(state.confirmed);
  p.set_category(state.category);
  p.set_price(state.price);
  for (const auto& [hold, h] : state.holds) {
    auto& q = *p.add_holds();
    q.set_hold(bytes_of(hold));
    q.set_user(h.user);
    q.set_quantity(h.quantity);
    q.set_deadline_ms(to_ms(h.deadline));
    q.set_fence(h.fence);
  }
  p.set_sale_open(state.sale_open);
  return p;
}

} // namespace

record_pieces save_changed(domain::area& machine) {
  return machine.take_changed() ? save_all(machine) : record_pieces{};
}

record_pieces save_all(const domain::area& machine) {
  return one_piece(record_of(machine).SerializeAsString());
}

domain::area load(const entity_ref& ref, const loaded_pieces& pieces, const domain::area*) {
  const auto* bytes = only_piece(pieces);
  if (bytes == nullptr)
    return {ref.event, ref.block};
  auto p = parsed<proto::AreaRecord>(*bytes);
  domain::area_state state;
  state.target = p.target();
  state.held = p.held();
  state.confirmed = p.confirmed();
  state.category = p.category();
  state.price = p.price();
  state.sale_open = p.sale_open();
  for (const auto& q : p.holds())
    state.holds.emplace(id_from<hold_id>(q.hold()), domain::area_hold{q.user(), q.quantity(),
                                                                      log_time_from_ms(q.deadline_ms()), q.fence()});
  return {ref.event, ref.block, std::move(state)};
}

std::string describe(const domain::area& machine) {
  return json_of(record_of(machine));
}

} // namespace sluice::codec
