// A partition and its entity actors: who lives when, and that nothing is said before it is durable.
#include "actors/one_partition.hpp"

using namespace sluice;
using namespace sluice::domain;
using namespace std::chrono_literals;
using test::group;
using test::one_partition;

namespace {

const auto the_event = entity_ref::of_event(group::number);
const auto block_a = entity_ref::of_seat_block(group::number, {1});
const auto alice = entity_ref::of_session(group::number, "alice");

event_definition small_event() {
  return group::two_blocks_and_a_floor();
}

admission_id admit(one_partition& p, const std::string& user) {
  auto ticket = std::get<ticket_reply>(p.get(the_event, join{user}));
  admission_id id;
  id.bytes[0] = static_cast<std::uint8_t>(ticket.ticket.value);
  return std::get<visit_reply>(p.get(the_event, claim_turn{user, ticket.ticket, id})).id;
}

request_hold hold_of(const admission_id& id, std::uint8_t number, std::vector<seat_index> seats) {
  return {{"hold-" + std::to_string(number), {number, 1}},
          id,
          group::hold_named(number),
          {group::seats(1, std::move(seats))}};
}

} // namespace

TEST_CASE("partition: entities wake when they are addressed, and not before", "[actors]") {
  one_partition p;
  CHECK(p.active().empty());
  p.get(the_event, define_event{small_event(), 1, "test"});
  CHECK(p.active().contains(the_event));
  CHECK(p.active().contains(block_a)); // the event told it its seats, in the same entry
  CHECK_FALSE(p.active().contains(alice));
  auto id = admit(p, "alice");
  CHECK(std::holds_alternative<hold_reply>(p.get(alice, hold_of(id, 1, {0}))));
  CHECK(p.active().contains(alice));
}

TEST_CASE("partition: a command nobody can read is refused, and stops nothing", "[actors]") {
  one_partition p;
  p.get(the_event, define_event{small_event(), 1, "test"});
  auto id = admit(p, "alice");
  auto held = std::get<hold_reply>(p.get(alice, hold_of(id, 1, {0})));
  // Text that is not UTF-8: every replica would stop at it, again and again, if it was not refused.
  auto refused = p.get(alice, extend_hold{id, held.hold, "\xFF"});
  REQUIRE(std::holds_alternative<refusal>(refused));
  CHECK(std::get<refusal>(refused).why == errc::bad_request);
  p.restart();
  CHECK(std::get<hold_reply>(p.get(alice, extend_hold{id, held.hold, "x"})).hold == held.hold);
}

TEST_CASE("partition: event, block and session go to sleep when idle, and wake as they were", "[actors]") {
  partition::entity_table::limits limits;
  limits.idle = 5s;
  limits.shared_idle = 30s;
  one_partition p{limits};
  p.get(the_event, define_event{small_event(), 1, "test"});
  auto id = admit(p, "alice");
  auto held = std::get<hold_reply>(p.get(alice, hold_of(id, 1, {0, 1})));
  auto awake = p.actors_running();

  for (int second = 0; second < 8; ++second)
    p.pass(1s);
  CHECK_FALSE(p.active().contains(alice)); // a session sleeps with its changes in the partition's hands
  CHECK(p.active().contains(the_event));
  CHECK(p.actors_running() < awake);

  for (int second = 0; second < 40; ++second)
    p.pass(1s);
  CHECK(p.active().contains(block_a)); // the others only when a checkpoint carries them
  p.checkpoint();
  for (int second = 0; second < 40; ++second)
    p.pass(1s);
  CHECK(p.active().empty());
  CHECK(p.actors_running() == 1); // the partition itself

  auto again = std::get<hold_reply>(p.get(alice, hold_of(id, 1, {0, 1})));
  CHECK(again.hold == held.hold); // the key is remembered
  CHECK(std::get<refusal>(p.get(entity_ref::of_session(group::number, "bob"), hold_of(id, 2, {0}))).why ==
        errc::not_admitted);
  auto bob = admit(p, "bob");
  CHECK(std::get<refusal>(p.get(entity_ref::of_session(group::number, "bob"), hold_of(bob, 2, {1}))).why ==
        errc::seat_not_available); // so the block kept its seats
  CHECK(p.active().contains(block_a));
}

