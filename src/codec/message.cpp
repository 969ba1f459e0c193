#include "codec/message.hpp"

#include "codec/event_definition.hpp"
#include "codec/fields.hpp"
#include "codec/json_of.hpp"
#include "codec/message_cluster.hpp"
#include "core/overloaded.hpp"
#include "domain/feature_level.hpp"
#include "sluice/message.pb.h"

namespace sluice::codec {

namespace {

using codec::decode;
using codec::encode;
using codec::take;
using domain::message;

void encode(const domain::idempotency& from, proto::Idempotency& to) {
  to.set_key(from.key);
  to.set_request_high(from.request[0]);
  to.set_request_low(from.request[1]);
}

domain::idempotency decode(const proto::Idempotency& from) {
  return {from.key(), {from.request_high(), from.request_low()}};
}

// ---- to events ----

void put(const domain::pulse&, proto::Message& out) {
  out.mutable_pulse();
}

void put(const domain::define_event& m, proto::Message& out) {
  auto& p = *out.mutable_define_event();
  encode(m.definition, *p.mutable_definition());
  p.set_index_seed(m.index_seed);
  p.set_by(m.by);
  p.set_request_id(m.request_id);
}

void put(const domain::control_event& m, proto::Message& out) {
  auto& p = *out.mutable_control_event();
  p.set_action(static_cast<std::uint32_t>(m.action));
  p.set_text(m.text);
  p.set_force(m.force);
  p.set_by(m.by);
  p.set_request_id(m.request_id);
}

void put(const domain::set_admission& m, proto::Message& out) {
  auto& p = *out.mutable_set_admission();
  encode(m.patch, *p.mutable_patch());
  p.set_by(m.by);
  p.set_request_id(m.request_id);
}

void put(const domain::join& m, proto::Message& out) {
  out.mutable_join()->set_user(m.user);
}

void put(const domain::leave& m, proto::Message& out) {
  auto& p = *out.mutable_leave();
  p.set_user(m.user);
  p.set_ticket(m.ticket.value);
}

void put(const domain::claim_turn& m, proto::Message& out) {
  auto& p = *out.mutable_claim_turn();
  p.set_user(m.user);
  p.set_ticket(m.ticket.value);
  p.set_id(bytes_of(m.id));
}

void put(const domain::complete_visit& m, proto::Message& out) {
  auto& p = *out.mutable_complete_visit();
  p.set_user(m.user);
  p.set_ticket(m.ticket.value);
}

void put(const domain::ask_ticket& m, proto::Message& out) {
  auto& p = *out.mutable_ask_ticket();
  p.set_user(m.user);
  p.set_ticket(m.ticket.value);
}

void put(const domain::count_received& m, proto::Message& out) {
  out.mutable_count_received()->set_sequence(m.sequence);
}

// ---- to sessions ----

void put(const domain::request_hold& m, proto::Message& out) {
  auto& p = *out.mutable_request_hold();
  encode(m.once, *p.mutable_once());
  p.set_admission(bytes_of(m.admission));
  p.set_hold(bytes_of(m.hold));
  for (const auto& part : m.parts) {
    auto& q = *p.add_parts();
    q.set_block(part.block.value);
    q.set_area(part.area);
    q.mutable_seats()->Add(part.seats.begin(), part.seats.end());
    q.set_quantity(part.quantity);
  }
}

void put(const domain::extend_hold& m, proto::Message& out) {
  auto& p = *out.mutable_extend_hold();
  p.set_admission(bytes_of(m.admission));
  p.set_hold(bytes_of(m.hold));
  p.set_request_id(m.request_id);
}

void put(const domain::release_hold& m, proto::Message& out) {
  auto& p = *out.mutable_release_hold();
  p.set_admission(bytes_of(m.admission));
  p.set_hold(bytes_of(m.hold));
}

void put(const domain::pay_hold& m, proto::Message& out) {
  auto& p = *out.mutable_pay_hold();
  encode(m.once, *p.mutable_once());
  p.set_admission(bytes_of(m.admission));
  p.set_hold(bytes_of(m.hold));
  p.set_reservation(bytes_of(m.reservation));
  p.set_method(static_cast<std::uint32_t>(m.method));
  p.set_card(m.card);
}

void put(const domain::cancel_reservation& m, proto::Message& out) {
  out.mutable_cancel_reservation()->set_reservation(bytes_of(m.reservation));
}

void put(const domain::charge_settled& m, proto::Message& out) {
  auto& p = *out.mutable_charge_settled();
  p.set_reservation(bytes_of(m.reservation));
  p.set_step(static_cast<std::uint32_t>(m.step));
  p.set_attempt(m.attempt);
  p.set_outcome(static_cast<std::uint32_t>(m.outcome));
  p.set_reason(m.reason);
}

void put(const domain::ask_hold& m, proto::Message& out) {
  out.mutable_ask_hold()->set_hold(bytes_of(m.hold));
}

void put(const domain::ask_reservation& m, proto::Message& out) {
  out.mutable_ask_reservation()->set_reservation(bytes_of(m.reservation));
}

void put(const domain::ask_reservations&, proto::Message& out) {
  out.mutable_ask_reservations();
}

// ---- to the catalogue and the ranking ----

void put(const domain::register_event& m, proto::Message& out) {
  auto& p = *out.mutable_register_event();
  p.set_slug(m.slug);
  p.set_request_id(m.request_id);
}

void put(const domain::event_summary& m, proto::Message& out) {
  auto& p = *out.mutable_event_summary();
  p.set_number(m.number.value);
  p.set_slug(m.slug);
  p.set_name(m.name);
  p.set_venue(m.venue);
  p.set_starts_at_ms(to_ms(m.starts_at));
  p.set_time_zone(m.time_zone);
  p.set_removed(m.removed);
  p.set_by(m.by);
}

void put(const domain::add_key& m, proto::Message& out) {
  auto& p = *out.mutable_add_key();
  p.set_name(m.name);
  p.set_hash(m.hash);
  p.set_role(static_cast<std::uint32_t>(m.role));
  p.set_request_id(m.request_id);
  p.set_by(m.by);
}

void put(const domain::remove_key& m, proto::Message& out) {
  auto& p = *out.mutable_remove_key();
  p.set_name(m.name);
  p.set_request_id(m.request_id);
  p.set_by(m.by);
}

void put(const domain::sold_count& m, proto::Message& out) {
  auto& p = *out.mutable_sold_count();
  p.set_number(m.number.value);
  p.set_sequence(m.sequence);
  p.set_date(m.date);
  p.set_sold(m.sold);
  p.set_last_sale_ms(to_ms(m.last_sale));
}

// ---- and back: empty when an id has the wrong size or an enum is unknown ----

using maybe = std::optional<message>;

maybe take(const proto::ControlEvent& p) {
  if (!in_range(p.action(), domain::event_action::open, domain::event_action::drain))
    return std::nullopt;
  return domain::control_event{static_cast<domain::event_action>(p.action()), p.text(), p.force(), p.by(),
                               p.request_id()};
}

maybe take(const proto::ClaimTurn& p) {
  domain::claim_turn m{p.user(), {p.ticket()}, {}};
  return read_id(p.id(), m.id) ? maybe{std::move(m)} : std::nullopt;
}

maybe take(const proto::RequestHold& p) {
  domain::request_hold m;
  m.once = decode(p.once());
  if (!read_id(p.admission(), m.admission) || !read_id(p.hold(), m.hold))
    return std::nullopt;
  for (const auto& q : p.parts())
    m.parts.push_back({{q.block()}, q.area(), {q.seats().begin(), q.seats().end()}, q.quantity()});
  return m;
}

maybe take(const proto::ExtendHold& p) {
  domain::extend_hold m{{}, {}, p.request_id()};
  return read_id(p.admission(), m.admission) && read_id(p.hold(), m.hold) ? maybe{std::move(m)} : std::nullopt;
}

maybe take(const proto::ReleaseHold& p) {
  domain::release_hold m;
  return read_id(p.admission(), m.admission) && read_id(p.hold(), m.hold) ? maybe{m} : std::nullopt;
}

maybe take(const proto::PayHold& p) {
  domain::pay_hold m;
  m.once = decode(p.once());
  m.card = p.card();
  if (!read_id(p.admission(), m.admission) || !read_id(p.hold(), m.hold) || !read_id(p.reservation(), m.reservation) ||
      !in_range(p.method(), domain::payment_method::free, domain::payment_method::card))
    return std::nullopt;
  m.method = static_cast<domain::payment_method>(p.method());
  return m;
}

maybe take(const proto::CancelReservation& p) {
  domain::cancel_reservation m;
  return read_id(p.reservation(), m.reservation) ? maybe{m} : std::nullopt;
}

maybe take(const proto::ChargeSettled& p) {
  domain::charge_settled m;
  if (!read_id(p.reservation(), m.reservation) ||
      !in_range(p.step(), domain::charge_step::authorise, domain::charge_step::refund) ||
      !in_range(p.outcome(), domain::charge_outcome::done, domain::charge_outcome::unknown))
    return std::nullopt;
  m.step = static_cast<domain::charge_step>(p.step());
  m.attempt = p.attempt();
  m.outcome = static_cast<domain::charge_outcome>(p.outcome());
  m.reason = p.reason();
  return m;
}

maybe take(const proto::AskHold& p) {
  domain::ask_hold m;
  return read_id(p.hold(), m.hold) ? maybe{m} : std::nullopt;
}

maybe take(const proto::AskReservation& p) {
  domain::ask_reservation m;
  return read_id(p.reservation(), m.reservation) ? maybe{m} : std::nullopt;
}

maybe take(const proto::EventSummary& p) {
  return domain::event_summary{{p.number()},  p.slug(),    p.name(), p.venue(), wall_time_from_ms(p.starts_at_ms()),
                               p.time_zone(), p.removed(), p.by()};
}

maybe take(const proto::AddKey& p) {
  if (!in_range(p.role(), domain::key_role::viewer, domain::key_role::admin))
    return std::nullopt;
  return domain::add_key{p.name(), p.hash(), static_cast<domain::key_role>(p.role()), p.request_id(), p.by()};
}

maybe take(const proto::SoldCount& p) {
  return domain::sold_count{{p.number()}, p.sequence(), p.date(), p.sold(), wall_time_from_ms(p.last_sale_ms())};
}

} // namespace

std::string encode(const message& m) {
  proto::Message out;
  std::visit(
      [&](const auto& body) {
        if constexpr (requires { put(body, out); })
          put(body, out);
        else
          SLUICE_ASSERT(false, "a tell between entities has no wire form");
      },
      m);
  return out.SerializeAsString();
}

namespace {

maybe body_of(const proto::Message& in) {
  switch (in.body_case()) {
  case proto::Message::kPulse:
    return domain::pulse{};
  case proto::Message::kDefineEvent:
    return domain::define_event{decode(in.define_event().definition()), in.define_event().index_seed(),
                                in.define_event().by(), in.define_event().request_id()};
  case proto::Message::kControlEvent:
    return take(in.control_event());
  case proto::Message::kSetAdmission:
    return domain::set_admission{decode(in.set_admission().patch()), in.set_admission().by(),
                                 in.set_admission().request_id()};
  case proto::Message::kJoin:
    return domain::join{in.join().user()};
  case proto::Message::kLeave:
    return domain::leave{in.leave().user(), {in.leave().ticket()}};
  case proto::Message::kClaimTurn:
    return take(in.claim_turn());
  case proto::Message::kCompleteVisit:
    return domain::complete_visit{in.complete_visit().user(), {in.complete_visit().ticket()}};
  case proto::Message::kAskTicket:
    return domain::ask_ticket{in.ask_ticket().user(), {in.ask_ticket().ticket()}};
  case proto::Message::kCountReceived:
    return domain::count_received{in.count_received().sequence()};
  case proto::Message::kRequestHold:
    return take(in.request_hold());
  case proto::Message::kExtendHold:
    return take(in.extend_hold());
  case proto::Message::kReleaseHold:
    return take(in.release_hold());
  case proto::Message::kPayHold:
    return take(in.pay_hold());
  case proto::Message::kCancelReservation:
    return take(in.cancel_reservation());
  case proto::Message::kChargeSettled:
    return take(in.charge_settled());
  case proto::Message::kAskHold:
    return take(in.ask_hold());
  case proto::Message::kAskReservation:
    return take(in.ask_reservation());
  case proto::Message::kAskReservations:
    return domain::ask_reservations{};
  case proto::Message::kFoundCluster:
    return take(in.found_cluster());
  case proto::Message::kRegisterEvent:
    return domain::register_event{in.register_event().slug(), in.register_event().request_id()};
  case proto::Message::kEventSummary:
    return take(in.event_summary());
  case proto::Message::kAddKey:
    return take(in.add_key());
  case proto::Message::kRemoveKey:
    return domain::remove_key{in.remove_key().name(), in.remove_key().request_id(), in.remove_key().by()};
  case proto::Message::kSoldCount:
    return take(in.sold_count());
  case proto::Message::kAddJoinToken:
    return take(in.add_join_token());
  case proto::Message::kJoinCluster:
    return take(in.join_cluster());
  case proto::Message::kAnnounceNode:
    return take(in.announce_node());
  case proto::Message::kChangeNode:
    return take(in.change_node());
  case proto::Message::kSetReplication:
    return take(in.set_replication());
  case proto::Message::kActivateFeature:
    return take(in.activate_feature());
  case proto::Message::kNoteDeed:
    return take(in.note_deed());
  case proto::Message::BODY_NOT_SET:
    break;
  }
  return std::nullopt;
}

} // namespace

std::optional<message> decode_message(std::string_view bytes) {
  proto::Message in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return std::nullopt;
  auto body = body_of(in);
  if (body && domain::level_of(*body) > domain::feature_level())
    body.reset(); // what only newer programs know is unknown here, whatever of it can be read
  return body;
}

bool is_well_formed_message(std::string_view bytes) {
  proto::Message in;
  return in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

std::string describe_message(std::string_view bytes) {
  proto::Message in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return "{}";
  if (in.has_pay_hold() && !in.pay_hold().card().empty())
    in.mutable_pay_hold()->set_card("(left out)");
  if (in.has_found_cluster())
    in.mutable_found_cluster()->set_wrapped_keys("(left out)");
  if (in.has_define_event()) {
    in.mutable_define_event()->mutable_definition()->clear_sections();
    in.mutable_define_event()->set_index_seed(0);
  }
  return json_of(in);
}

std::string encode(const domain::charge& c) {
  proto::Charge p;
  p.set_reservation(bytes_of(c.reservation));
  p.set_step(static_cast<std::uint32_t>(c.step));
  p.set_attempt(c.attempt);
  p.set_amount(c.amount);
  p.set_currency(c.currency);
  p.set_card(c.card);
  return p.SerializeAsString();
}

std::optional<domain::charge> decode_charge(std::string_view bytes) {
  proto::Charge p;
  domain::charge c;
  if (!p.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || !read_id(p.reservation(), c.reservation) ||
      !in_range(p.step(), domain::charge_step::authorise, domain::charge_step::refund))
    return std::nullopt;
  c.step = static_cast<domain::charge_step>(p.step());
  c.attempt = p.attempt();
  c.amount = p.amount();
  c.currency = p.currency();
  c.card = p.card();
  return c;
}

std::string charge_key(const reservation_id& id, domain::charge_step step) {
  auto key = bytes_of(id);
  key += static_cast<char>(step);
  return key;
}

} // namespace sluice::codec
