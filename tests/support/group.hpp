// One placement group in a test: the machines of an event, told things and telling each other, without a log around them.
#pragma once

#include "core/overloaded.hpp"
#include "domain/area.hpp"
#include "domain/event.hpp"
#include "domain/seat_block.hpp"
#include "domain/session.hpp"

#include <catch2/catch.hpp>

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace sluice::test {

using namespace domain;

/// Runs a command as a log entry of its own, supersteps included.
class group {
public:
  static constexpr event_number number{1};

  entry_time now{log_time_from_ms(1'000'000), wall_time_from_ms(1'800'000'000'000)};
  log_index index = 0;

  std::vector<charge> charges; // asked for and not closed
  std::vector<fact> facts;
  std::vector<publication> publications;
  std::vector<note> notes;

  void pass(milliseconds time) {
    now.log += time;
    now.wall += time;
  }

  /// One log entry with one command; the answer, if any.
  std::optional<reply> run(const entity_ref& to, const message& command) { return run_together(to, {command}).front(); }

  /// One log entry with several commands; the answer of each, if any.
  std::vector<std::optional<reply>> run_together(const entity_ref& to, const std::vector<message>& commands) {
    answers_.assign(commands.size(), std::nullopt);
    ++index;
    for (ordinal_ = 0; ordinal_ < commands.size(); ++ordinal_)
      deliver(to, commands[ordinal_]);
    while (!tells_.empty()) {
      auto step = std::move(tells_);
      tells_.clear();
      for (auto& [ordinal, t] : step) {
        ordinal_ = ordinal;
        deliver(t.to, t.body);
      }
    }
    return answers_;
  }

  template <class Reply>
  Reply get(const entity_ref& to, const message& command) {
    auto r = run(to, command);
    REQUIRE(r);
    if (auto* refused = std::get_if<refusal>(&*r); refused && !std::is_same_v<Reply, refusal>)
      FAIL("refused: " << code_of(refused->why) << " " << refused->detail);
    REQUIRE(std::holds_alternative<Reply>(*r));
    return std::get<Reply>(*r);
  }

  errc refused(const entity_ref& to, const message& command) {
    auto r = run(to, command);
    REQUIRE(r);
    REQUIRE(std::holds_alternative<refusal>(*r));
    return std::get<refusal>(*r).why;
  }

  /// Lets everything that is due happen, as the partition's pulses would.
  void pulse_all() {
    std::vector<entity_ref> due;
    for (const auto& [ref, at] : deadlines_)
      if (at && *at <= now.log)
        due.push_back(ref);
    for (const auto& ref : due)
      run(ref, pulse{});
  }

  domain::event& the_event() {
    if (!event_)
      event_.emplace(number);
    return *event_;
  }

  seat_block& block(std::uint32_t n) { return blocks_.try_emplace({n}, number, block_number{n}).first->second; }

  area& the_area(std::uint32_t n) { return areas_.try_emplace({n}, number, block_number{n}).first->second; }

  session& of(const std::string& user) { return sessions_.try_emplace(user, number, user).first->second; }

  // ---- common steps ----

  static event_definition two_blocks_and_a_floor() {
    event_definition d;
    d.id = "demo";
    d.name = "Demo";
    d.local_date = "2027-03-01";
    d.categories = {{"front", "Front", 5'000}, {"free", "Free", 0}};
    section_definition section{"s", "S", {}};
    for (const char* id : {"A", "B"}) {
      block_definition b{id, id, {{"1", {}}}};
      for (int n = 1; n <= 10; ++n)
        b.rows[0].seats.push_back(
            {std::string{id} + "-" + std::to_string(n), std::to_string(n), id[0] == 'A' ? 0u : 1u});
      section.blocks.push_back(std::move(b));
    }
    d.sections.push_back(std::move(section));
    d.areas.push_back({"floor", "Floor", 1, 50});
    d.admission.users_per_minute = 60'000;
    d.admission.max_active_users = 100;
    return d;
  }

  event_reply define(const event_definition& d) {
    return get<event_reply>(entity_ref::of_event(number), define_event{d, 42, "test"});
  }

  /// Joins and claims; the user can hold from here on.
  admission_id admit(const std::string& user) {
    auto ticket = get<ticket_reply>(entity_ref::of_event(number), join{user});
    admission_id id;
    id.bytes[0] = static_cast<std::uint8_t>(ticket.ticket.value);
    id.bytes[1] = 0xAD;
    return get<visit_reply>(entity_ref::of_event(number), claim_turn{user, ticket.ticket, id}).id;
  }

  static hold_id hold_named(std::uint8_t n) {
    hold_id id;
    id.bytes[19] = n;
    return id;
  }

  static reservation_id reservation_named(std::uint8_t n) {
    reservation_id id;
    id.bytes[19] = n;
    return id;
  }

  std::optional<reply> hold(const std::string& user, const admission_id& id, std::uint8_t hold,
                            std::vector<wanted_part> parts, const std::string& key = {}) {
    auto once = idempotency{key.empty() ? "hold-" + std::to_string(hold) : key, {hold, 1}};
    return run(entity_ref::of_session(number, user), request_hold{once, id, hold_named(hold), std::move(parts)});
  }

  static wanted_part seats(std::uint32_t block, std::vector<seat_index> which) {
    return {{block}, false, std::move(which), 0};
  }

  static wanted_part places(std::uint32_t block, std::uint32_t quantity) { return {{block}, true, {}, quantity}; }

  std::optional<reply> pay(const std::string& user, const admission_id& id, std::uint8_t hold, std::uint8_t reservation,
                           payment_method method = payment_method::card) {
    auto once = idempotency{"pay-" + std::to_string(reservation), {hold, reservation}};
    return run(entity_ref::of_session(number, user),
               pay_hold{once, id, hold_named(hold), reservation_named(reservation), method,
                        method == payment_method::card ? "4242424242424242" : ""});
  }

  /// The provider's answer to the open charge of that step.
  void settle(const std::string& user, charge_step step, charge_outcome outcome, const std::string& reason = {}) {
    for (const auto& c : charges)
      if (c.step == step) {
        run(entity_ref::of_session(number, user), charge_settled{c.reservation, step, c.attempt, outcome, reason});
        return;
      }
    FAIL("no such charge is open");
  }

  bool awaits(charge_step step) const {
    return std::any_of(charges.begin(), charges.end(), [&](const charge& c) { return c.step == step; });
  }

  reservation_state state_of(const std::string& user, std::uint8_t reservation) {
    auto r = of(user).ask(now, ask_reservation{reservation_named(reservation)});
    REQUIRE(std::holds_alternative<reservation_reply>(r));
    return std::get<reservation_reply>(r).state;
  }

private:
  void deliver(const entity_ref& to, const message& m) {
    switch (to.kind) {
    case entity_kind::event:
      return feed(to, the_event(), m);
    case entity_kind::seat_block:
      return feed(to, block(to.block.value), m);
    case entity_kind::area:
      return feed(to, the_area(to.block.value), m);
    case entity_kind::session:
      return feed(to, of(to.user), m);
    default:
      FAIL("nobody there");
    }
  }

  template <class Machine>
  void feed(const entity_ref& to, Machine& machine, const message& m) {
    effects out;
    moment at{now, index};
    machine.begin(at, out);
    machine.apply(at, m, out);
    machine.finish(at, out);
    deadlines_[to] = machine.next_deadline(now);
    for (auto& e : out)
      std::visit(overloaded{
                     [&](answer& a) {
                       CHECK_FALSE(answers_[ordinal_]); // one command, one answer
                       answers_[ordinal_] = std::move(a.body);
                     },
                     [&](tell& t) { tells_.emplace_back(ordinal_, std::move(t)); },
                     [&](note& n) { notes.push_back(std::move(n)); },
                     [&](publish& p) { publications.push_back(std::move(p.body)); },
                     [&](charge& c) {
                       close(c.reservation, c.step);
                       charges.push_back(std::move(c));
                     },
                     [&](charge_closed& c) { close(c.reservation, c.step); },
                     [&](fact& f) { facts.push_back(std::move(f)); },
                     [](forget_group&) {},
                 },
                 e);
  }

  void close(const reservation_id& id, charge_step step) {
    std::erase_if(charges, [&](const charge& c) { return c.reservation == id && c.step == step; });
  }

  std::optional<domain::event> event_;
  std::map<block_number, seat_block> blocks_;
  std::map<block_number, area> areas_;
  std::map<std::string, session> sessions_;
  std::map<entity_ref, std::optional<log_time>> deadlines_;
  std::vector<std::pair<std::size_t, tell>> tells_; // with the command that led to them
  std::vector<std::optional<reply>> answers_;       // by command of the entry
  std::size_t ordinal_ = 0;
};

} // namespace sluice::test
