// The line: join, look, wait, claim, leave.
#include "codec/times.hpp"
#include "core/text_id.hpp"
#include "http/crypto.hpp"
#include "http/push_hub.hpp"
#include "http/routes.hpp"
#include "http/views.hpp"

#include <algorithm>

namespace sluice::http::routes {

namespace {

wall_time wall_now() {
  return std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now());
}

/// A token outlives the wait it stands for by a day: one's reservations stay readable with it in any case.
std::string queue_token(bridge& b, const call_ptr& c, const std::string& user, ticket_number ticket) {
  claims who;
  who.is = claims::kind::queue;
  who.audience = c->plan->definition().id;
  who.user = user;
  who.ticket = ticket;
  who.event = c->event->number();
  who.issued = wall_now();
  who.expires =
      who.issued + std::chrono::seconds{c->plan->definition().admission.waiting_ttl_seconds} + std::chrono::hours{24};
  return b.tokens(c)->sign(who);
}

void answer_ticket(bridge& b, const call_ptr& c, const ticket_view& v, unsigned status, std::string_view token,
                   bool waited = false) {
  response r;
  r.status = status;
  r.body.reserve(512);
  write_ticket(r.body, v, token);
  if (token.empty())
    r.field("ETag", etag_of(v));
  if (waited)
    r.field("Preference-Applied", "wait");
  b.answer(c, std::move(r));
}

/// Of an event without names. Who shows a token of this event is whom it names; else a key stands for one visitor, so
/// that a join whose answer was lost can be repeated; else this is somebody new. Empty: the call was answered.
std::optional<std::string> visitor_of(bridge& b, const call_ptr& c) {
  constexpr std::size_t key_bytes_min = 16; // what is easily guessed would let another take the same place
  if (auto known = b.recognise(c))
    return known->user;
  if (!c->req.has_idempotency_key)
    return "v-" + base32(random_bytes<15>());
  auto key = b.idempotency_key(c);
  if (!key)
    return std::nullopt;
  if (key->size() < key_bytes_min) {
    b.fail(c, errc::idempotency_key_invalid, "without a user id the key says who joins: 16 random characters or more");
    return std::nullopt;
  }
  return "v-" + sha256_hex(std::to_string(c->event->number().value) + '/' + *key).substr(0, 32);
}

/// The user of a join, by the event's identity mode. Empty: the call was answered.
std::optional<std::string> user_of(bridge& b, const call_ptr& c) {
  auto body = b.json_body(c, true);
  if (!body)
    return std::nullopt;
  std::string user;
  std::vector<codec::document_error> mistakes;
  codec::object_reader r{*body, "", mistakes};
  bool trusted = c->plan->definition().identity == domain::identity_mode::trusted;
  r.read("userId", user, trusted);
  r.finish();
  if (!b.accept(c, mistakes))
    return std::nullopt;
  if (!trusted)
    return visitor_of(b, c);
  if (!is_valid_user(user)) {
    b.fail(c, errc::bad_id,
           "userId must be 1 to 128 bytes of UTF-8 without control, direction or zero-width characters");
    return std::nullopt;
  }
  return user;
}

entity_ref event_of(const call_ptr& c) {
  return entity_ref::of_event(c->event->number());
}

/// Asks the leader and answers, or keeps waiting while nothing changed.
void ask_leader(bridge& b, const call_ptr& c, std::function<bool(const ticket_view&)> answer_it) {
  b.partitions().ask(event_of(c), domain::ask_ticket{c->who.user, c->who.ticket},
                     [&b, c, answer_it = std::move(answer_it)](const domain::reply& reply, log_index version) {
                       if (const auto* why = std::get_if<domain::refusal>(&reply))
                         return b.fail(c, *why);
                       answer_it(combine(*c->event, std::get<domain::ticket_reply>(reply), version));
                     });
}

/// A long poll: looked at about twenty times a second, answered when the client's picture would change.
void wait_for_change(bridge& b, const call_ptr& c, std::string known, std::chrono::steady_clock::time_point until) {
  struct state {
    std::uint64_t seen = 0;
    std::chrono::steady_clock::time_point ask_again{};
    bool asking = false;
    bool over = false;
  };

  auto s = std::make_shared<state>();
  auto finish = [&b, c, s](const ticket_view& v) {
    s->over = true;
    answer_ticket(b, c, v, 200, {});
  };
  b.add_poller({[&b, c, s, known = std::move(known), until, finish](std::chrono::steady_clock::time_point now) {
    if (s->over || !c->reply.alive())
      return true;
    bool time_is_up = now >= until;
    auto changes = c->event->board_changes();
    if (s->asking || (changes == s->seen && !time_is_up))
      return false;
    if (!c->event->plan()) {
      b.fail(c, errc::event_unknown, "the event was removed");
      return true;
    }
    if (auto v = look_up(*c->event, c->who.ticket)) {
      s->seen = changes;
      if (time_is_up || etag_of(*v) != known)
        finish(*v);
      return s->over;
    }
    // Let through, or gone: only the leader knows. Not more than twice a second for one client.
    if (now < s->ask_again && !time_is_up)
      return false;
    s->seen = changes;
    s->ask_again = now + std::chrono::milliseconds{500};
    s->asking = true;
    ask_leader(b, c, [s, known, until, finish](const ticket_view& v) {
      s->asking = false;
      if (!s->over && (etag_of(v) != known || std::chrono::steady_clock::now() >= until))
        finish(v);
      return s->over;
    });
    return false;
  }});
}

/// For `Prefer: wait`: `done` gets the ticket once it waits no longer, or as it is when time is up.
void await_turn(bridge& b, const call_ptr& c, std::chrono::milliseconds wait,
                std::function<void(const ticket_view&)> done) {
  struct state {
    std::chrono::steady_clock::time_point ask_again{};
    bool asking = false;
    bool over = false;
  };

  auto s = std::make_shared<state>();
  auto until = std::chrono::steady_clock::now() + wait;
  b.add_poller({[&b, c, s, until, done = std::move(done)](std::chrono::steady_clock::time_point now) {
    if (s->over || !c->reply.alive())
      return true;
    auto v = look_up(*c->event, c->who.ticket);
    bool waits = v && v->state == domain::ticket_state::waiting;
    if (s->asking || (waits && now < until) || now < s->ask_again)
      return false;
    s->asking = true;
    s->ask_again = now + std::chrono::milliseconds{500};
    ask_leader(b, c, [s, until, done](const ticket_view& told) {
      s->asking = false;
      s->over = told.state != domain::ticket_state::waiting || std::chrono::steady_clock::now() >= until;
      if (s->over)
        done(told);
      return s->over;
    });
    return false;
  }});
}

/// Whose memory has no room for one more in line; null: there is room.
const char* who_is_full(bridge& b, const entity_ref& line) {
  const auto& shared = b.services().shared;
  if (shared.crowded)
    return "this node's memory";
  auto place = b.partitions().place_of(line.event).value;
  bool full = place < shared.crowded_partitions.size() && shared.crowded_partitions[place];
  return full ? "the memory of a node that keeps this line" : nullptr;
}

} // namespace

