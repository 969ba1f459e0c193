#include "codec/fact.hpp"

#include "codec/fields.hpp"
#include "core/overloaded.hpp"
#include "sluice/fact.pb.h"

namespace sluice::codec {

std::string encode(const domain::fact& f) {
  proto::Fact out;
  std::visit(overloaded{
                 [&](const domain::event_changed& m) {
                   auto& p = *out.mutable_event_changed();
                   p.set_what(m.what);
                   p.set_users_per_minute(m.users_per_minute);
                   p.set_max_active_users(m.max_active_users);
                   p.set_by(m.by);
                 },
                 [&](const domain::user_joined& m) {
                   auto& p = *out.mutable_user_joined();
                   p.set_ticket(m.ticket.value);
                   p.set_user(m.user);
                 },
                 [&](const domain::users_admitted& m) {
                   auto& p = *out.mutable_users_admitted();
                   for (auto t : m.tickets)
                     p.add_tickets(t.value);
                 },
                 [&](const domain::turn_claimed& m) { out.mutable_turn_claimed()->set_ticket(m.ticket.value); },
                 [&](const domain::ticket_ended& m) {
                   auto& p = *out.mutable_ticket_ended();
                   p.set_ticket(m.ticket.value);
                   p.set_state(static_cast<std::uint32_t>(m.state));
                 },
                 [&](const domain::stock_defined& m) {
                   auto& p = *out.mutable_stock_defined();
                   p.set_block(m.block.value);
                   p.set_capacity(m.capacity);
                   p.set_blocked(m.blocked);
                 },
                 [&](const domain::stock_moved& m) {
                   auto& p = *out.mutable_stock_moved();
                   p.set_block(m.block.value);
                   p.set_hold(bytes_of(m.hold));
                   p.set_move(static_cast<std::uint32_t>(m.move));
                   p.mutable_seats()->Add(m.seats.begin(), m.seats.end());
                   p.set_quantity(m.quantity);
                 },
                 [&](const domain::reservation_moved& m) {
                   auto& p = *out.mutable_reservation_moved();
                   p.set_reservation(bytes_of(m.reservation));
                   p.set_hold(bytes_of(m.hold));
                   p.set_user(m.user);
                   p.set_state(static_cast<std::uint32_t>(m.state));
                   p.set_seats(m.seats);
                   p.set_amount(m.amount);
                   p.set_reason(m.reason);
                 },
                 [&](const domain::cluster_changed& m) {
                   auto& p = *out.mutable_cluster_changed();
                   p.set_what(m.what);
                   p.set_subject(m.subject);
                   p.set_detail(m.detail);
                   p.set_by(m.by);
                 },
             },
             f);
  return out.SerializeAsString();
}

std::optional<domain::fact> decode_fact(std::string_view bytes) {
  proto::Fact in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return std::nullopt;
  switch (in.body_case()) {
  case proto::Fact::kEventChanged:
    return domain::event_changed{in.event_changed().what(), in.event_changed().users_per_minute(),
                                 in.event_changed().max_active_users(), in.event_changed().by()};
  case proto::Fact::kUserJoined:
    return domain::user_joined{{in.user_joined().ticket()}, in.user_joined().user()};
  case proto::Fact::kUsersAdmitted: {
    domain::users_admitted m;
    for (auto t : in.users_admitted().tickets())
      m.tickets.push_back({t});
    return m;
  }
  case proto::Fact::kTurnClaimed:
    return domain::turn_claimed{{in.turn_claimed().ticket()}};
  case proto::Fact::kTicketEnded:
    return domain::ticket_ended{{in.ticket_ended().ticket()},
                                static_cast<domain::ticket_state>(in.ticket_ended().state())};
  case proto::Fact::kStockDefined:
    return domain::stock_defined{
        {in.stock_defined().block()}, in.stock_defined().capacity(), in.stock_defined().blocked()};
  case proto::Fact::kStockMoved: {
    const auto& p = in.stock_moved();
    domain::stock_moved m{
        {p.block()}, {}, static_cast<domain::stock_move>(p.move()), {p.seats().begin(), p.seats().end()}, p.quantity()};
    if (!read_id(p.hold(), m.hold))
      return std::nullopt;
    return m;
  }
  case proto::Fact::kReservationMoved: {
    const auto& p = in.reservation_moved();
    domain::reservation_moved m{{},        {},         p.user(),  static_cast<domain::reservation_state>(p.state()),
                                p.seats(), p.amount(), p.reason()};
    if (!read_id(p.reservation(), m.reservation) || !read_id(p.hold(), m.hold))
      return std::nullopt;
    return m;
  }
  case proto::Fact::kClusterChanged:
    return domain::cluster_changed{in.cluster_changed().what(), in.cluster_changed().subject(),
                                   in.cluster_changed().detail(), in.cluster_changed().by()};
  case proto::Fact::BODY_NOT_SET:
    break;
  }
  return std::nullopt;
}

} // namespace sluice::codec
