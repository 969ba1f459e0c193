#include "codec/session.hpp"

#include "codec/fields.hpp"
#include "codec/json_of.hpp"
#include "sluice/session.pb.h"

namespace sluice::codec {

namespace {

using codec::decode;
using codec::encode;

template <class Parts>
std::vector<domain::priced_part> decode_parts(const Parts& from) {
  std::vector<domain::priced_part> parts;
  parts.reserve(static_cast<std::size_t>(from.size()));
  for (const auto& part : from)
    parts.push_back(decode(part));
  return parts;
}

void encode(const domain::open_admission& from, proto::OpenAdmission& to) {
  to.set_ticket(from.ticket.value);
  to.set_id(bytes_of(from.id));
  to.set_expires_ms(to_ms(from.expires));
  to.set_booked(from.booked);
  auto& t = *to.mutable_terms();
  t.set_limit_per_user(from.terms.limit_per_user);
  t.set_hold_ttl_ms(from.terms.hold_ttl.count());
  t.set_hold_extensions_max(from.terms.hold_extensions_max);
  t.set_payment_window_ms(from.terms.payment_window.count());
  t.set_keep_active(from.terms.keep_active);
  t.set_currency(from.terms.currency);
}

domain::open_admission decode(const proto::OpenAdmission& from) {
  const auto& t = from.terms();
  return {{from.ticket()},
          id_from<admission_id>(from.id()),
          log_time_from_ms(from.expires_ms()),
          {t.limit_per_user(), milliseconds{t.hold_ttl_ms()}, t.hold_extensions_max(),
           milliseconds{t.payment_window_ms()}, t.keep_active(), t.currency()},
          from.booked()};
}

void encode(const hold_id& id, const domain::session_hold& from, proto::SessionHold& to) {
  to.set_hold(bytes_of(id));
  for (const auto& part : from.parts)
    encode(part, *to.add_parts());
  to.set_amount(from.amount);
  to.set_currency(from.currency);
  to.set_deadline_ms(to_ms(from.deadline));
  to.set_expires_ms(to_ms(from.expires));
  for (const auto& request : from.extended_by)
    to.add_extended_by(request);
}

domain::session_hold decode(const proto::SessionHold& from) {
  return {decode_parts(from.parts()),
          from.amount(),
          from.currency(),
          log_time_from_ms(from.deadline_ms()),
          wall_time_from_ms(from.expires_ms()),
          {from.extended_by().begin(), from.extended_by().end()}};
}

void encode(const reservation_id& id, const domain::reservation& from, proto::Reservation& to) {
  to.set_reservation(bytes_of(id));
  to.set_hold(bytes_of(from.hold));
  to.set_fence(from.fence);
  to.set_state(static_cast<std::uint32_t>(from.state));
  to.set_reason(from.reason);
  for (const auto& part : from.parts)
    encode(part, *to.add_parts());
  to.set_amount(from.amount);
  to.set_currency(from.currency);
  to.set_created_ms(to_ms(from.created));
  to.set_changed_ms(to_ms(from.changed));
  to.set_step(from.pay.step ? static_cast<std::uint32_t>(*from.pay.step) : 0);
  to.set_attempt(from.pay.attempt);
  to.set_give_up_ms(to_ms(from.pay.give_up));
  if (from.pay.retry_at)
    to.set_retry_at_ms(to_ms(*from.pay.retry_at));
  to.set_method(static_cast<std::uint32_t>(from.pay.method));
  to.set_card(from.pay.card);
}

domain::reservation decode(const proto::Reservation& from) {
  domain::reservation r;
  r.hold = id_from<hold_id>(from.hold());
  r.fence = from.fence();
  r.state = static_cast<domain::reservation_state>(from.state());
  r.reason = from.reason();
  r.parts = decode_parts(from.parts());
  r.amount = from.amount();
  r.currency = from.currency();
  r.created = wall_time_from_ms(from.created_ms());
  r.changed = wall_time_from_ms(from.changed_ms());
  if (from.step() != 0)
    r.pay.step = static_cast<domain::charge_step>(from.step());
  r.pay.attempt = from.attempt();
  r.pay.give_up = log_time_from_ms(from.give_up_ms());
  if (from.has_retry_at_ms())
    r.pay.retry_at = log_time_from_ms(from.retry_at_ms());
  r.pay.method = static_cast<domain::payment_method>(from.method());
  r.pay.card = from.card();
  return r;
}

void encode(const std::string& key, const domain::remembered& from, proto::RememberedKey& to) {
  auto& once = *to.mutable_once();
  once.set_key(key);
  once.set_request_high(from.request[0]);
  once.set_request_low(from.request[1]);
  to.set_at_ms(to_ms(from.at));
  if (from.hold)
    encode(*from.hold, *to.mutable_hold());
  if (from.reservation)
    to.set_reservation(bytes_of(*from.reservation));
  to.set_first_state(static_cast<std::uint32_t>(from.first_state));
}

domain::remembered decode(const proto::RememberedKey& from) {
  domain::remembered r;
  r.request = {from.once().request_high(), from.once().request_low()};
  r.at = log_time_from_ms(from.at_ms());
  if (from.has_hold())
    SLUICE_ASSERT(read(from.hold(), r.hold.emplace()), "a hold id of the wrong size in a checkpoint");
  if (!from.reservation().empty())
    r.reservation = id_from<reservation_id>(from.reservation());
  r.first_state = static_cast<domain::reservation_state>(from.first_state());
  return r;
}

proto::SessionRecord record_of(const domain::session& machine) {
  const auto& state = machine.state();
  proto::SessionRecord p;
  if (state.admission)
    encode(*state.admission, *p.mutable_admission());
  for (const auto& [id, h] : state.holds)
    encode(id, h, *p.add_holds());
  for (const auto& [id, r] : state.reservations)
    encode(id, r, *p.add_reservations());
  for (const auto& [key, r] : state.keys)
    encode(key, r, *p.add_keys());
  for (const auto& id : state.lapsed)
    p.add_lapsed(bytes_of(id));
  for (const auto& id : state.released)
    p.add_released(bytes_of(id));
  return p;
}

} // namespace

void encode(const domain::priced_part& from, proto::PricedPart& to) {
  to.set_block(from.block.value);
  to.set_area(from.area);
  for (const auto& seat : from.seats) {
    auto& s = *to.add_seats();
    s.set_seat(seat.seat);
    s.set_category(seat.category);
    s.set_price(seat.price);
  }
  to.set_quantity(from.quantity);
  to.set_category(from.category);
  to.set_price(from.price);
}

domain::priced_part decode(const proto::PricedPart& from) {
  domain::priced_part part{{from.block()}, from.area(), {}, from.quantity(), from.category(), from.price()};
  part.seats.reserve(static_cast<std::size_t>(from.seats_size()));
  for (const auto& s : from.seats())
    part.seats.push_back({s.seat(), s.category(), s.price()});
  return part;
}

void encode(const domain::hold_reply& from, proto::HoldReply& to) {
  to.set_hold(bytes_of(from.hold));
  for (const auto& part : from.parts)
    encode(part, *to.add_parts());
  to.set_amount(from.amount);
  to.set_currency(from.currency);
  to.set_expires_ms(to_ms(from.expires));
  to.set_expires_in_ms(from.expires_in_ms);
}

bool read(const proto::HoldReply& from, domain::hold_reply& to) {
  to.parts = decode_parts(from.parts());
  to.amount = from.amount();
  to.currency = from.currency();
  to.expires = wall_time_from_ms(from.expires_ms());
  to.expires_in_ms = from.expires_in_ms();
  return read_id(from.hold(), to.hold);
}

record_pieces save_changed(domain::session& machine) {
  return save_all(machine);
}

record_pieces save_all(const domain::session& machine) {
  SLUICE_ASSERT(!machine.mid_entry(), "a session was saved in the middle of an entry");
  if (machine.state().empty()) {
    record_pieces gone;
    gone.push_back({0, {}});
    return gone;
  }
  return one_piece(record_of(machine).SerializeAsString());
}

domain::session load(const entity_ref& ref, const loaded_pieces& pieces, const domain::session*) {
  const auto* bytes = only_piece(pieces);
  if (bytes == nullptr)
    return {ref.event, ref.user};
  auto p = parsed<proto::SessionRecord>(*bytes);
  domain::session_state state;
  if (p.has_admission())
    state.admission = decode(p.admission());
  for (const auto& h : p.holds())
    state.holds.emplace(id_from<hold_id>(h.hold()), decode(h));
  for (const auto& r : p.reservations())
    state.reservations.emplace(id_from<reservation_id>(r.reservation()), decode(r));
  for (const auto& k : p.keys())
    state.keys.emplace(k.once().key(), decode(k));
  for (const auto& id : p.lapsed())
    state.lapsed.push_back(id_from<hold_id>(id));
  for (const auto& id : p.released())
    state.released.push_back(id_from<hold_id>(id));
  return {ref.event, ref.user, std::move(state)};
}

std::string describe(const domain::session& machine) {
  return json_of(record_of(machine));
}

} // namespace sluice::codec