void join(bridge& b, const call_ptr& c) {
  if (!b.find_event(c) || b.tokens(c) == nullptr)
    return;
  auto user = user_of(b, c);
  if (!user)
    return;
  if (const auto* whose = who_is_full(b, event_of(c)))
    if (auto known = b.recognise(c); !known || known->user != *user) // who is in line already takes no room
      return b.fail(c, errc::overloaded, std::string{whose} + " is nearly used up; try again later");
  b.partitions().propose(event_of(c), domain::join{*user},
                         [&b, c, user = *user](const domain::reply& reply, log_index version) {
                           if (const auto* why = std::get_if<domain::refusal>(&reply))
                             return b.fail(c, *why);
                           const auto& ticket = std::get<domain::ticket_reply>(reply);
                           auto v = combine(*c->event, ticket, version);
                           auto token = queue_token(b, c, user, ticket.ticket);
                           auto answer = [&b, c, token](const ticket_view& told, bool waited) {
                             if (domain::is_terminal(told.state)) // who waited when it closed
                               return b.fail(c, errc::event_closed, "the event is closed");
                             bool waits = told.state == domain::ticket_state::waiting;
                             answer_ticket(b, c, told, waits ? 202 : 200, token, waited && !waits);
                           };
                           auto wait = preferred_wait(c->req, b.limits().wait_max);
                           if (!wait || v.state != domain::ticket_state::waiting)
                             return answer(v, false);
                           c->who.user = user;
                           c->who.ticket = ticket.ticket;
                           await_turn(b, c, *wait, [answer](const ticket_view& told) { answer(told, true); });
                         });
}

void own_ticket(bridge& b, const call_ptr& c) {
  if (!b.find_event(c) || !b.authenticate(c, std::nullopt) || !b.check_audience(c))
    return;
  auto wait = b.wait_of(c);
  if (!wait)
    return;
  auto until = std::chrono::steady_clock::now() + *wait;
  auto first = [&b, c, wait = *wait, until](const ticket_view& v) {
    auto tag = etag_of(v);
    bool same = !c->req.if_none_match.empty() && c->req.if_none_match == tag;
    if (wait.count() > 0 && (same || c->req.if_none_match.empty())) {
      wait_for_change(b, c, tag, until);
    } else if (same) {
      response r;
      r.status = 304;
      r.field("ETag", tag);
      b.answer(c, std::move(r));
    } else {
      answer_ticket(b, c, v, 200, {});
    }
    return true;
  };
  if (auto v = look_up(*c->event, c->who.ticket))
    first(*v);
  else
    ask_leader(b, c, first);
}

