#include "codec/reply.hpp"

#include "codec/fields.hpp"
#include "codec/session.hpp"
#include "core/overloaded.hpp"
#include "sluice/reply.pb.h"

#include <algorithm>

namespace sluice::codec {

namespace {

using codec::encode;
using domain::reply;

using maybe = std::optional<reply>;

// ---- what makes sense ----

bool read_errc(std::uint32_t value, errc& e) {
  e = static_cast<errc>(value);
  return value <= 0xFF && (e == errc::internal || code_of(e) != code_of(errc::internal));
}

bool read_state(std::uint32_t value, domain::reservation_state& s) {
  s = static_cast<domain::reservation_state>(value);
  return value <= 0xFF && domain::word_of(s) != "UNKNOWN";
}

bool make_sense(const std::vector<domain::priced_part>& parts) {
  return std::all_of(parts.begin(), parts.end(), [](const domain::priced_part& part) {
    return part.block && (part.area ? part.seats.empty() && part.quantity > 0 : !part.seats.empty());
  });
}

// ---- and back: empty when it makes no sense ----

maybe take(const proto::RefusalReply& p) {
  domain::refusal r;
  if (!read_errc(p.why(), r.why) || p.blocks_size() != p.seats_size())
    return std::nullopt;
  r.detail = p.detail();
  r.seats.reserve(static_cast<std::size_t>(p.seats_size()));
  for (int i = 0; i < p.seats_size(); ++i) {
    if (p.blocks(i) == 0)
      return std::nullopt;
    r.seats.emplace_back(block_number{p.blocks(i)}, p.seats(i));
  }
  return r;
}

maybe take(const proto::TicketReply& p) {
  domain::ticket_reply r{{p.ticket()}, static_cast<domain::ticket_state>(p.state()), p.passed_at_once(), {}};
  bool good = r.ticket && in_range(p.state(), domain::ticket_state::waiting, domain::ticket_state::expired) &&
              read_time(p.ends_ms(), r.ends);
  return good ? maybe{r} : std::nullopt;
}

maybe take(const proto::VisitReply& p) {
  domain::visit_reply r{{p.ticket()}, {}, {}, {}};
  bool good =
      r.ticket && read_id(p.id(), r.id) && read_time(p.claimed_ms(), r.claimed) && read_time(p.expires_ms(), r.expires);
  return good ? maybe{r} : std::nullopt;
}

maybe take(const proto::HoldReply& p) {
  domain::hold_reply r;
  bool good = read(p, r) && make_sense(r.parts) && read_time(p.expires_ms(), r.expires) && r.expires_in_ms >= 0;
  return good ? maybe{std::move(r)} : std::nullopt;
}

maybe take(const proto::ReservationReply& p) {
  domain::reservation_reply r;
  return read(p, r) ? maybe{std::move(r)} : std::nullopt;
}

maybe take(const proto::ReservationsReply& p) {
  domain::reservations_reply all;
  all.reservations.reserve(static_cast<std::size_t>(p.reservations_size()));
  for (const auto& one : p.reservations())
    if (!read(one, all.reservations.emplace_back()))
      return std::nullopt;
  return all;
}

maybe take(const proto::EventReply& p) {
  if (p.number() == 0)
    return std::nullopt;
  return domain::event_reply{{p.number()}, p.revision(), p.changed()};
}

maybe take(const proto::RegisteredReply& p) {
  if (p.number() == 0 || p.slot() >= slot_count)
    return std::nullopt;
  return domain::registered_reply{{p.number()}, {static_cast<std::uint16_t>(p.slot())}, p.created()};
}

maybe take(const proto::JoinedReply& p) {
  if (p.node() == 0 || p.generation() == 0 || p.replication() == 0)
    return std::nullopt;
  return domain::joined_reply{{p.node()}, p.generation(), p.replication()};
}

} // namespace

void encode(const domain::reservation_reply& from, proto::ReservationReply& to) {
  to.set_reservation(bytes_of(from.reservation));
  to.set_hold(bytes_of(from.hold));
  to.set_state(static_cast<std::uint32_t>(from.state));
  to.set_reason(from.reason);
  for (const auto& part : from.parts)
    encode(part, *to.add_parts());
  to.set_amount(from.amount);
  to.set_currency(from.currency);
  to.set_created_ms(to_ms(from.created));
  to.set_changed_ms(to_ms(from.changed));
}

bool read(const proto::ReservationReply& from, domain::reservation_reply& to) {
  to.reason = from.reason();
  to.parts.reserve(static_cast<std::size_t>(from.parts_size()));
  for (const auto& part : from.parts())
    to.parts.push_back(decode(part));
  to.amount = from.amount();
  to.currency = from.currency();
  return read_id(from.reservation(), to.reservation) && read_id(from.hold(), to.hold) &&
         read_state(from.state(), to.state) && make_sense(to.parts) && read_time(from.created_ms(), to.created) &&
         read_time(from.changed_ms(), to.changed);
}

namespace {

void put(const reply& r, proto::Reply& out) {
  std::visit(overloaded{
                 [&](const domain::done&) { out.mutable_done(); },
                 [&](const domain::refusal& m) {
                   auto& p = *out.mutable_refusal();
                   p.set_why(static_cast<std::uint32_t>(m.why));
                   p.set_detail(m.detail);
                   for (const auto& [block, seat] : m.seats) {
                     p.add_blocks(block.value);
                     p.add_seats(seat);
                   }
                 },
                 [&](const domain::ticket_reply& m) {
                   auto& p = *out.mutable_ticket();
                   p.set_ticket(m.ticket.value);
                   p.set_state(static_cast<std::uint32_t>(m.state));
                   p.set_passed_at_once(m.passed_at_once);
                   p.set_ends_ms(to_ms(m.ends));
                 },
                 [&](const domain::visit_reply& m) {
                   auto& p = *out.mutable_visit();
                   p.set_ticket(m.ticket.value);
                   p.set_id(bytes_of(m.id));
                   p.set_claimed_ms(to_ms(m.claimed));
                   p.set_expires_ms(to_ms(m.expires));
                 },
                 [&](const domain::hold_reply& m) { encode(m, *out.mutable_hold()); },
                 [&](const domain::reservation_reply& m) { encode(m, *out.mutable_reservation()); },
                 [&](const domain::reservations_reply& m) {
                   out.mutable_reservations();
                   for (const auto& one : m.reservations)
                     encode(one, *out.mutable_reservations()->add_reservations());
                 },
                 [&](const domain::event_reply& m) {
                   auto& p = *out.mutable_event();
                   p.set_number(m.number.value);
                   p.set_revision(m.revision);
                   p.set_changed(m.changed);
                 },
                 [&](const domain::registered_reply& m) {
                   auto& p = *out.mutable_registered();
                   p.set_number(m.number.value);
                   p.set_slot(m.slot.value);
                   p.set_created(m.created);
                 },
                 [&](const domain::joined_reply& m) {
                   auto& p = *out.mutable_joined();
                   p.set_node(m.node.value);
                   p.set_generation(m.generation);
                   p.set_replication(m.replication);
                 },
             },
             r);
}

maybe take(const proto::Reply& in) {
  switch (in.body_case()) {
  case proto::Reply::kDone:
    return domain::done{};
  case proto::Reply::kRefusal:
    return take(in.refusal());
  case proto::Reply::kTicket:
    return take(in.ticket());
  case proto::Reply::kVisit:
    return take(in.visit());
  case proto::Reply::kHold:
    return take(in.hold());
  case proto::Reply::kReservation:
    return take(in.reservation());
  case proto::Reply::kReservations:
    return take(in.reservations());
  case proto::Reply::kEvent:
    return take(in.event());
  case proto::Reply::kRegistered:
    return take(in.registered());
  case proto::Reply::kJoined:
    return take(in.joined());
  case proto::Reply::BODY_NOT_SET:
    break;
  }
  return std::nullopt;
}

} // namespace

std::string encode(const reply& r) {
  proto::Reply out;
  put(r, out);
  return out.SerializeAsString();
}

std::optional<reply> decode_reply(std::string_view bytes) {
  proto::Reply in;
  return parse(bytes, in) ? take(in) : std::nullopt;
}

void encode(const domain::request_memory& from, proto::RequestMemory& to) {
  for (const auto& one : from.all()) {
    auto& p = *to.add_answered();
    p.set_request_id(one.request_id);
    put(one.body, *p.mutable_answer());
  }
}

domain::request_memory decode(const proto::RequestMemory& from) {
  domain::request_memory memory;
  for (const auto& p : from.answered()) {
    auto body = take(p.answer());
    SLUICE_ASSERT(body, "an answer in a checkpoint makes no sense");
    memory.remember(p.request_id(), std::move(*body));
  }
  return memory;
}

} // namespace sluice::codec
