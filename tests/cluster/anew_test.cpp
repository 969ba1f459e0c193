// A cluster begins anew with what single replicas remember, each up to another moment.
#include "pair_of_partitions.hpp"

using namespace sluice;
using namespace sluice::partition;
using namespace sluice::partition::test;

namespace {

config second_founding(std::uint32_t number, std::vector<partition_id> lost = {}) {
  auto c = of_partition(number);
  c.founding = 2;
  c.lost = std::move(lost);
  return c;
}

proposal note_from(std::uint32_t partition, std::uint64_t sequence) {
  return {the_event, {},   "", codec::encode(message{count_received{sequence}}), note_source{{partition}, sequence},
          {},        false};
}

void settle_for_long(pair_of_partitions& p) {
  for (int i = 0; i < 10; ++i) {
    p.settle();
    p.a().pass(1s); // what was under way is sent again
    p.b().pass(1s);
  }
}

/// Where the event is sold. Exactly one of the two has it.
replica& owner(pair_of_partitions& p) {
  auto has = [](replica& r) { return r.core().prospect(the_slot, {9}).is == slot_prospect::kind::possible; };
  REQUIRE(has(p.a()) != has(p.b()));
  return has(p.a()) ? p.a() : p.b();
}

} // namespace

TEST_CASE("anew: the first note of a later founding follows on anything", "[cluster][partition]") {
  inbox in;
  auto accepts = [&in](std::uint64_t sequence) { return in.accept({{3}, sequence}); };
  CHECK(accepts(1));
  CHECK_FALSE(accepts(1));
  CHECK_FALSE(accepts(3));
  CHECK(accepts(2));
  auto third = numbers_of(3);
  CHECK_FALSE(accepts(third + 2));
  CHECK(accepts(third + 1));
  CHECK_FALSE(accepts(third + 1));
  CHECK(accepts(third + 2));
  CHECK_FALSE(accepts(3));
  CHECK_FALSE(accepts(numbers_of(2) + 1));

  outbox out;
  out.add({5}, the_event, "a");
  out.add({5}, the_event, "b");
  out.acknowledge({5}, 1);
  out.begin_anew(3);
  const auto& lane = out.lanes().at({5});
  REQUIRE(lane.items.size() == 1);
  CHECK(lane.items.front().sequence == third + 1);
  CHECK(lane.items.front().body == "b");
  CHECK(out.add({5}, the_event, "c").sequence == third + 2);
  CHECK(out.add({6}, the_event, "d").sequence == third + 1);
}

TEST_CASE("anew: a partition nobody asks anything does it by itself", "[cluster][partition]") {
  replica idle{second_founding(1)};
  CHECK(idle.core().status().founding == 2);
}

// Its later notes were taken for repeats, or waited for ever for the ones before.
TEST_CASE("anew: partitions that remember less, or more, than each other hear each other", "[cluster][partition]") {
  auto who_is_behind = GENERATE(1, 2, 0);
  pair_of_partitions p;
  disk a_before = p.a().stored();
  disk b_before = p.b().stored();
  open_house(p.a(), {"alice"});
  p.move(p.a(), 2);
  p.move(p.b(), 1); // notes went both ways
  disk a_now = p.a().stored();
  disk b_now = p.b().stored();
  p.a_.emplace(second_founding(1), who_is_behind == 1 ? a_before : a_now, false);
  p.b_.emplace(second_founding(2), who_is_behind == 2 ? b_before : b_now, false);
  settle_for_long(p);
  if (who_is_behind == 1) {
    REQUIRE(p.a().core().prospect(the_slot, {2}).is != slot_prospect::kind::possible); // gone with it
    open_house(p.a(), {"alice"});
  }
  p.move(p.a(), 2);
  settle_for_long(p);
  CHECK(&owner(p) == &p.b());
  CHECK(p.b().get<ticket_reply>(the_event, join{"late"}).ticket.value == 2);
  CHECK(p.a().core().status().outbox == 0);
  CHECK(p.b().core().status().outbox == 0);
}

