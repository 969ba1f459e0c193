#include "support/group.hpp"

#include <algorithm>

using namespace sluice;
using namespace sluice::domain;
using namespace std::chrono_literals;
using test::group;

namespace {

const auto the_event = entity_ref::of_event(group::number);

event_phase phase_of(const group& g) {
  event_phase p{};
  for (const auto& pub : g.publications)
    if (const auto* b = std::get_if<board_update>(&pub))
      p = b->phase;
  return p;
}

} // namespace

TEST_CASE("event: applying the same file twice changes nothing", "[domain][event]") {
  group g;
  auto first = g.define(group::two_blocks_and_a_floor());
  CHECK(first.changed);
  auto again = g.define(group::two_blocks_and_a_floor());
  CHECK_FALSE(again.changed);
  CHECK(again.revision == first.revision);
}

TEST_CASE("event: a file with a mistake applies nothing", "[domain][event]") {
  group g;
  auto d = group::two_blocks_and_a_floor();
  d.sections[0].blocks[1].rows[0].seats[0].id = "A-1"; // twice
  CHECK(g.refused(the_event, define_event{d, 1, ""}) == errc::definition_invalid);
  CHECK(g.refused(the_event, join{"alice"}) == errc::event_unknown);
}

TEST_CASE("event: the phases follow schedule, operator and stock", "[domain][event]") {
  group g;
  auto d = group::two_blocks_and_a_floor();
  d.sale_opens_at = g.now.wall + 10s;
  d.sale_closes_at = g.now.wall + 1h;
  g.define(d);
  CHECK(phase_of(g) == event_phase::scheduled);
  CHECK(g.refused(the_event, join{"alice"}) == errc::event_not_open);
  g.pass(10s);
  g.pulse_all();
  CHECK(phase_of(g) == event_phase::open);

  SECTION("paused: people may join, nobody passes") {
    g.get<done>(the_event, control_event{event_action::pause, {}, false, {}});
    CHECK(g.get<ticket_reply>(the_event, join{"alice"}).state == ticket_state::waiting);
    CHECK(phase_of(g) == event_phase::paused);
    g.get<done>(the_event, control_event{event_action::resume, {}, false, {}});
    CHECK(g.the_event().room().count().waiting == 0);
  }
  SECTION("draining: nobody new joins, those in line are served") {
    g.get<done>(the_event, control_event{event_action::pause, {}, false, {}});
    CHECK(g.get<ticket_reply>(the_event, join{"alice"}).state == ticket_state::waiting);
    g.get<done>(the_event, control_event{event_action::drain, {}, false, {}});
    CHECK(phase_of(g) == event_phase::paused); // still
    CHECK(g.refused(the_event, join{"bob"}) == errc::event_closed);
    CHECK(g.get<ticket_reply>(the_event, join{"alice"}).ticket.value == 1); // asks again for her own
    g.get<done>(the_event, control_event{event_action::resume, {}, false, {}});
    CHECK(phase_of(g) == event_phase::draining); // the pause ended, the drain goes on
    CHECK(g.the_event().room().count().waiting == 0);
    CHECK(g.refused(the_event, join{"bob"}) == errc::event_closed);
    g.get<done>(the_event, control_event{event_action::resume, {}, false, {}});
    CHECK(phase_of(g) == event_phase::open);
    CHECK(g.get<ticket_reply>(the_event, join{"bob"}).state == ticket_state::admitted);
    g.get<done>(the_event, control_event{event_action::drain, {}, false, {}});
    g.get<done>(the_event, control_event{event_action::open, {}, false, {}});
    CHECK(g.get<ticket_reply>(the_event, join{"cleo"}).state == ticket_state::admitted);
  }
  SECTION("closed by the clock") {
    g.pass(1h);
    g.pulse_all();
    CHECK(phase_of(g) == event_phase::closed);
    CHECK(g.refused(the_event, join{"alice"}) == errc::event_closed);
    CHECK(g.refused(the_event, control_event{event_action::open, {}, false, {}}) == errc::action_not_allowed);
  }
}

