// After a change of leaders a bridge sends a command again, to the byte, though it may have been executed. Told twice,
// at once or later, a command happens once and is answered alike.
#include "domain/catalogue.hpp"
#include "support/group.hpp"

#include <functional>

using namespace sluice;
using namespace sluice::domain;
using namespace std::chrono_literals;
using test::group;

namespace {

const auto the_event = entity_ref::of_event(group::number);
const auto alice = entity_ref::of_session(group::number, "alice");

/// All that a repeat could change.
struct picture {
  std::string text;
  bool opened = false;
  bool closed = false;
  bool paused = false;
  bool draining = false;
  std::uint32_t revision = 0;
  event_definition definition;
  waiting_room::counters line;
  std::map<ticket_number, visit> visits;
  std::uint64_t sold = 0;
  std::int64_t revenue = 0;
  std::int64_t charges_open = 0;
  session_state session;
  seat_block_state a;
  seat_block_state b;
  area_state floor;
  std::size_t facts = 0;
  std::size_t notes = 0;
  std::vector<charge> charges;

  friend bool operator==(const picture&, const picture&) = default;
};

picture picture_of(group& g) {
  const auto& head = g.the_event().head();
  const auto& room = g.the_event().room();
  picture p{head.text,
            head.opened_by_hand,
            head.closed_by_hand,
            head.paused,
            head.draining,
            0,
            {},
            room.count(),
            room.visits(),
            head.sold,
            head.revenue,
            head.charges_open,
            g.of("alice").state(),
            g.block(1).state(),
            g.block(2).state(),
            g.the_area(3).state(),
            g.facts.size(),
            g.notes.size(),
            g.charges};
  if (head.placed) {
    p.revision = head.placed->revision;
    p.definition = head.placed->definition;
  }
  return p;
}

/// Runs it, then once more at once and once more after `later`; both must change nothing and be answered as the first.
/// `same` says what "as the first" is where the clock shows in the answer.
reply thrice(group& g, const entity_ref& to, const message& command, milliseconds later = 900ms,
             const std::function<bool(const reply&, const reply&)>& same = std::equal_to<reply>{}) {
  auto first = g.run(to, command);
  REQUIRE(first);
  REQUIRE_FALSE(std::holds_alternative<refusal>(*first));
  for (auto wait : {0ms, later}) {
    g.pass(wait);
    for (const auto& of : {the_event, alice})
      g.run(of, pulse{}); // what time alone does is not the repeat's doing
    auto after = picture_of(g);
    auto again = g.run(to, command);
    REQUIRE(again);
    CHECK(same(*first, *again));
    CHECK(picture_of(g) == after);
  }
  return *first;
}

template <class Reply>
Reply thrice_as(group& g, const entity_ref& to, const message& command) {
  auto r = thrice(g, to, command);
  REQUIRE(std::holds_alternative<Reply>(r));
  return std::get<Reply>(r);
}

/// The remaining time may have shrunk meanwhile, as it does for whoever looks again.
bool same_but_for_time_left(const reply& a, const reply& b) {
  auto timeless = [](reply r) {
    if (auto* hold = std::get_if<hold_reply>(&r))
      hold->expires_in_ms = 0;
    return r;
  };
  return timeless(a) == timeless(b);
}

control_event control(event_action action, const std::string& request) {
  return {action, action == event_action::say ? "hello" : "", false, "root", request};
}

set_admission rate(std::uint32_t users_per_minute, const std::string& request) {
  admission_patch patch;
  patch.users_per_minute = users_per_minute;
  return {patch, "root", request};
}

std::size_t told(const group& g, const std::string& what) {
  std::size_t count = 0;
  for (const auto& f : g.facts)
    if (const auto* changed = std::get_if<event_changed>(&f))
      count += changed->what == what;
  return count;
}

request_hold hold_of(const admission_id& id, std::uint8_t hold, std::vector<wanted_part> parts) {
  return {{"hold-" + std::to_string(hold), {hold, 1}}, id, group::hold_named(hold), std::move(parts)};
}

pay_hold payment_of(const admission_id& id, std::uint8_t hold, std::uint8_t reservation, payment_method method) {
  return {{"pay-" + std::to_string(reservation), {hold, reservation}},
          id,
          group::hold_named(hold),
          group::reservation_named(reservation),
          method,
          method == payment_method::card ? "4242" : ""};
}

} // namespace

