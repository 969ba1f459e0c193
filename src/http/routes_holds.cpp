// Holds: seats or places set aside for an admitted user.
#include "core/text_id.hpp"
#include "http/routes.hpp"
#include "http/views.hpp"

#include <map>
#include <set>

namespace sluice::http::routes {

namespace {

constexpr std::size_t seats_per_hold_max = 100;

/// Event, token and hold id of the routes under /holds/{hold}. Empty: the call was answered.
std::optional<hold_id> hold_of(bridge& b, const call_ptr& c) {
  if (!b.find_event(c) || !b.authenticate(c, claims::kind::admission) || !b.check_audience(c))
    return std::nullopt;
  auto id = hold_id_from(c->parameters[1]);
  if (!id || id->event() != c->event->number()) {
    b.fail(c, errc::hold_unknown, "there is no such hold");
    return std::nullopt;
  }
  return id;
}

void answer_hold(bridge& b, const call_ptr& c, const domain::reply& reply, unsigned status) {
  if (const auto* why = std::get_if<domain::refusal>(&reply))
    return b.fail(c, *why);
  const auto& h = std::get<domain::hold_reply>(reply);
  // The plan may have grown since the call began; indexes never move, so the newest one names every seat.
  auto plan = c->event->plan();
  response r;
  r.status = status;
  codec::json_writer w{r.body};
  write_hold(w, plan ? *plan : *c->plan, h);
  if (status == 201)
    r.field("Location", "/api/v1/events/" + c->plan->definition().id + "/holds/" + to_text(h.hold));
  b.answer(c, std::move(r));
}

std::optional<std::vector<domain::wanted_part>> seats_wanted(bridge& b, const call_ptr& c,
                                                             const codec::document& list) {
  if (list.items.empty() || list.items.size() > seats_per_hold_max) {
    b.fail(c, errc::too_many_seats, "name 1 to " + std::to_string(seats_per_hold_max) + " seats");
    return std::nullopt;
  }
  std::map<block_number, std::set<seat_index>> by_block;
  for (const auto& item : list.items) {
    if (item.is != codec::document::kind::string) {
      b.fail(c, errc::bad_value, "/seats must be an array of seat ids");
      return std::nullopt;
    }
    auto seat = c->plan->find_seat(item.text);
    if (!seat) {
      b.fail(c, errc::seat_unknown, "the event has no seat of that id");
      return std::nullopt;
    }
    if (!by_block[seat->first].insert(seat->second).second) {
      b.fail(c, errc::bad_value, "a seat is named twice");
      return std::nullopt;
    }
  }
  std::vector<domain::wanted_part> parts;
  parts.reserve(by_block.size());
  for (const auto& [block, seats] : by_block)
    parts.push_back({block, false, {seats.begin(), seats.end()}, 0});
  return parts;
}

std::optional<std::vector<domain::wanted_part>> parts_wanted(bridge& b, const call_ptr& c,
                                                             const codec::document& body) {
  std::vector<codec::document_error> mistakes;
  codec::object_reader r{body, "", mistakes};
  const auto* seats = r.take("seats", codec::document::kind::array);
  std::string area;
  std::uint32_t quantity = 0;
  r.read("area", area).read("quantity", quantity, 1, 1'000);
  if ((seats != nullptr) == !area.empty() && mistakes.empty())
    r.fail("seats", "name either seats, or an area and a quantity", errc::missing_field);
  else if (!area.empty() && quantity == 0 && mistakes.empty())
    r.fail("quantity", "is required with an area", errc::missing_field);
  else if (seats != nullptr && quantity != 0)
    r.fail("quantity", "goes with an area only");
  r.finish();
  if (!b.accept(c, mistakes))
    return std::nullopt;
  if (seats != nullptr)
    return seats_wanted(b, c, *seats);
  const auto* place = c->plan->find_place(area);
  if (place == nullptr || !place->area) {
    b.fail(c, errc::area_unknown, "the event has no such area");
    return std::nullopt;
  }
  return std::vector<domain::wanted_part>{{place->number, true, {}, quantity}};
}

} // namespace

void make_hold(bridge& b, const call_ptr& c) {
  // A key outlives the token: a repeat gets its answer, whenever it comes.
  if (!b.find_event(c) || !b.authenticate(c, claims::kind::admission, true) || !b.check_audience(c))
    return;
  auto body = b.json_body(c);
  if (!body)
    return;
  auto once = b.once(c, *body);
  if (!once)
    return;
  auto parts = parts_wanted(b, c, *body);
  if (!parts)
    return;
  auto event = c->event->number();
  auto id = make_routed_id<hold_id>(slot_of(event), event, random_bytes<14>());
  b.partitions().propose(session_of(c), domain::request_hold{std::move(*once), c->who.id, id, std::move(*parts)},
                         [&b, c](const domain::reply& reply, log_index) {
                           if (const auto* why = std::get_if<domain::refusal>(&reply))
                             return b.fail_with_token(c, *why);
                           answer_hold(b, c, reply, 201);
                         });
}

void show_hold(bridge& b, const call_ptr& c) {
  if (auto id = hold_of(b, c))
    b.partitions().ask(session_of(c), domain::ask_hold{*id},
                       [&b, c](const domain::reply& reply, log_index) { answer_hold(b, c, reply, 200); });
}

void extend_hold(bridge& b, const call_ptr& c) {
  auto id = hold_of(b, c);
  if (!id)
    return;
  auto body = b.json_body(c, true);
  if (!body)
    return;
  std::vector<codec::document_error> mistakes;
  codec::object_reader{*body, "", mistakes}.finish();
  if (!b.accept(c, mistakes))
    return;
  // A repeat with the same key extends once; without a key each request is its own.
  auto request = c->req.has_idempotency_key ? b.idempotency_key(c) : hex(random_bytes<8>());
  if (!request)
    return;
  b.partitions().propose(session_of(c), domain::extend_hold{c->who.id, *id, std::move(*request)},
                         [&b, c](const domain::reply& reply, log_index) { answer_hold(b, c, reply, 200); });
}

void release_hold(bridge& b, const call_ptr& c) {
  auto id = hold_of(b, c);
  if (!id)
    return;
  b.partitions().propose(session_of(c), domain::release_hold{c->who.id, *id},
                         [&b, c](const domain::reply& reply, log_index) {
                           if (const auto* why = std::get_if<domain::refusal>(&reply))
                             return b.fail(c, *why);
                           response r;
                           r.status = 204;
                           b.answer(c, std::move(r));
                         });
}

} // namespace sluice::http::routes
