#include "codec/seat_block.hpp"

#include "codec/fields.hpp"
#include "codec/json_of.hpp"
#include "core/planted.hpp"
#include "sluice/seat_block.pb.h"

#include <map>

namespace sluice::codec {

namespace {

proto::SeatBlockRecord record_of(const domain::seat_block& machine) {
  const auto& state = machine.state();
  proto::SeatBlockRecord p;
  std::map<hold_id, std::vector<seat_index>> confirmed;
  for (seat_index s = 0; s < state.seats.size(); ++s) {
    const auto& seat = state.seats[s];
    p.mutable_statuses()->push_back(static_cast<char>(seat.status));
    p.mutable_retired()->push_back(seat.terms.retired ? 1 : 0);
    p.add_categories(seat.terms.category);
    p.add_prices(seat.terms.price);
    if (seat.status == domain::seat_status::confirmed)
      confirmed[seat.hold].push_back(s);
  }
  for (const auto& [hold, h] : state.holds) {
    auto& q = *p.add_holds();
    q.set_hold(bytes_of(hold));
    q.set_user(h.user);
    q.mutable_seats()->Add(h.seats.begin(), h.seats.end());
    q.set_deadline_ms(to_ms(h.deadline));
    q.set_fence(h.fence);
  }
  for (const auto& [hold, seats] : confirmed) {
    auto& q = *p.add_confirmed();
    q.set_hold(bytes_of(hold));
    q.set_fence(is_planted(planted::codec_drops_fence) ? 0 : state.fences.at(hold));
    q.mutable_seats()->Add(seats.begin(), seats.end());
  }
  p.set_sale_open(state.sale_open);
  return p;
}

} // namespace

record_pieces save_changed(domain::seat_block& machine) {
  return machine.take_changed() ? save_all(machine) : record_pieces{};
}

record_pieces save_all(const domain::seat_block& machine) {
  return one_piece(record_of(machine).SerializeAsString());
}

domain::seat_block load(const entity_ref& ref, const loaded_pieces& pieces, const domain::seat_block*) {
  const auto* bytes = only_piece(pieces);
  if (bytes == nullptr)
    return {ref.event, ref.block};
  auto p = parsed<proto::SeatBlockRecord>(*bytes);
  domain::seat_block_state state;
  state.sale_open = p.sale_open();
  for (std::size_t s = 0; s < p.statuses().size(); ++s) {
    domain::seat seat;
    seat.status = static_cast<domain::seat_status>(p.statuses()[s]);
    seat.terms = {p.categories(static_cast<int>(s)), p.prices(static_cast<int>(s)), p.retired()[s] != 0};
    state.seats.push_back(seat);
  }
  for (const auto& q : p.holds()) {
    auto hold = id_from<hold_id>(q.hold());
    domain::block_hold h{q.user(), {q.seats().begin(), q.seats().end()}, log_time_from_ms(q.deadline_ms()), q.fence()};
    for (auto s : h.seats)
      state.seats.at(s).hold = hold;
    state.holds.emplace(hold, std::move(h));
  }
  for (const auto& q : p.confirmed()) {
    auto hold = id_from<hold_id>(q.hold());
    for (auto s : q.seats())
      state.seats.at(s).hold = hold;
    state.fences.emplace(hold, q.fence());
  }
  return {ref.event, ref.block, std::move(state)};
}

std::string describe(const domain::seat_block& machine) {
  return json_of(record_of(machine));
}

} // namespace sluice::codec
