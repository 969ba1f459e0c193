// The partition core as stories: what one log entry does, what leaves, what survives.
#include "partition_fixture.hpp"

#include <algorithm>
#include <set>

using namespace sluice;
using namespace sluice::partition;
using namespace sluice::partition::test;

namespace {

/// A note to the event, as another partition sends it.
proposal note_from(std::uint32_t partition, std::uint64_t sequence, std::uint64_t received) {
  return {the_event, {}, "", codec::encode(message{count_received{received}}), note_source{{partition}, sequence}, {}};
}

std::size_t steps_of(const replica& r, log_index index) {
  std::uint32_t last = 0;
  for (const auto& d : r.deliveries)
    if (d.index == index)
      last = std::max(last, d.step);
  return last;
}

/// Everything a checkpoint and the machines know.
void check_same(const replica& a, const replica& b, std::initializer_list<entity_ref> entities) {
  CHECK(a.core().state_hash() == b.core().state_hash());
  for (const auto& of : entities)
    CHECK(a.state_of(of) == b.state_of(of));
}

} // namespace

// Found by simulation: the checkpoint was in force without it, and a replica that started from there had another state.
TEST_CASE("entities: a session's last record is in the checkpoint though its group ends before it comes",
          "[cluster][partition]") {
  entity_table table{{0, std::chrono::seconds{60}, std::chrono::seconds{600}}};
  const auto who = session_of("alice");
  outputs out;
  delivery d;
  d.to = who;
  REQUIRE(table.prepare(host_time{1s}, d, out));
  table.passivate_idle(host_time{2s}, 1, out);
  REQUIRE(out.saves.size() == 1);
  table.begin_checkpoint(7, out); // the record on its way is its share
  table.forget(the_number, out);
  CHECK_FALSE(table.checkpoint_complete());
  saved last{who, 0, true, {}};
  last.pieces.push_back({0, [] { return std::string{"all of it"}; }});
  table.accept(std::move(last), out);
  CHECK(table.checkpoint_complete());
  REQUIRE(out.pieces.size() == 1);
  CHECK(out.pieces.front().of == who);
  CHECK(out.pieces.front().checkpoint == 7);
  REQUIRE(out.pieces.front().pieces.size() == 1);
  CHECK(out.pieces.front().pieces.front().bytes() == "all of it");
}

TEST_CASE("partition: a hold over two blocks is one entry of three steps", "[cluster][partition]") {
  replica r;
  open_house(r, {"alice"});
  auto before = r.core().applied();
  auto held = r.get<hold_reply>(session_of("alice"), hold_of(1, 1, {1, 2}));
  CHECK(held.parts.size() == 2);
  CHECK(r.core().applied() == before + 1);
  CHECK(steps_of(r, before + 1) == 3); // session, both blocks, session and event
  std::size_t in_step_two = 0;
  for (const auto& d : r.deliveries)
    in_step_two += d.index == before + 1 && d.step == 2 ? 1 : 0;
  CHECK(in_step_two == 2);
}

TEST_CASE("partition: one block refuses, the others are released in the same entry", "[cluster][partition]") {
  replica r;
  open_house(r, {"alice", "bob"});
  r.get<hold_reply>(session_of("alice"), hold_of(1, 1, {2}));
  auto before = r.core().applied();
  CHECK(r.get<refusal>(session_of("bob"), hold_of(2, 2, {1, 2})).why == errc::seat_not_available);
  CHECK(r.core().applied() == before + 1);
  // Nothing of it is left: the seat in the other block is free.
  CHECK(r.get<hold_reply>(session_of("bob"), hold_of(2, 3, {1})).parts.size() == 1);
}

TEST_CASE("partition: what gathers while an entry is written becomes the next entry", "[cluster][partition]") {
  replica r;
  open_house(r, {});
  auto before = r.core().applied();
  auto first = r.propose(the_event, join{"a"});
  auto second = r.propose(the_event, join{"b"});
  auto third = r.propose(the_event, join{"c"});
  CHECK(r.answers.count(first) == 0); // not before it is durable
  r.settle();
  CHECK(r.core().applied() == before + 2);
  for (auto number : {first, second, third})
    CHECK(std::holds_alternative<ticket_reply>(r.answers.at(number)));
}