TEST_CASE("event: sold out, and back on sale when a seat returns", "[domain][event]") {
  group g;
  auto d = group::two_blocks_and_a_floor();
  d.sections.clear();
  d.areas[0].capacity = 2;
  g.define(d);
  auto id = g.admit("alice");
  g.hold("alice", id, 1, {group::places(1, 2)});
  CHECK(phase_of(g) == event_phase::open); // held is not sold
  g.pay("alice", id, 1, 1, payment_method::free);
  CHECK(phase_of(g) == event_phase::sold_out);
  CHECK(g.refused(the_event, join{"bob"}) == errc::sold_out);
  g.get<reservation_reply>(entity_ref::of_session(group::number, "alice"),
                           cancel_reservation{group::reservation_named(1)});
  CHECK(phase_of(g) == event_phase::open);
}

TEST_CASE("event: what is sold can not be defined away", "[domain][event]") {
  group g;
  auto d = group::two_blocks_and_a_floor();
  g.define(d);
  auto id = g.admit("alice");
  g.hold("alice", id, 1, {group::seats(1, {0}), group::places(3, 5)});
  auto smaller = d;
  smaller.areas[0].capacity = 4;
  CHECK(g.refused(the_event, define_event{smaller, 1, ""}) == errc::event_in_sale);
  auto without = d;
  without.sections[0].blocks.erase(without.sections[0].blocks.begin());
  CHECK(g.refused(the_event, define_event{without, 1, ""}) == errc::event_in_sale);
  auto other_money = d;
  other_money.currency = "USD";
  CHECK(g.refused(the_event, define_event{other_money, 1, ""}) == errc::event_in_sale);

  SECTION("but it can grow, and every seat keeps its place") {
    auto bigger = d;
    bigger.sections[0].blocks[0].rows.insert(bigger.sections[0].blocks[0].rows.begin(),
                                             row_definition{"0", {{"A-0", "0", 0}}});
    bigger.categories[0].price = 7'000;
    CHECK(g.define(bigger).changed);
    CHECK(g.block(1).counts() == stock_counts{10, 1, 0, 0});
    const auto& placed = *g.the_event().head().placed;
    CHECK(placed.blocks[0].seats[0].id == "A-1");
    CHECK(placed.blocks[0].seats[10].id == "A-0");
    auto held = std::get<hold_reply>(*g.hold("alice", id, 2, {group::seats(1, {10})}));
    CHECK(held.amount == 7'000); // what was held before keeps its price
  }

  SECTION("and its categories may be named in another order, with new ones between") {
    auto before = *g.the_event().head().placed;
    auto turned = d;
    auto count = static_cast<std::uint32_t>(d.categories.size());
    std::reverse(turned.categories.begin(), turned.categories.end());
    turned.categories.insert(turned.categories.begin(), {"extra", "Extra", 1});
    for (auto& block : turned.sections[0].blocks)
      for (auto& row : block.rows)
        for (auto& seat : row.seats)
          seat.category = count - seat.category;
    for (auto& area : turned.areas)
      area.category = count - area.category;
    CHECK(g.define(turned).changed);
    const auto& placed = *g.the_event().head().placed;
    CHECK(placed.blocks == before.blocks);
    CHECK(placed.categories.size() == count + 1);
    CHECK(placed.categories.back() == "extra");
    const auto& row = d.sections[0].blocks[0].rows[0];
    CHECK(placed.categories[placed.blocks[0].seats[0].category] == d.categories[row.seats[0].category].id);
    auto held = std::get<hold_reply>(*g.hold("alice", id, 2, {group::seats(1, {1})}));
    CHECK(held.amount == d.categories[row.seats[1].category].price);
  }
}

TEST_CASE("event: new rates act at once", "[domain][event]") {
  group g;
  auto d = group::two_blocks_and_a_floor();
  d.admission.max_active_users = 1;
  g.define(d);
  g.admit("a");
  g.get<ticket_reply>(the_event, join{"b"});
  g.get<ticket_reply>(the_event, join{"c"});
  CHECK(g.the_event().room().count().waiting == 2);
  admission_patch patch;
  patch.max_active_users = 2;
  g.get<event_reply>(the_event, set_admission{patch, ""});
  CHECK(g.the_event().room().count().waiting == 1);
  patch.max_active_users = 0;
  CHECK(g.refused(the_event, set_admission{patch, ""}) == errc::definition_invalid);
}

TEST_CASE("event: someone else's ticket is no ticket", "[domain][event]") {
  group g;
  g.define(group::two_blocks_and_a_floor());
  auto t = g.get<ticket_reply>(the_event, join{"alice"}).ticket;
  CHECK(g.refused(the_event, leave{"mallory", t}) == errc::ticket_unknown);
  CHECK(g.refused(the_event, claim_turn{"mallory", t, {}}) == errc::ticket_unknown);
  CHECK(g.refused(the_event, claim_turn{"alice", {99}, {}}) == errc::ticket_unknown);
}

TEST_CASE("event: removing needs an empty house, or force", "[domain][event]") {
  group g;
  g.define(group::two_blocks_and_a_floor());
  auto id = g.admit("alice");
  g.hold("alice", id, 1, {group::places(3, 1)});
  CHECK(g.refused(the_event, control_event{event_action::remove, {}, true, ""}) == errc::event_in_sale);
  g.pay("alice", id, 1, 1, payment_method::free);
  CHECK(g.refused(the_event, control_event{event_action::remove, {}, false, ""}) == errc::event_in_sale);
  g.get<done>(the_event, control_event{event_action::remove, {}, true, ""});
  CHECK(g.refused(the_event, join{"bob"}) == errc::event_unknown);
}

TEST_CASE("event: a removal is decided after all else in its entry", "[domain][event]") {
  // Found by sluice-sim: removed and defined again in one entry, the new definition met blocks that knew the old one.
  group g;
  g.define(group::two_blocks_and_a_floor());
  moment at{g.now, ++g.index};
  effects out;
  auto& e = g.the_event();
  e.begin(at, out);
  e.apply(at, control_event{event_action::remove, {}, false, ""}, out);
  e.apply(at, join{"bob"}, out);
  REQUIRE(out.size() > 1);
  CHECK(std::holds_alternative<tell>(out.front())); // to itself
  bool bob_joined = false;
  for (const auto& x : out)
    if (const auto* a = std::get_if<answer>(&x))
      bob_joined = std::holds_alternative<ticket_reply>(a->body);
  CHECK(bob_joined);
  auto next = std::get<tell>(out.front());
  for (int step = 0; e.head().placed && step < 16; ++step) {
    out.clear();
    e.begin(at, out);
    e.apply(at, next.body, out);
    if (const auto* again = std::get_if<tell>(&out.front()))
      next = tell{*again};
  }
  CHECK_FALSE(e.head().placed);
}

TEST_CASE("event: the ranking hears one count at a time, and the newest next", "[domain][event]") {
  group g;
  g.define(group::two_blocks_and_a_floor());
  auto counts = [&] {
    std::vector<std::uint64_t> sold;
    for (const auto& n : g.notes)
      if (const auto* c = std::get_if<sold_count>(&n.body))
        sold.push_back(c->sold);
    return sold;
  };
  for (std::uint8_t i = 1; i <= 3; ++i) {
    auto user = "u" + std::to_string(i);
    auto id = g.admit(user);
    g.hold(user, id, i, {group::places(3, 1)});
    g.pay(user, id, i, i, payment_method::free);
  }
  CHECK(counts() == std::vector<std::uint64_t>{1});
  g.run(the_event, count_received{1});
  CHECK(counts() == std::vector<std::uint64_t>{1, 3});
}
