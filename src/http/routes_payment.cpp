// Payment and reservations.
#include "core/text_id.hpp"
#include "http/push_hub.hpp"
#include "http/routes.hpp"
#include "http/views.hpp"

#include <algorithm>

namespace sluice::http::routes {

namespace {

/// Token and event of the routes under /reservations, where the id leads to the event. Empty: the call was answered.
std::optional<reservation_id> reservation_of(bridge& b, const call_ptr& c) {
  // One's own reservations stay readable and cancellable with either token, expired or not.
  if (!b.authenticate(c, std::nullopt, true))
    return std::nullopt;
  auto id = reservation_id_from(c->parameters.front());
  c->event = id ? b.services().models.find(id->event()) : nullptr;
  c->plan = c->event ? c->event->plan() : nullptr;
  if (id && b.is_starting(c))
    return std::nullopt;
  if (!c->plan || c->who.event != id->event()) {
    b.fail(c, errc::reservation_unknown, "there is no such reservation");
    return std::nullopt;
  }
  return id;
}

std::string reservation_path(const reservation_id& id) {
  return "/api/v1/reservations/" + to_text(id);
}

void answer_reservation(bridge& b, const call_ptr& c, const domain::reservation_reply& r, unsigned status,
                        bool waited = false) {
  auto plan = c->event->plan();
  response out;
  out.status = status;
  codec::json_writer w{out.body};
  write_reservation(w, plan ? *plan : *c->plan, r);
  out.field("Location", reservation_path(r.reservation));
  if (waited)
    out.field("Preference-Applied", "wait");
  b.answer(c, std::move(out));
}

bool is_pending(domain::reservation_state s) {
  return s == domain::reservation_state::paying;
}

/// Answers with the reservation once it is no longer pending, or with what it is when time is up.
void answer_when_settled(bridge& b, const call_ptr& c, const reservation_id& id,
                         std::chrono::steady_clock::time_point until, unsigned status_if_pending, bool preferred) {
  auto answered = std::make_shared<bool>(false);
  auto finish = [&b, c, answered, status_if_pending, preferred](const domain::reservation_reply& r) {
    if (std::exchange(*answered, true))
      return;
    bool pending = is_pending(r.state);
    bool made = preferred && r.state == domain::reservation_state::confirmed;
    answer_reservation(b, c, r, pending ? status_if_pending : made ? 201 : 200, preferred && !pending);
  };
  auto ask = [&b, c, id, answered, finish](bool answer_pending) {
    b.partitions().ask(session_of(c), domain::ask_reservation{id},
                       [&b, c, answered, finish, answer_pending](const domain::reply& reply, log_index) {
                         if (const auto* why = std::get_if<domain::refusal>(&reply)) {
                           if (!std::exchange(*answered, true))
                             b.fail(c, *why);
                           return;
                         }
                         const auto& r = std::get<domain::reservation_reply>(reply);
                         if (answer_pending || !is_pending(r.state))
                           finish(r);
                       });
  };
  // Listen first, then look: what happens in between is heard.
  b.await_reservation(c, id, until, [finish, ask, answered](const domain::reservation_reply* r) {
    if (*answered)
      return;
    if (r != nullptr)
      finish(*r);
    else
      ask(true);
  });
  ask(false);
}

struct payment_wish {
  domain::payment_method method{};
  std::string card;
};

std::optional<payment_wish> read_payment(bridge& b, const call_ptr& c, const codec::document& body) {
  std::vector<codec::document_error> mistakes;
  codec::object_reader r{body, "", mistakes};
  payment_wish wish;
  std::string method;
  r.read("method", method, true).read("card", wish.card);
  if (method == "card") {
    wish.method = domain::payment_method::card;
    bool digits = std::all_of(wish.card.begin(), wish.card.end(), [](char x) { return x >= '0' && x <= '9'; });
    if (wish.card.empty())
      r.fail("card", "is required with the method \"card\"", errc::missing_field);
    else if (!digits || wish.card.size() < 12 || wish.card.size() > 19)
      r.fail("card", "must be 12 to 19 digits");
  } else if (method == "free") {
    wish.method = domain::payment_method::free;
    if (!wish.card.empty())
      r.fail("card", "goes with the method \"card\" only");
  } else if (mistakes.empty()) {
    r.fail("method", "must be \"card\" or \"free\"");
  }
  r.finish();
  if (!b.accept(c, mistakes))
    return std::nullopt;
  return wish;
}

} // namespace

void pay(bridge& b, const call_ptr& c) {
  // A key outlives the token: a repeat gets its answer, whenever it comes.
  if (!b.find_event(c) || !b.authenticate(c, claims::kind::admission, true) || !b.check_audience(c))
    return;
  auto hold = hold_id_from(c->parameters[1]);
  if (!hold || hold->event() != c->event->number())
    return b.fail(c, errc::hold_unknown, "there is no such hold");
  auto body = b.json_body(c);
  if (!body)
    return;
  auto once = b.once(c, *body);
  if (!once)
    return;
  auto wish = read_payment(b, c, *body);
  if (!wish)
    return;
  auto event = c->event->number();
  auto id = make_routed_id<reservation_id>(slot_of(event), event, random_bytes<14>());
  domain::pay_hold command{std::move(*once), c->who.id, *hold, id, wish->method, std::move(wish->card)};
  b.partitions().propose(session_of(c), command, [&b, c](const domain::reply& reply, log_index) {
    if (const auto* why = std::get_if<domain::refusal>(&reply))
      return b.fail_with_token(c, *why);
    const auto& r = std::get<domain::reservation_reply>(reply);
    if (auto wait = preferred_wait(c->req, b.limits().wait_max))
      return answer_when_settled(b, c, r.reservation, std::chrono::steady_clock::now() + *wait, 202, true);
    response out;
    out.status = 202;
    codec::json_writer w{out.body};
    w.begin_object().field("reservationId", to_text(r.reservation)).field("state", word_of(r.state)).end_object();
    out.field("Location", reservation_path(r.reservation));
    b.answer(c, std::move(out));
  });
}

void list_reservations(bridge& b, const call_ptr& c) {
  if (!b.authenticate(c, std::nullopt, true))
    return;
  c->event = b.services().models.find(c->who.event);
  c->plan = c->event ? c->event->plan() : nullptr;
  if (b.is_starting(c))
    return;
  if (!c->plan)
    return b.fail(c, errc::event_unknown, "there is no such event");
  b.partitions().ask(session_of(c), domain::ask_reservations{}, [&b, c](const domain::reply& reply, log_index) {
    if (const auto* why = std::get_if<domain::refusal>(&reply))
      return b.fail(c, *why);
    std::string text;
    codec::json_writer w{text};
    w.begin_object().key("reservations").begin_array();
    auto plan = c->event->plan();
    for (const auto& r : std::get<domain::reservations_reply>(reply).reservations)
      write_reservation(w, plan ? *plan : *c->plan, r);
    w.end_array().end_object();
    b.answer_json(c, 200, std::move(text));
  });
}

void show_reservation(bridge& b, const call_ptr& c) {
  auto id = reservation_of(b, c);
  if (!id)
    return;
  auto wait = b.wait_of(c);
  if (!wait)
    return;
  if (wait->count() > 0)
    return answer_when_settled(b, c, *id, std::chrono::steady_clock::now() + *wait, 200, false);
  b.partitions().ask(session_of(c), domain::ask_reservation{*id}, [&b, c](const domain::reply& reply, log_index) {
    if (const auto* why = std::get_if<domain::refusal>(&reply))
      return b.fail(c, *why);
    answer_reservation(b, c, std::get<domain::reservation_reply>(reply), 200);
  });
}

void reservation_stream(bridge& b, const call_ptr& c) {
  if (auto id = reservation_of(b, c))
    b.services().pushes.add_reservation_stream(b, c, *id);
}

void cancel_reservation(bridge& b, const call_ptr& c) {
  auto id = reservation_of(b, c);
  if (!id)
    return;
  b.partitions().propose(session_of(c), domain::cancel_reservation{*id},
                         [&b, c](const domain::reply& reply, log_index) {
                           if (const auto* why = std::get_if<domain::refusal>(&reply))
                             return b.fail(c, *why);
                           answer_reservation(b, c, std::get<domain::reservation_reply>(reply), 202);
                         });
}

} // namespace sluice::http::routes