TEST_CASE("anew: a slot that moved meanwhile has one owner, the later", "[cluster][partition][slots]") {
  auto moves = GENERATE(1, 2, 3);
  auto from_checkpoint = GENERATE(false, true);
  pair_of_partitions p;
  open_house(p.a(), {"alice"});
  for (int i = 0; i + 1 < moves; ++i)
    p.move(p.at({1u + i % 2}), 2 - i % 2);
  auto& from = p.at({1u + (moves - 1) % 2});
  from.take_checkpoint();
  disk before = from.stored();
  p.move(from, 2 - (moves - 1) % 2);
  auto& to = p.at({1u + moves % 2});
  to.get<ticket_reply>(the_event, join{"bob"});
  disk after = to.stored();
  bool from_a = &from == &p.a();
  p.a_.emplace(second_founding(1), from_a ? before : after, from_checkpoint);
  p.b_.emplace(second_founding(2), from_a ? after : before, from_checkpoint);
  settle_for_long(p);
  CHECK(&owner(p) == (from_a ? &p.b() : &p.a()));
  CHECK(owner(p).get<ticket_reply>(the_event, join{"bob"}).ticket.value == 2);
  CHECK(owner(p).get<ticket_reply>(the_event, join{"late"}).ticket.value == 3);
}

TEST_CASE("anew: one that was on its way arrives, whatever the receiver forgot of it", "[cluster][partition][slots]") {
  auto steps = GENERATE(range(0, 12));
  auto b_forgets_all = GENERATE(false, true);
  pair_of_partitions p;
  p.part_bytes = 300;
  disk b_before = p.b().stored();
  open_house(p.a(), {"alice"});
  p.a().get<hold_reply>(session_of("alice"), hold_of(1, 1, {1}));
  p.a().handle(move_slot{the_slot, {2}});
  p.a().settle();
  for (int i = 0; i < steps; ++i) {
    if (i % 2 == 0)
      p.carry(p.a());
    p.pull(p.b(), {2});
    p.a().pass(10ms);
    p.b().pass(10ms);
  }
  p.b().take_checkpoint();
  p.b_.emplace(second_founding(2), b_forgets_all ? b_before : disk{p.b().stored()}, true);
  p.a_.emplace(second_founding(1), disk{p.a().stored()}, true);
  settle_for_long(p);
  CHECK(&owner(p) == &p.b());
  CHECK(p.b().get<ticket_reply>(the_event, join{"late"}).ticket.value == 2);
  CHECK(p.b().get<hold_reply>(session_of("alice"), hold_of(1, 1, {1})).parts.size() == 1);
}

TEST_CASE("anew: what was on its way to a partition that is lost stays", "[cluster][partition][slots]") {
  pair_of_partitions p;
  open_house(p.a(), {"alice"});
  p.a().handle(move_slot{the_slot, {2}});
  p.a().settle();
  p.carry(p.a());
  p.a_.emplace(second_founding(1, {{2}}), disk{p.a().stored()}, false);
  p.b_.emplace(second_founding(2, {{2}}));
  settle_for_long(p);
  CHECK(&owner(p) == &p.a());
  CHECK(p.a().get<ticket_reply>(the_event, join{"late"}).ticket.value == 2);
  CHECK(p.b().core().status().moving_slots == 0);
}

TEST_CASE("anew: where a slot left for a partition that is lost its events begin again there",
          "[cluster][partition][slots]") {
  pair_of_partitions p;
  open_house(p.a(), {"alice"});
  p.move(p.a(), 2);
  p.a_.emplace(second_founding(1, {{2}}), disk{p.a().stored()}, false);
  p.b_.emplace(second_founding(2, {{2}}));
  settle_for_long(p);
  CHECK(p.a().core().prospect(the_slot, {9}).where == partition_id{2});
  open_house(p.b(), {});
  CHECK(p.b().get<ticket_reply>(the_event, join{"first"}).ticket.value == 1);
  p.move(p.b(), 1);
  CHECK(&owner(p) == &p.a());
}