// Found by simulation, where hosts wake whom a question wakes before they ask anybody for a share.
TEST_CASE("partition: who is woken by a question is asked for its share at once", "[actors]") {
  partition::entity_table::limits limits;
  limits.idle = 5s;
  one_partition p{limits};
  p.get(the_event, define_event{small_event(), 1, "test"});
  auto id = admit(p, "alice");
  auto held = std::get<hold_reply>(p.get(alice, hold_of(id, 1, {0, 1})));
  for (int second = 0; second < 8; ++second)
    p.pass(1s);
  REQUIRE_FALSE(p.active().contains(alice));
  auto told = p.ask_within_an_entry(the_event, alice, ask_hold{held.hold});
  CHECK(std::get<hold_reply>(told).hold == held.hold);
  p.until([&] { return p.status().checkpoint > 0; });
  p.restart();
  CHECK(std::get<hold_reply>(p.ask(alice, ask_hold{held.hold})).hold == held.hold);
}

TEST_CASE("partition: a sleeper's deadline wakes it", "[actors]") {
  partition::entity_table::limits limits;
  limits.idle = 1s;
  limits.shared_idle = 1s;
  one_partition p{limits};
  p.get(the_event, define_event{small_event(), 1, "test"});
  auto id = admit(p, "alice");
  p.get(alice, hold_of(id, 1, {0}));
  p.checkpoint();
  for (int second = 0; second < 20; ++second)
    p.pass(1s);
  CHECK(p.active().empty());
  for (int second = 0; second < 300; ++second)
    p.pass(1s);
  auto bob = admit(p, "bob");
  CHECK(std::holds_alternative<hold_reply>(p.get(entity_ref::of_session(group::number, "bob"), hold_of(bob, 2, {0}))));
}

TEST_CASE("partition: no answer before the log is durable", "[actors]") {
  one_partition p;
  p.get(the_event, define_event{small_event(), 1, "test"});
  auto number = p.propose(the_event, join{"alice"});
  p.run_mailboxes(); // everything the actors can do without the log writer
  CHECK_FALSE(p.answer_to(number));
  p.until([&] { return p.answer_to(number).has_value(); });
}

TEST_CASE("partition: a restart finds everything that was answered", "[actors]") {
  one_partition p;
  p.get(the_event, define_event{small_event(), 1, "test"});
  auto id = admit(p, "alice");
  auto held = std::get<hold_reply>(p.get(alice, hold_of(id, 1, {0, 1})));
  SECTION("from the log alone") {}
  SECTION("from a checkpoint and the log behind it") {
    p.checkpoint();
    p.get(the_event, join{"carol"});
  }
  p.restart();
  CHECK(std::get<hold_reply>(p.get(alice, hold_of(id, 1, {0, 1}))).hold == held.hold);
  auto line = std::get<ticket_reply>(p.get(the_event, join{"dave"}));
  CHECK(line.ticket.value >= 2); // numbers go on where they were
  CHECK(p.status().consensus.term >= 2);
}

TEST_CASE("partition: open charges are carried out again after a restart", "[actors]") {
  one_partition p;
  p.get(the_event, define_event{small_event(), 1, "test"});
  auto id = admit(p, "alice");
  p.get(alice, hold_of(id, 1, {0}));
  p.get(alice, pay_hold{{"pay", {1, 1}},
                        id,
                        group::hold_named(1),
                        group::reservation_named(1),
                        payment_method::card,
                        "4242424242424242"});
  p.until([&] { return p.effects.size() == 1; });
  p.effects.clear();
  p.restart();
  p.until([&] { return p.effects.size() == 1; });
  CHECK(p.effects[0].of == alice);
}
