#include "sluice-bench/visitor.hpp"

#include <cstdio>
#include <utility>

namespace sluice::bench {

namespace {

using namespace std::chrono_literals;

constexpr std::array<std::string_view, 6> names{"join", "look", "claim", "hold", "pay", "await"};

void append_head(std::string& out, std::string_view method, std::string_view path, std::string_view host) {
  out += method;
  out += ' ';
  out += path;
  out += " HTTP/1.1\r\nHost: ";
  out += host;
  out += "\r\n";
}

void append_token(std::string& out, std::string_view token) {
  out += "Authorization: Bearer ";
  out += token;
  out += "\r\n";
}

void append_body(std::string& out, std::string_view body) {
  out += "Content-Type: application/json\r\nContent-Length: ";
  out += std::to_string(body.size());
  out += "\r\n\r\n";
  out += body;
}

} // namespace

visitor::visitor(const visit_plan& plan, seat_source* seats, std::uint32_t seed)
    : plan_{plan}, seats_{seats}, dice_{seed * 7919 + 1} {}

std::span<const std::string_view> visitor::kinds() const {
  return names;
}

std::string visitor::user_name(const std::string& prefix, std::uint64_t number) {
  char digits[24];
  std::snprintf(digits, sizeof(digits), "%010llu", static_cast<unsigned long long>(number));
  return prefix + digits;
}

visitor::guest& visitor::at(lane_number lane) {
  if (lane >= guests_.size())
    guests_.resize(lane + 1);
  return guests_[lane];
}

step visitor::begin(lane_number lane, time_point) {
  auto number = plan_.next_user->fetch_add(1, std::memory_order_relaxed);
  if (plan_.users_max != 0 && number >= plan_.users_max)
    return step::retire();
  auto& g = at(lane);
  g.user = user_name(plan_.user_prefix, number * plan_.stride);
  g.event = static_cast<std::uint32_t>(number % plan_.events.size());
  g.attempt = 0;
  g.again = false;
  return send(g, act::join, lane);
}

step visitor::send(guest& g, act what, lane_number lane) {
  g.doing = what;
  auto& out = g.out;
  out.clear();
  auto path = [&](std::string_view rest) {
    std::string p = "/api/v1/events/";
    p += plan_.events[g.event];
    p += rest;
    return p;
  };
  auto key = [&](char kind) {
    out += "Idempotency-Key: ";
    out += g.user;
    out += kind;
    out += std::to_string(g.attempt);
    out += "\r\n";
  };
  switch (what) {
  case act::join: {
    append_head(out, "POST", path("/queue"), plan_.host);
    std::string body = "{\"userId\":\"";
    body += g.user;
    body += "\"}";
    append_body(out, body);
    break;
  }
  case act::look:
    append_head(out, "GET", path("/queue"), plan_.host);
    append_token(out, g.token);
    out += "\r\n";
    break;
  case act::claim:
    append_head(out, "POST", path("/queue/admission"), plan_.host);
    append_token(out, g.token);
    out += "Content-Length: 0\r\n\r\n";
    break;
  case act::hold: {
    auto body = seats_ ? seats_->pick(lane) : std::string_view{};
    if (body.empty())
      return step::retire();
    ++g.attempt;
    append_head(out, "POST", path("/holds"), plan_.host);
    append_token(out, g.token);
    key('h');
    append_body(out, body);
    break;
  }
  case act::pay:
    append_head(out, "POST", path("/holds/") + g.hold + "/payment", plan_.host);
    append_token(out, g.token);
    key('p');
    out += "Prefer: wait=10\r\n";
    append_body(out,
                plan_.free_of_charge ? "{\"method\":\"free\"}" : "{\"method\":\"card\",\"card\":\"4242424242424242\"}");
    break;
  case act::await:
    append_head(out, "GET", "/api/v1/reservations/" + g.reservation + "?waitMs=10000", plan_.host);
    append_token(out, g.token);
    out += "\r\n";
    break;
  }
  return step::send(static_cast<std::uint8_t>(what), out);
}

step visitor::later(guest& g, act what, time_point now, nanoseconds pause) {
  g.doing = what;
  return step::wait(now + pause);
}

step visitor::soon(guest& g, act what, lane_number lane, time_point now) {
  if (plan_.think.count() == 0)
    return send(g, what, lane);
  auto share = std::uniform_real_distribution<double>{0.5, 1.5}(dice_);
  return later(g, what, now,
               std::chrono::duration_cast<nanoseconds>(
                   std::chrono::duration<double, std::nano>(share * static_cast<double>(plan_.think.count()))));
}

step visitor::resumed(lane_number lane, time_point) {
  auto& g = at(lane);
  if (std::exchange(g.again, false))
    return step::send(static_cast<std::uint8_t>(g.doing), g.out);
  return send(g, g.doing, lane);
}

step visitor::broken(lane_number lane, time_point now) {
  auto& g = at(lane);
  if (!plan_.persistent)
    return give_up(lane);
  g.again = true;
  return later(g, g.doing, now, 100ms);
}

step visitor::give_up(lane_number lane) {
  if (seats_)
    seats_->given_up(lane);
  return step::failed();
}

step visitor::answered(lane_number lane, const answer& a, time_point now) {
  auto& g = at(lane);
  if (a.status == 429 || a.status == 503) {
    g.again = true;
    return later(g, g.doing, now, std::chrono::milliseconds{number_field(a.body, "retryAfterMs").value_or(100)});
  }
  switch (g.doing) {
  case act::join:
  case act::look:
  case act::claim:
    return ticket_told(g, lane, a, now);
  case act::hold:
    return hold_told(g, lane, a, now);
  case act::pay:
  case act::await:
    return payment_told(g, lane, a, now);
  }
  return give_up(lane);
}

step visitor::ticket_told(guest& g, lane_number lane, const answer& a, time_point now) {
  if (a.status == 409 && text_field(a.body, "code") == "SOLD_OUT")
    return step::retire();
  if (a.status != 200 && a.status != 202)
    return give_up(lane);
  if (g.doing == act::join) {
    if (plan_.until == visit_goal::ticket) {
      if (plan_.keep_tokens)
        tokens_.push_back({g.event, std::string{text_field(a.body, "token")}});
      return step::finished();
    }
    g.token = text_field(a.body, "token");
  }
  if (g.doing == act::claim && a.status == 200) {
    g.token = text_field(a.body, "admissionToken");
    if (plan_.until == visit_goal::admission) {
      if (plan_.keep_tokens)
        tokens_.push_back({g.event, g.token});
      return step::finished();
    }
    return soon(g, act::hold, lane, now);
  }
  auto state = text_field(a.body, "state");
  if (state == "ADMITTED" || state == "ACTIVE")
    return soon(g, act::claim, lane, now);
  if (state != "WAITING" && state != "AWAY" && state != "STANDBY")
    return give_up(lane);
  nanoseconds pause = std::chrono::milliseconds{number_field(a.body, "pollAfterMs").value_or(1000)};
  return later(g, act::look, now, std::min(pause, plan_.poll_at_most));
}

step visitor::hold_told(guest& g, lane_number lane, const answer& a, time_point now) {
  if (a.status == 409 && seats_->refused(lane, a))
    return soon(g, act::hold, lane, now);
  if (a.status != 201)
    return give_up(lane);
  g.hold = text_field(a.body, "holdId");
  if (plan_.until == visit_goal::hold)
    return step::finished();
  return soon(g, act::pay, lane, now);
}

step visitor::payment_told(guest& g, lane_number lane, const answer& a, time_point now) {
  if (a.status != 200 && a.status != 201 && a.status != 202)
    return give_up(lane);
  auto state = text_field(a.body, "state");
  if (state == "CONFIRMED") {
    if (seats_)
      seats_->confirmed(lane, g.user, a);
    return step::finished();
  }
  if (state != "PAYING")
    return give_up(lane);
  g.reservation = text_field(a.body, "reservationId");
  return later(g, act::await, now, 1ms);
}

} // namespace sluice::bench
