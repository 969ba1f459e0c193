#include "codec/area.hpp"
#include "codec/catalogue.hpp"
#include "codec/event.hpp"
#include "codec/seat_block.hpp"
#include "codec/session.hpp"
#include "sluice/area.pb.h"
#include "sluice/catalogue.pb.h"
#include "support/group.hpp"

#include <map>

using namespace sluice;
using namespace sluice::domain;
using namespace std::chrono_literals;
using test::group;

namespace {

/// What a checkpoint holds of an entity: kept up to date piece by piece, as a store would.
class checkpoint {
public:
  /// How many pieces changed.
  template <class Machine>
  std::size_t take(Machine& machine) {
    auto changed = codec::save_changed(machine);
    for (auto& piece : changed)
      if (piece.bytes)
        pieces_[piece.number] = piece.bytes();
      else
        pieces_.erase(piece.number);
    return changed.size();
  }

  loaded_pieces pieces() const { return {pieces_.begin(), pieces_.end()}; }

private:
  std::map<std::uint32_t, std::string> pieces_;
};

template <class Machine>
loaded_pieces all_of(Machine& machine) {
  checkpoint c;
  c.take(machine);
  return c.pieces();
}

} // namespace

TEST_CASE("codec: an event comes back from a checkpoint of many small steps", "[codec]") {
  group g;
  auto d = group::two_blocks_and_a_floor();
  d.admission.max_active_users = 5;
  g.define(d);
  auto ref = entity_ref::of_event(group::number);
  checkpoint c;
  c.take(g.the_event());
  for (int i = 0; i < 9'000; ++i) {
    auto t = g.get<ticket_reply>(ref, join{"user " + std::to_string(i)});
    if (i % 7 == 0)
      g.get<done>(ref, leave{"user " + std::to_string(i), t.ticket});
    if (i == 2)
      g.get<visit_reply>(ref, claim_turn{"user 2", t.ticket, admission_id{{9}}});
    if (i % 1'000 == 0)
      c.take(g.the_event());
  }
  g.get<done>(ref, control_event{event_action::say, "soon", false, "", "r1"});
  g.get<done>(ref, control_event{event_action::drain, {}, false, "", "r3"});
  admission_patch wrong;
  wrong.batch_ms = 0;
  g.refused(ref, set_admission{wrong, "", "r2"});
  c.take(g.the_event());
  auto loaded = codec::load(ref, c.pieces(), static_cast<const domain::event*>(nullptr));
  CHECK(loaded.room().count() == g.the_event().room().count());
  CHECK(loaded.room().visits() == g.the_event().room().visits());
  CHECK(*loaded.head().placed == *g.the_event().head().placed);
  CHECK(loaded.head().text == "soon");
  CHECK(loaded.head().draining);
  CHECK(loaded.head().requests == g.the_event().head().requests);
  CHECK(loaded.head().stock == g.the_event().head().stock);
  REQUIRE(loaded.room().book().last() == g.the_event().room().book().last());
  for (std::uint32_t t = 1; t <= 9'000; ++t)
    REQUIRE(loaded.room().book().state_of({t}) == g.the_event().room().book().state_of({t}));
  CHECK(loaded.room().book().find("user 8999").value == 9'000);
  CHECK(loaded.next_deadline(g.now) == g.the_event().next_deadline(g.now));
}

TEST_CASE("codec: blocks, areas and sessions come back as they were", "[codec]") {
  group g;
  g.define(group::two_blocks_and_a_floor());
  auto id = g.admit("alice");
  g.hold("alice", id, 1, {group::seats(1, {0, 1}), group::places(3, 2)});
  g.hold("alice", id, 2, {group::seats(2, {4})});
  g.hold("alice", id, 3, {group::seats(1, {5})});
  g.hold("alice", id, 4, {group::seats(1, {6})});
  g.get<done>(entity_ref::of_session(group::number, "alice"), release_hold{id, group::hold_named(4)});
  g.pay("alice", id, 1, 1);
  g.pay("alice", id, 2, 2, payment_method::free);
  g.settle("alice", charge_step::authorise, charge_outcome::done);
  g.settle("alice", charge_step::capture, charge_outcome::unknown);

  auto alice = entity_ref::of_session(group::number, "alice");
  auto session_pieces = all_of(g.of("alice"));
  auto session = codec::load(alice, session_pieces, static_cast<const domain::session*>(nullptr));
  CHECK(session.state() == g.of("alice").state());
  CHECK(session.state().released.size() == 1);

  for (std::uint32_t n : {1u, 2u}) {
    auto ref = entity_ref::of_seat_block(group::number, {n});
    auto block = codec::load(ref, all_of(g.block(n)), static_cast<const seat_block*>(nullptr));
    CHECK(block.state() == g.block(n).state());
    CHECK(block.counts() == g.block(n).counts());
  }
  auto floor =
      codec::load(entity_ref::of_area(group::number, {3}), all_of(g.the_area(3)), static_cast<const area*>(nullptr));
  CHECK(floor.state() == g.the_area(3).state());
}

TEST_CASE("codec: of an area's holds only the chunks that changed are saved", "[codec]") {
  group g;
  g.define(group::two_blocks_and_a_floor());
  auto alice = g.admit("alice");
  auto bob = g.admit("bob");
  auto ref = entity_ref::of_area(group::number, {3});
  auto& floor = g.the_area(3);
  checkpoint c;
  g.hold("alice", alice, 1, {group::places(3, 2)});
  c.take(floor);
  g.hold("bob", bob, 2, {group::places(3, 1)});
  CHECK(c.take(floor) == 2); // the head, and the chunk of one hold
  auto ask = [&] { return codec::load(ref, c.pieces(), static_cast<const area*>(nullptr)); };
  CHECK(ask().state() == floor.state());
  g.get<done>(entity_ref::of_session(group::number, "alice"), release_hold{alice, group::hold_named(1)});
  c.take(floor);
  CHECK(ask().state() == floor.state());
  auto loaded = ask();
  CHECK(codec::save_changed(loaded).empty());
}

TEST_CASE("codec: an area whose holds were in its first piece is read, and written as it is now", "[codec]") {
  proto::AreaRecord before;
  before.set_target(5);
  before.set_held(2);
  auto& h = *before.add_holds();
  h.set_hold(std::string(20, 'h'));
  h.set_user("alice");
  h.set_quantity(2);
  auto ref = entity_ref::of_area(group::number, {3});
  auto old = codec::load(ref, {{0, before.SerializeAsString()}}, static_cast<const area*>(nullptr));
  REQUIRE(old.state().holds.find(group::hold_named(1)) == nullptr);
  effects out;
  old.apply({{{}, {}}, 1}, define_area{4, 0, 100}, out); // any change: its next share has the holds as well
  checkpoint c;
  c.take(old);
  auto again = codec::load(ref, c.pieces(), static_cast<const area*>(nullptr));
  CHECK(again.state() == old.state());
  hold_id id;
  std::fill(id.bytes.begin(), id.bytes.end(), std::uint8_t{'h'});
  REQUIRE(again.state().holds.find(id) != nullptr);
  CHECK(again.state().holds.find(id)->user == "alice");
}

TEST_CASE("codec: a session that holds nothing leaves no record", "[codec]") {
  session s{{1}, "nobody"};
  auto pieces = codec::save_changed(s);
  REQUIRE(pieces.size() == 1);
  CHECK_FALSE(pieces[0].bytes);
}

TEST_CASE("codec: the catalogue comes back as it was, nodes and join tokens included", "[codec]") {
  auto told = [](catalogue& machine, const message& what) {
    effects out;
    machine.apply({{{}, wall_time_from_ms(1'000)}, 1}, what, out);
    machine.finish({}, out);
  };
  catalogue machine;
  node_entry first;
  first.id = {1};
  first.name = "a";
  first.disk = 1ull << 63;
  first.feature_level = 2;
  told(machine, found_cluster{"c", "keys", "hash", first});
  told(machine, add_join_token{"spent", wall_time_from_ms(5'000), "", "root"});
  told(machine, join_cluster{"spent", "b", "p:1", "w:1", 22, node_role::member, "1.0", 3});
  told(machine, add_join_token{"open", wall_time_from_ms(6'000), "b", "root"});
  told(machine, change_node{"b", node_state::draining, "root"});
  told(machine, activate_feature{2, "root"});
  told(machine, register_event{"demo"});
  REQUIRE(machine.state().nodes.size() == 2);
  REQUIRE(machine.state().join_tokens.at("spent").spent);
  auto ref = entity_ref::of_catalogue();
  const catalogue* none = nullptr;
  CHECK(codec::load(ref, all_of(machine), none).state() == machine.state());
  CHECK(codec::describe(machine).find("open") == std::string::npos); // no hash of a token is shown to people
}

TEST_CASE("codec: a catalogue of before nodes were listed still loads", "[codec]") {
  proto::CatalogueRecord old;
  old.set_founded(true);
  old.set_cluster_id("c");
  old.set_epoch(1);
  old.set_last_event(4);
  const catalogue* none = nullptr;
  auto machine = codec::load(entity_ref::of_catalogue(), {{0, old.SerializeAsString()}}, none);
  CHECK(machine.state().last_event == 4);
  CHECK(machine.state().nodes.empty());
  CHECK(machine.state().replication == 1);
}