TEST_CASE("partition: where several come at a time, the next entry waits for more, but not for long",
          "[cluster][partition]") {
  replica r;
  open_house(r, {});
  auto join_all = [&](std::initializer_list<const char*> users) {
    for (auto user : users)
      r.propose(the_event, join{user});
    r.settle();
    return r.core().applied();
  };
  auto before = r.core().applied();
  CHECK(join_all({"a"}) == before + 1);                     // who is alone does not wait
  CHECK(join_all({"b", "c", "d", "e", "f"}) == before + 3); // what gathered while b's was written: one entry of four
  CHECK(join_all({"g"}) == before + 3);
  r.pass(1ms);
  CHECK(r.core().applied() == before + 4);
}

TEST_CASE("partition: an event is removed after everything else in the entry", "[cluster][partition]") {
  replica r;
  open_house(r, {});
  r.propose(the_event, join{"somebody"}); // keeps the log busy
  auto removed = r.propose(the_event, control_event{event_action::remove, {}, false, "test"});
  auto smaller = two_blocks();
  smaller.sections.front().blocks.pop_back();
  smaller.sections.front().blocks.front().rows.front().seats.pop_back();
  r.propose(the_event, define_event{smaller, 1, "test"});
  r.settle();
  CHECK(std::holds_alternative<done>(r.answers.at(removed)));
  CHECK_FALSE(r.is_active(the_event));
  auto late = r.propose(the_event, join{"latecomer"});
  r.settle();
  CHECK(r.refusals.at(late) == errc::event_unknown);
}

TEST_CASE("partition: a note is sent again until it is acknowledged", "[cluster][partition]") {
  replica r;
  open_house(r, {}); // tells the catalogue, in partition 0
  auto count = [&] {
    return std::count_if(r.notes.begin(), r.notes.end(), [](const auto& n) { return n.what.note.has_value(); });
  };
  REQUIRE(count() == 1);
  CHECK(r.notes.front().to == partition_id{0});
  CHECK(r.notes.front().what.note->sequence == 1);
  r.pass(1s);
  r.pass(1s);
  CHECK(count() == 3);
  proposal ack;
  ack.ack = note_source{{0}, 1};
  r.handle(partition::propose{{ack}});
  r.settle();
  CHECK(r.core().status().outbox == 0);
  r.pass(5s);
  CHECK(count() == 3);
}

TEST_CASE("partition: notes leave as far as the window goes, the next ones when some are acknowledged",
          "[cluster][partition]") {
  config settings;
  settings.notes_under_way_max = 3;
  replica r{settings};
  auto notes = [&] {
    std::vector<std::uint64_t> sequences;
    for (const auto& n : r.notes)
      if (n.what.note)
        sequences.push_back(n.what.note->sequence);
    r.notes.clear();
    return sequences;
  };
  auto acknowledge = [&](std::uint64_t sequence) {
    proposal ack;
    ack.ack = note_source{{0}, sequence};
    r.handle(partition::propose{{ack}});
    r.settle();
  };
  auto tell = [&](int number) { // the catalogue, in partition 0
    auto d = two_blocks();
    d.name = "Night " + std::to_string(number);
    r.get<event_reply>(the_event, define_event{d, 42, "test"});
  };
  for (int number = 1; number <= 8; ++number)
    tell(number);
  using sent = std::vector<std::uint64_t>;
  CHECK(notes() == sent{1, 2, 3}); // nobody is there
  r.pass(1s);
  CHECK(notes() == sent{1, 2, 3});
  acknowledge(2); // and drains at once when somebody is: an hour's gap is not filled a few a second
  CHECK(notes() == sent{4, 5});
  acknowledge(2);
  CHECK(notes().empty());
  acknowledge(5);
  CHECK(notes() == sent{6, 7, 8});
  acknowledge(8);
  CHECK(r.core().status().outbox == 0);
  tell(9);
  CHECK(notes() == sent{9});
}