// One in the middle of its way is lost: the claim of the last one counts, in whatever order they are heard.
TEST_CASE("anew: a slot that went on from a partition that is lost is where it went", "[cluster][partition][slots]") {
  auto late = GENERATE(false, true);
  pair_of_partitions p;
  open_house(p.a(), {"alice"});
  p.move(p.a(), 2); // and from there to partition 3, which nobody told the first
  p.a_.emplace(second_founding(1, {{2}}), disk{p.a().stored()}, false);
  p.b_.emplace(second_founding(2, {{2}}));
  auto claim = [](replica& of) {
    proto::PartitionStep step;
    step.set_slot(the_slot.value);
    step.mutable_claimed()->set_by(3);
    step.mutable_claimed()->set_moves(2);
    proposal note;
    note.is_step = true;
    note.body = step.SerializeAsString();
    note.note = note_source{{3}, numbers_of(2) + 1};
    of.handle(propose{{note}});
    of.settle();
  };
  if (late)
    settle_for_long(p);
  claim(p.a());
  claim(p.b());
  settle_for_long(p);
  for (auto* r : {&p.a(), &p.b()}) {
    auto found = r->core().prospect(the_slot, {9});
    CHECK(found.is == slot_prospect::kind::elsewhere);
    if (r == &p.b())
      CHECK(found.where == partition_id{3});
  }
}

TEST_CASE("anew: a note of before makes no event known of which nothing is left", "[cluster][partition]") {
  replica lost{second_founding(1, {{1}})};
  lost.handle(propose{{note_from(3, numbers_of(2) + 1)}});
  lost.settle();
  CHECK_FALSE(lost.core().knows(the_number));
  open_house(lost, {});
  CHECK(lost.core().knows(the_number));
}

TEST_CASE("anew: what was coming from a partition that is lost begins again", "[cluster][partition][slots]") {
  pair_of_partitions p;
  p.part_bytes = 300;
  open_house(p.a(), {"alice"});
  p.a().handle(move_slot{the_slot, {2}});
  p.a().settle();
  for (int i = 0; i < 3; ++i) {
    p.carry(p.a());
    p.pull(p.b(), {2});
    p.a().pass(10ms);
    p.b().pass(10ms);
  }
  REQUIRE(p.b().core().status().moving_slots == 1);
  p.b().take_checkpoint();
  p.b_.emplace(second_founding(2, {{1}}), disk{p.b().stored()}, true);
  p.a_.emplace(second_founding(1, {{1}}));
  settle_for_long(p);
  CHECK(p.b().core().status().moving_slots == 0);
  open_house(p.b(), {});
  CHECK(p.b().get<ticket_reply>(the_event, join{"first"}).ticket.value == 1);
}

TEST_CASE("anew: it is done once, and survives a restart from checkpoint or log", "[cluster][partition]") {
  auto from_checkpoint = GENERATE(false, true);
  pair_of_partitions p;
  p.a_.emplace(second_founding(1));
  p.b_.emplace(second_founding(2));
  open_house(p.a(), {"alice"});
  p.move(p.a(), 2);
  CHECK(&owner(p) == &p.b());
  auto applied = p.a().core().applied();
  p.a().take_checkpoint();
  p.a_.emplace(second_founding(1), disk{p.a().stored()}, from_checkpoint);
  p.b_.emplace(second_founding(2), disk{p.b().stored()}, from_checkpoint);
  p.a().handle(propose{{note_from(3, 1)}}); // an entry, so that both are known
  settle_for_long(p);
  p.move(p.b(), 1);
  CHECK(&owner(p) == &p.a());
  CHECK(p.a().core().applied() > applied);
}