void own_ticket_stream(bridge& b, const call_ptr& c) {
  if (!b.find_event(c) || !b.authenticate(c, std::nullopt) || !b.check_audience(c))
    return;
  b.services().pushes.add_ticket_stream(b, c);
}

void heartbeat(bridge& b, const call_ptr& c) {
  if (!b.find_event(c) || !b.authenticate(c, std::nullopt) || !b.check_audience(c))
    return;
  response r;
  r.status = 204;
  b.answer(c, std::move(r));
}

namespace {

/// Not yet; or never, for who waited when the event closed.
void answer_not_yet(bridge& b, const call_ptr& c, const ticket_view& v) {
  if (domain::is_terminal(v.state))
    return b.fail(c, errc::ticket_expired, "the turn was missed, or the event is closed");
  answer_ticket(b, c, v, 202, {});
}

/// `wait`: how long the turn may be waited for first; nothing once it was.
void propose_claim(bridge& b, const call_ptr& c, std::optional<std::chrono::milliseconds> wait, bool waited) {
  auto id = admission_id{random_bytes<16>()};
  b.partitions().propose(
      event_of(c), domain::claim_turn{c->who.user, c->who.ticket, id},
      [&b, c, wait, waited](const domain::reply& reply, log_index version) {
        if (const auto* why = std::get_if<domain::refusal>(&reply))
          return b.fail(c, *why);
        if (const auto* ticket = std::get_if<domain::ticket_reply>(&reply)) {
          if (!wait)
            return answer_not_yet(b, c, combine(*c->event, *ticket, version));
          return await_turn(b, c, *wait, [&b, c](const ticket_view& v) {
            if (v.state == domain::ticket_state::waiting || domain::is_terminal(v.state))
              return answer_not_yet(b, c, v);
            propose_claim(b, c, std::nullopt, true);
          });
        }
        const auto& visit = std::get<domain::visit_reply>(reply);
        claims who;
        who.is = claims::kind::admission;
        who.audience = c->who.audience;
        who.user = c->who.user;
        who.ticket = visit.ticket;
        who.event = c->who.event;
        who.id = visit.id;
        who.issued = visit.claimed;
        who.expires = visit.expires;
        std::string text;
        codec::json_writer w{text};
        w.begin_object().field("admissionToken", b.tokens(c)->sign(who)).field("state", "ACTIVE");
        w.field("ticketNumber", visit.ticket.value).field("expiresAt", codec::to_text(visit.expires));
        w.field("version", version).end_object();
        response r;
        r.body = std::move(text);
        if (waited)
          r.field("Preference-Applied", "wait");
        b.answer(c, std::move(r));
      });
}

} // namespace

void claim(bridge& b, const call_ptr& c) {
  if (b.find_event(c) && b.authenticate(c, claims::kind::queue) && b.check_audience(c))
    propose_claim(b, c, preferred_wait(c->req, b.limits().wait_max), false);
}

namespace {

template <class Command>
void finish_ticket(bridge& b, const call_ptr& c) {
  if (!b.find_event(c) || !b.authenticate(c, std::nullopt) || !b.check_audience(c))
    return;
  b.partitions().propose(event_of(c), Command{c->who.user, c->who.ticket},
                         [&b, c](const domain::reply& reply, log_index) {
                           if (const auto* why = std::get_if<domain::refusal>(&reply))
                             return b.fail(c, *why);
                           response r;
                           r.status = 204;
                           b.answer(c, std::move(r));
                         });
}

} // namespace

void complete(bridge& b, const call_ptr& c) {
  finish_ticket<domain::complete_visit>(b, c);
}

void leave(bridge& b, const call_ptr& c) {
  finish_ticket<domain::leave>(b, c);
}

void status(bridge& b, const call_ptr& c) {
  if (!b.find_event(c))
    return;
  response r;
  r.body = status_json(*c->event, *c->plan);
  r.cacheable = true;
  r.field("Cache-Control", "public, max-age=1");
  b.answer(c, std::move(r));
}

void status_stream(bridge& b, const call_ptr& c) {
  if (!b.find_event(c))
    return;
  b.services().pushes.add_status_stream(b, c);
}

} // namespace sluice::http::routes
