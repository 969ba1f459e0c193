// What other nodes send: what may get into a log, and what not.
#include "actors/log_guard.hpp"
#include "codec/message.hpp"
#include "core/ids.hpp"
#include "core/slot.hpp"
#include "sluice/log_entry.pb.h"
#include "sluice/peer.pb.h"

#include <catch2/catch.hpp>

using namespace sluice;
using actors::may_enter;

namespace {

constexpr std::size_t partitions = 4;
constexpr event_number ours{7};

/// An event of another slot.
event_number foreign() {
  event_number event{ours.value + 1};
  while (slot_of(event) == slot_of(ours))
    ++event.value;
  return event;
}

void name(proto::EntityRef& of, event_number event, entity_kind kind = entity_kind::event) {
  of.set_event(event.value);
  of.set_kind(static_cast<std::uint32_t>(kind));
}

proto::Command command_to(event_number event) {
  proto::Command c;
  name(*c.mutable_to(), event);
  c.set_body(codec::encode(domain::message{domain::join{"alice"}}));
  return c;
}

template <class Change>
proto::Command step_with(Change change) {
  proto::PartitionStep step;
  step.set_slot(slot_of(ours).value);
  change(step);
  proto::Command c;
  c.set_is_step(true);
  c.mutable_note()->set_partition(1);
  c.mutable_note()->set_sequence(1);
  c.set_body(step.SerializeAsString());
  return c;
}

/// A part that makes sense, but for what is changed in it.
template <class Change>
proto::PulledSlot part_with(Change change) {
  proto::PartitionStep step;
  step.set_slot(slot_of(ours).value);
  auto& part = *step.mutable_part();
  part.set_position("here");
  part.set_fenced(9);
  name(*part.add_pieces()->mutable_entity(), ours);
  auto& luggage = *part.mutable_luggage();
  name(*luggage.add_deadlines()->mutable_entity(), ours, entity_kind::session);
  name(*luggage.add_open_effects()->mutable_entity(), ours, entity_kind::session);
  name(*luggage.add_roster(), ours, entity_kind::seat_block);
  luggage.add_ended_groups(ours.value);
  change(step);
  proto::PulledSlot pulled;
  pulled.set_slot(slot_of(ours).value);
  pulled.set_position("here");
  pulled.set_fenced(9);
  pulled.set_step(step.SerializeAsString());
  return pulled;
}

} // namespace

TEST_CASE("log_guard: a command names an entity there can be, and decodes", "[actors]") {
  CHECK(may_enter(command_to(ours), partitions));
  auto c = command_to(ours);
  SECTION("to nothing there is") {
    c.mutable_to()->set_kind(99);
  }
  SECTION("with bytes no message has") {
    c.set_body("\xff\xff\xff");
  }
  SECTION("with no bytes") {
    c.clear_body();
  }
  CHECK_FALSE(may_enter(c, partitions));
}

TEST_CASE("log_guard: of a partition's steps those enter that travel as a note", "[actors]") {
  auto arrives = [](std::uint32_t from) { return step_with([from](auto& s) { s.mutable_arrives()->set_from(from); }); };
  CHECK(may_enter(arrives(partitions - 1), partitions));
  CHECK(may_enter(step_with([](auto& s) { s.mutable_taken()->set_fenced(9); }), partitions));
  CHECK(may_enter(step_with([](auto& s) { s.mutable_claimed()->set_by(2); }), partitions));

  CHECK_FALSE(may_enter(arrives(partitions), partitions));
  CHECK_FALSE(may_enter(step_with([](auto& s) { s.mutable_claimed()->set_by(partitions); }), partitions));
  CHECK_FALSE(may_enter(step_with([](auto& s) {
                          s.mutable_taken();
                          s.set_slot(slot_count);
                        }),
                        partitions));
  // Those a leader proposes itself, and those of a newer version.
  CHECK_FALSE(may_enter(step_with([](auto& s) { s.mutable_leaves()->set_to(2); }), partitions));
  CHECK_FALSE(may_enter(step_with([](auto& s) { s.mutable_part()->set_fenced(9); }), partitions));
  CHECK_FALSE(may_enter(step_with([](auto& s) { s.mutable_stays()->set_fenced(9); }), partitions));
  CHECK_FALSE(may_enter(step_with([](auto& s) { s.mutable_founded_anew(); }), partitions));
  CHECK_FALSE(may_enter(step_with([](auto&) {}), partitions));

  auto unnumbered = arrives(1);
  unnumbered.clear_note();
  CHECK_FALSE(may_enter(unnumbered, partitions));
  auto torn = arrives(1);
  torn.set_body("\xff");
  CHECK_FALSE(may_enter(torn, partitions));
}

TEST_CASE("log_guard: a part of a slot is the one that was asked for", "[actors]") {
  CHECK(may_enter(part_with([](auto&) {})));
  auto none = part_with([](auto&) {});
  none.clear_step(); // not to be had just now
  CHECK(may_enter(none));

  auto pulled = part_with([](auto&) {});
  SECTION("of no slot") {
    pulled.set_slot(slot_count);
  }
  SECTION("of another slot") {
    pulled.set_slot(slot_of(foreign()).value);
  }
  SECTION("of another position") {
    pulled.set_position("there");
  }
  SECTION("of another move") {
    pulled.set_fenced(8);
  }
  SECTION("torn") {
    pulled.mutable_step()->resize(pulled.step().size() - 1);
  }
  SECTION("another step") {
    pulled = part_with([](auto& s) { s.mutable_taken()->set_fenced(9); });
  }
  CHECK_FALSE(may_enter(pulled));
}

TEST_CASE("log_guard: a part of a slot has nothing of another one", "[actors]") {
  CHECK_FALSE(
      may_enter(part_with([](auto& s) { name(*s.mutable_part()->add_pieces()->mutable_entity(), foreign()); })));
  CHECK_FALSE(may_enter(part_with([](auto& s) { s.mutable_part()->add_pieces(); }))); // of no event
  CHECK_FALSE(
      may_enter(part_with([](auto& s) { s.mutable_part()->mutable_pieces(0)->mutable_entity()->set_kind(99); })));
  auto luggage_with = [](auto change) {
    return part_with([&](auto& s) { change(*s.mutable_part()->mutable_luggage()); });
  };
  CHECK_FALSE(may_enter(luggage_with([](auto& l) { name(*l.add_deadlines()->mutable_entity(), foreign()); })));
  CHECK_FALSE(may_enter(luggage_with([](auto& l) { name(*l.add_open_effects()->mutable_entity(), foreign()); })));
  CHECK_FALSE(may_enter(luggage_with([](auto& l) { name(*l.add_roster(), foreign()); })));
  CHECK_FALSE(may_enter(luggage_with([](auto& l) { l.add_ended_groups(foreign().value); })));
}