TEST_CASE("partition: a note that comes twice is executed once, and in order", "[cluster][partition]") {
  replica r;
  open_house(r, {});
  auto delivered = [&](std::uint64_t sequence) {
    auto before = r.deliveries.size();
    r.notes.clear();
    r.handle(partition::propose{{note_from(3, sequence, sequence)}});
    r.settle();
    return r.deliveries.size() - before;
  };
  CHECK(delivered(2) == 0); // too early: it will be sent again
  CHECK(r.notes.empty());
  CHECK(delivered(1) == 1);
  REQUIRE(r.notes.size() == 1);
  CHECK(r.notes.front().what.ack->sequence == 1);
  CHECK(delivered(1) == 0);
  REQUIRE(r.notes.size() == 1); // its sender needs to hear it once more
  CHECK(delivered(2) == 1);
  r.take_checkpoint();
  replica again{{}, r.stored()};
  again.handle(partition::propose{{note_from(3, 2, 2)}});
  auto before = again.deliveries.size();
  again.settle();
  CHECK(again.deliveries.size() == before); // nor after a restart
}

TEST_CASE("partition: deadlines fire in log time", "[cluster][partition]") {
  replica r;
  open_house(r, {"alice"});
  auto held = r.get<hold_reply>(session_of("alice"), hold_of(1, 1, {1}));
  CHECK(held.expires_in_ms == 60'000);
  r.pass(59s);
  CHECK(r.get<refusal>(session_of("alice"), hold_of(1, 2, {1})).why == errc::seat_not_available);
  r.pass(2s); // a pulse, by itself
  CHECK(r.get<hold_reply>(session_of("alice"), hold_of(1, 3, {1})).parts.size() == 1);
}

// Found by simulation: behind a crowd and a slow disk a ticket expired many seconds late.
TEST_CASE("partition: what is due goes ahead of the commands that wait", "[cluster][partition]") {
  config settings;
  settings.entry_commands_max = 2;
  replica r{settings};
  open_house(r, {"alice"});
  r.get<hold_reply>(session_of("alice"), hold_of(1, 1, {1}));
  auto before = r.core().applied();
  auto seen = r.deliveries.size();
  std::vector<std::uint64_t> numbers;
  for (int i = 0; i < 12; ++i)
    numbers.push_back(r.propose(the_event, join{"user" + std::to_string(i)}));
  r.pass(61s); // as many entries as may be are being written; the hold lapses meanwhile
  r.settle();
  auto pulse = std::find_if(r.deliveries.begin() + static_cast<std::ptrdiff_t>(seen), r.deliveries.end(),
                            [](const delivery& d) { return d.to == session_of("alice"); });
  REQUIRE(pulse != r.deliveries.end());
  CHECK(pulse->index == before + pace::under_way_max + 1);
  CHECK(r.core().applied() > pulse->index + 2);
  for (auto number : numbers)
    CHECK(std::holds_alternative<ticket_reply>(r.answers.at(number)));
}

TEST_CASE("partition: a pulse that consensus refuses is proposed again", "[cluster][partition]") {
  config settings;
  settings.consensus.uncommitted_bytes_max = 100;
  replica r{settings};
  open_house(r, {"alice"});
  r.get<hold_reply>(session_of("alice"), hold_of(1, 1, {1}));
  for (auto user : {"a", "b", "c", "d", "e"})
    r.propose(the_event, join{user});
  r.write_all(); // a's entry is durable, that of the others is on its way to the disk
  auto commands = [&] { return r.core().status().commands_total; };
  auto before = commands();
  r.pass(61s); // pulses are due, and more than may be undecided
  CHECK(commands() == before + 4);
  r.pass(20ms);
  CHECK(commands() > before + 4);
}

TEST_CASE("partition: an outage of hours lapses nobody's hold", "[cluster][partition]") {
  replica r;
  open_house(r, {"alice"});
  r.get<hold_reply>(session_of("alice"), hold_of(1, 1, {1}));
  replica later{{}, r.stored()};
  later.pass(50s); // a restart adds 5 s at most
  CHECK(later.get<refusal>(session_of("alice"), hold_of(1, 2, {1})).why == errc::seat_not_available);
  later.pass(15s);
  CHECK(later.get<hold_reply>(session_of("alice"), hold_of(1, 3, {1})).parts.size() == 1);
}

TEST_CASE("partition: checkpoint and tail are the full replay", "[cluster][partition]") {
  replica r;
  open_house(r, {"alice", "bob"});
  r.get<hold_reply>(session_of("alice"), hold_of(1, 1, {1, 2}));
  pay_hold pay{{"p1", {1, 1}},       numbered<admission_id>(1),
               numbered<hold_id>(1), numbered<reservation_id>(1),
               payment_method::card, "4242"};
  r.get<reservation_reply>(session_of("alice"), pay);
  r.take_checkpoint();
  auto at = r.core().status().checkpoint_index;
  CHECK(at > 0);
  r.get<done>(the_event, leave{"bob", {2}});
  REQUIRE(r.core().applied() > at);

  replica short_way{{}, r.stored()};
  replica long_way{{}, r.stored(), false};
  CHECK(short_way.core().applied() == long_way.core().applied());
  // Ask everybody something, so that they are awake in both.
  for (auto* again : {&short_way, &long_way}) {
    again->run(the_event, join{"alice"});
    again->run(session_of("alice"), release_hold{numbered<admission_id>(1), numbered<hold_id>(9)});
  }
  check_same(short_way, long_way, {the_event, session_of("alice")});
  // The open charge comes again, since nobody knows whether the process before asked for it.
  REQUIRE(short_way.effects.size() == 1);
  CHECK(short_way.effects.front().of == session_of("alice"));
  CHECK(short_way.effects.front().body == r.effects.front().body);
}

TEST_CASE("partition: an entry takes as many commands as are executed while one is synced", "[cluster][partition]") {
  auto paced = [](std::chrono::microseconds sync, std::chrono::microseconds execution) {
    pace p;
    for (int i = 0; i < 50; ++i) {
      p.synced(sync);
      p.began(host_time{1s});
      p.executed(host_time{1s + execution}, 100);
    }
    return p;
  };
  CHECK(pace{}.entry_commands(4096) == 4096); // nothing is known yet
  auto holds = paced(500us, 1'300us);
  CHECK(holds.entry_commands(4096) == 38);
  CHECK(holds.entry_commands(4) == 4);
  CHECK(paced(100us, 1'300us).entry_commands(4096) == 38); // a fast disk makes no entries of nothing
  CHECK(paced(5'000us, 1'300us).entry_commands(4096) == 384);
  CHECK(paced(500us, 200us).entry_commands(4096) == 250);
  CHECK(paced(500us, 100'000us).entry_commands(4096) == pace::least);
  CHECK(paced(0us, 0us).entry_commands(4096) == 4096);
}

TEST_CASE("partition: a checkpoint asks a few at a time, so that commands find their turn between them",
          "[cluster][partition]") {
  config settings;
  settings.collect_per_turn = 3;
  replica r{settings};
  std::vector<std::string> users;
  for (int i = 0; i < 20; ++i)
    users.push_back("user" + std::to_string(i));
  open_house(r, users);
  for (const auto& u : users)
    r.run(session_of(u), release_hold{numbered<admission_id>(1), numbered<hold_id>(9)}); // wakes it
  r.take_checkpoint();
  CHECK(r.shares_at_once == 3);
  CHECK(replica{settings, r.stored()}.core().applied() >= r.core().status().checkpoint_index);
}

TEST_CASE("partition: a session goes to sleep with its changes and comes back with them", "[cluster][partition]") {
  config settings;
  settings.entities.idle = 2s;
  replica r{settings};
  open_house(r, {"alice"});
  auto held = r.get<hold_reply>(session_of("alice"), hold_of(1, 1, {1}));
  auto state = r.state_of(session_of("alice"));
  r.pass(3s);
  CHECK_FALSE(r.is_active(session_of("alice")));
  CHECK(r.get<hold_reply>(session_of("alice"), hold_of(1, 1, {1})) == held); // the key is remembered
  CHECK(r.state_of(session_of("alice")) == state);
  r.pass(3s);
  r.take_checkpoint(); // asleep, it is part of it
  replica again{settings, r.stored()};
  CHECK(again.get<hold_reply>(session_of("alice"), hold_of(1, 1, {1})) == held);
}

TEST_CASE("partition: a new leader wakes one after the other to publish, and asks all who are awake at once",
          "[cluster][partition]") {
  replica before;
  open_house(before, {"alice"});
  before.take_checkpoint();
  replica r{{}, before.stored()}; // it leads, and everybody is asleep
  auto all = r.publishers;
  REQUIRE(all.size() > 2);
  CHECK(std::set<entity_ref>(all.begin(), all.end()).size() == all.size());
  CHECK(r.publishing_at_once == 1);
  for (const auto& of : all)
    CHECK(r.is_active(of));

  r.publishers.clear();
  r.handle(publish_everything{});
  CHECK(r.publishing_at_once == all.size());
  r.settle();
  CHECK(std::set<entity_ref>(r.publishers.begin(), r.publishers.end()) == std::set<entity_ref>(all.begin(), all.end()));
}

TEST_CASE("partition: who falls asleep as all shall publish is woken for it", "[cluster][partition]") {
  config settings;
  settings.entities.shared_idle = 2s;
  replica r{settings};
  open_house(r, {"alice"});
  r.take_checkpoint(); // only what a checkpoint has goes to sleep
  r.publishers.clear();
  r.let_pass(3s);
  REQUIRE(r.is_active(the_event)); // its last record is under way
  r.handle(publish_everything{});
  CHECK(r.publishers.empty());
  r.settle();
  CHECK(std::count(r.publishers.begin(), r.publishers.end(), the_event) == 1);
  CHECK(r.is_active(the_event));
}

TEST_CASE("partition: a full queue refuses early and keeps what it took", "[cluster][partition]") {
  config settings;
  settings.waiting_commands_max = 2;
  replica r{settings};
  open_house(r, {});
  std::vector<std::uint64_t> numbers;
  for (int i = 0; i < 6; ++i)
    numbers.push_back(r.propose(the_event, join{"user" + std::to_string(i)}));
  r.settle();
  CHECK(r.answers.size() - 1 == 3); // one was under way, two waited
  CHECK(r.refusals.size() == 3);
  for (auto number : numbers)
    CHECK(r.answers.contains(number) != r.refusals.contains(number));
  CHECK(r.refusals.at(numbers.back()) == errc::overloaded);
  CHECK(std::holds_alternative<ticket_reply>(r.run(the_event, join{"user6"})));
}

TEST_CASE("partition: a replica that was moved away gives up what it keeps", "[cluster][partition]") {
  replica r;
  open_house(r, {"alice"});
  r.take_checkpoint();
  auto stored = r.stored();
  auto members = std::make_shared<const raft::membership>(raft::membership{{node_id{2}, node_id{3}}, {}});
  auto last = stored.log.rbegin()->first;
  stored.log[last + 1] = {last + 1, stored.vote.term, raft::entry_kind::members, nullptr, members};
  replica former{{}, stored}; // it is no voter, and nobody talks to it
  REQUIRE(former.core().knows(the_number));
  REQUIRE_FALSE(former.core().leading());
  former.handle(vacate{{stored.vote.term, last + 1}});
  former.settle();
  CHECK_FALSE(former.core().knows(the_number));
  CHECK(former.core().applied() == 0);
  CHECK(former.core().status().consensus.members.voters.empty());
  CHECK(former.stored().log.empty());
  CHECK_FALSE(former.stored().commit);
  CHECK(former.stored().vote.rejoining);
  CHECK(former.stored().attempts > stored.attempts);
  former.pass(2s);
  CHECK_FALSE(former.core().leading());

  r.handle(vacate{{9, 99}}); // who leads is a member
  CHECK(r.core().knows(the_number));
}