TEST_CASE("repeat: setting an event up", "[domain][repeat]") {
  group g;
  auto d = group::two_blocks_and_a_floor();
  auto defined = thrice_as<event_reply>(g, the_event, define_event{d, 42, "root", "r1"});
  CHECK(defined == event_reply{group::number, 1, true});
  CHECK(told(g, "defined") == 1);
  CHECK(g.notes.size() == 1); // the catalogue hears once

  auto wider = d;
  wider.admission.max_active_users = 200;
  CHECK(thrice_as<event_reply>(g, the_event, define_event{wider, 43, "root", "r2"}).revision == 2);
  // applied by somebody else since: a late repeat must not bring the old one back
  CHECK(g.get<event_reply>(the_event, define_event{d, 42, "root", "r1"}) == defined);
  CHECK(g.the_event().head().placed->definition == wider);
  // while an operator who applies it again means it
  CHECK(g.get<event_reply>(the_event, define_event{d, 44, "root", "r3"}).revision == 3);
}

TEST_CASE("repeat: what operators say is done and told once", "[domain][repeat]") {
  group g;
  g.define(group::two_blocks_and_a_floor());
  std::map<event_action, std::string> words{{event_action::pause, "pause"},
                                            {event_action::resume, "resume"},
                                            {event_action::close, "close"},
                                            {event_action::open, "open"},
                                            {event_action::say, "message"}};
  for (auto action :
       {event_action::pause, event_action::resume, event_action::say, event_action::close, event_action::open}) {
    thrice_as<done>(g, the_event, control(action, words[action]));
    CHECK(told(g, words[action]) == 1);
  }
  thrice_as<event_reply>(g, the_event, rate(120, "slow"));
  CHECK(told(g, "admission") == 1);

  SECTION("a repeat does not undo what was said since") {
    g.get<event_reply>(the_event, rate(6'000, "fast"));
    g.get<event_reply>(the_event, rate(120, "slow"));
    CHECK(g.the_event().head().placed->definition.admission.users_per_minute == 6'000);
    g.get<done>(the_event, control(event_action::pause, "pause"));
    CHECK_FALSE(g.the_event().head().paused);
  }
  SECTION("a refusal stays one") {
    g.get<done>(the_event, control(event_action::close, "close again"));
    CHECK(g.refused(the_event, control(event_action::pause, "late")) == errc::action_not_allowed);
    g.get<done>(the_event, control(event_action::open, "open again"));
    CHECK(g.refused(the_event, control(event_action::pause, "late")) == errc::action_not_allowed);
    CHECK_FALSE(g.the_event().head().paused);
  }
  SECTION("said anew, it is told anew") {
    g.get<done>(the_event, control(event_action::say, "another"));
    CHECK(told(g, "message") == 2);
    g.get<done>(the_event, control(event_action::say, ""));
    g.get<done>(the_event, control(event_action::say, ""));
    CHECK(told(g, "message") == 4); // as in logs from before there were ids
  }
  SECTION("what is remembered is bounded") {
    for (int i = 0; i < 200; ++i)
      g.get<done>(the_event, control(event_action::say, std::to_string(i)));
    CHECK(g.the_event().head().requests.all().size() == request_memory::most);
    auto before = told(g, "message");
    g.get<done>(the_event, control(event_action::say, std::to_string(200 - request_memory::most)));
    CHECK(told(g, "message") == before);
    g.get<done>(the_event, control(event_action::say, std::string(request_memory::id_bytes_max + 1, 'x')));
    CHECK(g.the_event().head().requests.all().back().request_id == "199");
  }
}

TEST_CASE("repeat: an event is removed once", "[domain][repeat]") {
  group g;
  g.define(group::two_blocks_and_a_floor());
  auto remove = control(event_action::remove, "away");

  SECTION("both in one entry") {
    auto answers = g.run_together(the_event, {remove, remove});
    CHECK(answers[0] == reply{done{}});
    CHECK(answers[1] == reply{done{}});
    CHECK(told(g, "removed") == 1);
    CHECK(g.notes.size() == 2); // the founding and the end
  }
  SECTION("refused while seats are held, and the repeat as well") {
    auto id = g.admit("alice");
    g.hold("alice", id, 1, {group::seats(1, {0})});
    auto answers = g.run_together(the_event, {remove, remove});
    CHECK(answers[0] == answers[1]);
    CHECK(std::get<refusal>(*answers[0]).why == errc::event_in_sale);
    g.get<done>(alice, release_hold{id, group::hold_named(1)});
    CHECK(g.refused(the_event, remove) == errc::event_in_sale); // that request was answered
    g.get<done>(the_event, control(event_action::remove, "now"));
  }
}

TEST_CASE("repeat: a way through the line", "[domain][repeat]") {
  group g;
  auto d = group::two_blocks_and_a_floor();
  d.admission.max_active_users = 1;
  g.define(d);

  auto first = thrice_as<ticket_reply>(g, the_event, join{"alice"});
  CHECK(first.state == ticket_state::admitted);
  auto second = thrice_as<ticket_reply>(g, the_event, join{"bob"});
  CHECK(second.state == ticket_state::waiting);
  CHECK(g.the_event().room().book().last() == second.ticket);

  claim_turn claim{"alice", first.ticket, admission_id{{1}}};
  auto visit = thrice_as<visit_reply>(g, the_event, claim);
  claim.id = admission_id{{2}}; // asked anew by the client: to the byte the same token
  CHECK(g.get<visit_reply>(the_event, claim) == visit);
  CHECK(g.of("alice").state().admission->id == visit.id);

  auto early = thrice_as<ticket_reply>(g, the_event, claim_turn{"bob", second.ticket, admission_id{{3}}});
  CHECK(early.state == ticket_state::waiting);

  thrice_as<done>(g, the_event, complete_visit{"alice", first.ticket});
  thrice_as<done>(g, the_event, leave{"bob", second.ticket});
  CHECK(g.the_event().room().count().completed_total == 1);

  // back in line: what ended the old ticket does not touch the new one
  auto back = g.get<ticket_reply>(the_event, join{"bob"});
  g.get<done>(the_event, leave{"bob", second.ticket});
  g.get<done>(the_event, complete_visit{"alice", first.ticket});
  CHECK_FALSE(is_terminal(g.the_event().room().book().state_of(back.ticket)));
}

TEST_CASE("repeat: a hold is made, kept and given back once", "[domain][repeat]") {
  group g;
  g.define(group::two_blocks_and_a_floor());
  auto id = g.admit("alice");
  auto wish = hold_of(id, 1, {group::seats(1, {0, 1}), group::places(3, 2)});
  auto hold = thrice_as<hold_reply>(g, alice, wish);
  CHECK(hold.hold == group::hold_named(1));

  thrice(g, alice, extend_hold{id, hold.hold, "longer"}, 900ms, same_but_for_time_left);
  CHECK(g.refused(alice, extend_hold{id, hold.hold, "still longer"}) == errc::extension_limit);

  release_hold back{id, hold.hold};
  thrice_as<done>(g, alice, back);
  CHECK(g.block(1).counts().available == 10);

  SECTION("nobody else's seats are given back with it") {
    auto bob = g.admit("bob");
    REQUIRE(g.hold("bob", bob, 2, {group::seats(1, {0})}));
    g.get<done>(alice, back);
    CHECK(g.block(1).counts().held == 1);
    // and the key of the hold gives what it gave, not new seats
    CHECK(g.get<hold_reply>(alice, wish) == hold);
    CHECK(g.block(1).counts().held == 1);
  }
  SECTION("the visit ended meanwhile") {
    g.get<done>(the_event, complete_visit{"alice", {1}});
    g.get<done>(alice, back);
  }
  SECTION("released is not lapsed, and neither is unknown") {
    g.hold("alice", id, 3, {group::seats(1, {5})});
    g.pass(301s);
    CHECK(g.refused(alice, release_hold{id, group::hold_named(3)}) == errc::hold_lapsed);
    CHECK(g.refused(alice, release_hold{id, group::hold_named(9)}) == errc::hold_unknown);
    CHECK(g.refused(alice, extend_hold{id, hold.hold, "longer"}) == errc::hold_unknown);
    CHECK(std::get<refusal>(g.of("alice").ask(g.now, ask_hold{hold.hold})).why == errc::hold_unknown);
  }
  SECTION("what is remembered is bounded, and more than may be held at once") {
    for (std::uint8_t n = 10; n < 60; ++n) {
      REQUIRE(std::holds_alternative<hold_reply>(*g.hold("alice", id, n, {group::seats(1, {2})})));
      g.get<done>(alice, release_hold{id, group::hold_named(n)});
    }
    CHECK(g.of("alice").state().released.size() == session::released_max);
    g.get<done>(alice, release_hold{id, group::hold_named(60 - session::holds_max)});
    CHECK(g.refused(alice, back) == errc::hold_unknown);
  }
}

TEST_CASE("repeat: both copies of a command in one entry", "[domain][repeat]") {
  group g;
  g.define(group::two_blocks_and_a_floor());
  auto id = g.admit("alice");
  auto wish = hold_of(id, 1, {group::seats(1, {0, 1}), group::places(3, 2)});

  // The blocks answer one of them; the other says nothing, since both answers go to the same asker and only one is
  // heard.
  auto held = g.run_together(alice, {wish, wish});
  REQUIRE(held[0]);
  CHECK(std::get<hold_reply>(*held[0]).hold == group::hold_named(1));
  CHECK_FALSE(held[1]);
  CHECK(g.block(1).counts().held == 2);
  CHECK(g.of("alice").state().holds.size() == 1);

  SECTION("another request with the key of one under way is refused") {
    auto first = hold_of(id, 2, {group::seats(1, {4})});
    auto other = first;
    other.hold = group::hold_named(3);
    auto mistaken = first; // no bridge gives the same id twice
    mistaken.once.key = "another";
    auto answers = g.run_together(alice, {first, other, mistaken});
    REQUIRE((answers[0] && answers[1] && answers[2]));
    CHECK(std::holds_alternative<hold_reply>(*answers[0]));
    CHECK(std::get<refusal>(*answers[1]).why == errc::idempotency_key_in_use);
    CHECK(std::get<refusal>(*answers[2]).why == errc::bad_value);
  }
  SECTION("refused: one refusal") {
    auto taken = hold_of(id, 2, {group::seats(1, {0})});
    auto answers = g.run_together(alice, {taken, taken});
    CHECK(std::get<refusal>(*answers[0]).why == errc::seat_not_available);
    CHECK_FALSE(answers[1]);
  }
  SECTION("extended once") {
    extend_hold longer{id, group::hold_named(1), "longer"};
    auto answers = g.run_together(alice, {longer, longer});
    CHECK(answers[0] == answers[1]);
    CHECK(g.of("alice").state().holds.begin()->second.extended_by.size() == 1);
  }
  SECTION("released once") {
    release_hold back{id, group::hold_named(1)};
    auto answers = g.run_together(alice, {back, back});
    CHECK(answers[0] == reply{done{}});
    CHECK(answers[1] == reply{done{}});
    CHECK(g.block(1).counts().available == 10);
  }
  SECTION("paid once") {
    auto pay = payment_of(id, 1, 1, payment_method::card);
    auto answers = g.run_together(alice, {pay, pay});
    REQUIRE(answers[0]);
    CHECK(std::get<reservation_reply>(*answers[0]).state == reservation_state::paying);
    CHECK_FALSE(answers[1]);
    CHECK(g.charges.size() == 1);
    CHECK(g.the_event().head().charges_open == 1);
  }
  SECTION("joined, claimed and left once") {
    auto joined = g.run_together(the_event, {join{"bob"}, join{"bob"}});
    CHECK(joined[0] == joined[1]);
    auto bob = std::get<ticket_reply>(*joined[0]).ticket;
    claim_turn claim{"bob", bob, admission_id{{7}}};
    auto claimed = g.run_together(the_event, {claim, claim});
    CHECK(claimed[0] == claimed[1]);
    CHECK(std::holds_alternative<visit_reply>(*claimed[0]));
    auto gone = g.run_together(the_event, {leave{"bob", bob}, leave{"bob", bob}});
    CHECK(gone[0] == gone[1]);
  }
  SECTION("paused and told once") {
    auto pause = control(event_action::pause, "p");
    auto answers = g.run_together(the_event, {pause, pause});
    CHECK(answers[0] == answers[1]);
    CHECK(told(g, "pause") == 1);
  }
}

TEST_CASE("repeat: a payment from the hold to the refund", "[domain][repeat]") {
  group g;
  auto d = group::two_blocks_and_a_floor();
  d.keep_active_after_booking = true;
  g.define(d);
  auto id = g.admit("alice");
  g.hold("alice", id, 1, {group::seats(1, {0, 1})});

  auto pay = payment_of(id, 1, 1, payment_method::card);
  auto paying = thrice_as<reservation_reply>(g, alice, pay);
  CHECK(paying.state == reservation_state::paying);
  auto settled = [&](charge_step step, charge_outcome outcome, std::uint32_t attempt = 1) {
    thrice_as<done>(g, alice, charge_settled{group::reservation_named(1), step, attempt, outcome, ""});
  };
  settled(charge_step::authorise, charge_outcome::done);
  REQUIRE(g.awaits(charge_step::capture));
  settled(charge_step::authorise, charge_outcome::refused); // late and contradicting: not believed
  CHECK(thrice_as<reservation_reply>(g, alice, pay) == paying);
  settled(charge_step::capture, charge_outcome::unknown);
  g.pass(1s);
  g.pulse_all();
  settled(charge_step::capture, charge_outcome::done, 2);
  settled(charge_step::capture, charge_outcome::unknown, 1);
  CHECK(g.state_of("alice", 1) == reservation_state::confirmed);
  CHECK(g.the_event().head().sold == 2);
  CHECK(g.get<reservation_reply>(alice, pay) == paying); // what was said then, to the last field

  cancel_reservation cancel{group::reservation_named(1)};
  CHECK(thrice_as<reservation_reply>(g, alice, cancel).state == reservation_state::refund_pending);
  CHECK(g.the_event().head().sold == 0);

  SECTION("refunded") {
    settled(charge_step::refund, charge_outcome::done);
    CHECK(thrice_as<reservation_reply>(g, alice, cancel).state == reservation_state::refunded);
    CHECK(g.the_event().head().charges_open == 0);
  }
  SECTION("the refund is stuck: cancelled it stays") {
    for (std::uint32_t attempt = 1; g.state_of("alice", 1) == reservation_state::refund_pending; ++attempt) {
      REQUIRE(attempt < 100);
      g.settle("alice", charge_step::refund, charge_outcome::unknown);
      g.pass(30s);
      g.pulse_all();
    }
    CHECK(thrice_as<reservation_reply>(g, alice, cancel).state == reservation_state::stuck);
  }
}

TEST_CASE("repeat: a payment of nothing, and one that failed", "[domain][repeat]") {
  group g;
  g.define(group::two_blocks_and_a_floor());
  auto id = g.admit("alice");
  g.hold("alice", id, 1, {group::places(3, 2)});
  g.hold("alice", id, 2, {group::seats(1, {0})});

  auto declined = payment_of(id, 2, 2, payment_method::card);
  auto paying = thrice_as<reservation_reply>(g, alice, declined);
  g.settle("alice", charge_step::authorise, charge_outcome::refused, "CARD_DECLINED");
  CHECK(g.get<reservation_reply>(alice, declined) == paying);
  CHECK(g.refused(alice, cancel_reservation{group::reservation_named(2)}) == errc::not_cancellable);

  auto pay = payment_of(id, 1, 1, payment_method::free);
  CHECK(thrice_as<reservation_reply>(g, alice, pay).state == reservation_state::confirmed);
  CHECK(g.the_event().head().sold == 2);
  cancel_reservation cancel{group::reservation_named(1)};
  CHECK(thrice_as<reservation_reply>(g, alice, cancel).state == reservation_state::cancelled);
  CHECK(g.the_event().head().sold == 0);
}

TEST_CASE("repeat: the catalogue", "[domain][repeat]") {
  catalogue machine;
  log_index index = 0;
  auto run = [&](const message& m) {
    effects out;
    moment at{{log_time_from_ms(1'000), wall_time_from_ms(1'800'000'000'000)}, ++index};
    machine.begin(at, out);
    machine.apply(at, m, out);
    machine.finish(at, out);
    std::optional<reply> said;
    for (auto& e : out)
      if (auto* a = std::get_if<answer>(&e))
        said = a->body;
    return said;
  };
  auto twice = [&](const message& m) {
    auto first = run(m);
    REQUIRE(first);
    REQUIRE_FALSE(std::holds_alternative<refusal>(*first));
    auto after = machine.state();
    CHECK(run(m) == first);
    CHECK(machine.state() == after);
    return *first;
  };
  twice(found_cluster{"c", "keys", "hash"});
  register_event demo{"demo", "r1"};
  CHECK(std::get<registered_reply>(twice(demo)).created);
  add_key key{"ops", "secret's hash", key_role::operator_, "r2"};
  twice(key);
  remove_key away{"ops", "r3"};
  twice(away);
  twice(note_deed{"leaders spread", {}, {}, "root", "r8"});
  // a late repeat neither brings a withdrawn key back
  run(key);
  CHECK_FALSE(machine.state().keys.contains("ops"));
  // nor takes the next one of that name
  run(add_key{"ops", "another", key_role::viewer, "r4"});
  run(away);
  CHECK(machine.state().keys.at("ops").hash == "another");
  // nor gives a removed event's name a number again
  event_summary over{{1}, "demo", {}, {}, {}, {}, true};
  run(over);
  run(demo);
  CHECK(machine.state().events.empty());
  // Said anew, each has its own answer.
  CHECK(std::get<registered_reply>(*run(register_event{"demo", "r5"})).number == event_number{2});
  CHECK(std::get<refusal>(*run(add_key{"ops", "third", key_role::viewer, "r6"})).why == errc::action_not_allowed);
  CHECK(std::get<refusal>(*run(remove_key{"none", "r7"})).why == errc::key_unknown);
}
