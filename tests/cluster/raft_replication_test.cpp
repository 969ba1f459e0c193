// Rules 2 and 6 of the core: what is committed, and how the leader brings the others there.
#include "raft_fixture.hpp"

#include <catch2/catch.hpp>

using namespace sluice;
using namespace sluice::raft;
using namespace sluice::raft::test;

namespace {

append_reply rejection(log_term term, log_index prev, log_index first, log_term conflict = 0) {
  return {.term = term,
          .rejected_prev = prev,
          .conflict_term = conflict,
          .conflict_first = first,
          .standing = standing::full};
}

/// Node 1 leads in a new term with this log; its no-op comes after it.
replica leader_with(std::vector<entry> log, log_term term, config c = settings_for(1)) {
  replica r{c, start_with(voters({1, 2, 3}), term, std::move(log))};
  r.time_out();
  r.hear(2, vote_reply{term + 1, true, true});
  r.sync();
  r.hear(2, vote_reply{term + 1, true, false});
  return r;
}

} // namespace

TEST_CASE("raft rule 2: figure 8, an old entry on a majority is not committed by counting", "[cluster][raft]") {
  // S1 wrote index 2 in term 2, lost the leadership, and is leader again in term 4.
  auto r = leader_with({command(1, 1), command(2, 2)}, 3);
  REQUIRE(r.status().term == 4);
  r.sync();
  r.hear(2, ack(4, 1, 2));
  CHECK(r.status().commit_index == 0); // S5 could still overwrite it with its entry of term 3
  r.hear(2, ack(4, 2, 3));
  CHECK(r.status().commit_index == 3); // the no-op of term 4 takes everything before it along
  CHECK(r.committed.size() == 3);
}

TEST_CASE("raft rule 2: the commit index never falls", "[cluster][raft]") {
  replica r{2, start_with(voters({1, 2, 3}), 1, commands(1, 5, 1))};
  r.hear(1, append(1, 5, 1, {}, 5));
  CHECK(r.status().commit_index == 5);
  CHECK(r.committed.size() == 5);
  r.hear(1, append(1, 3, 1, commands(4, 4, 1), 2)); // late
  CHECK(r.status().commit_index == 5);
  CHECK(r.committed.size() == 5);
}

TEST_CASE("raft rule 6: the leader finds where the logs meet in one step per term", "[cluster][raft]") {
  // The leader: 1 1 1 4 4 5 5 6 6 6; a follower that was away wrote 1 1 1 2 2 2 3 3.
  std::vector<entry> log = commands(1, 3, 1);
  for (auto [index, term] : {std::pair<log_index, log_term>{4, 4}, {5, 4}, {6, 5}, {7, 5}, {8, 6}, {9, 6}, {10, 6}})
    log.push_back(command(index, term));
  auto r = leader_with(log, 6);
  r.sync();
  auto sent_prev = [&] { return sent_to<append_request>(r.out, 3).back().prev_index; };
  r.hear(3, rejection(7, 10, 9)); // too short: its log ends with 8
  CHECK(sent_prev() == 8);
  r.hear(3, rejection(7, 8, 7, 3)); // term 3 from 7 on: we have none of it
  CHECK(sent_prev() == 6);
  r.hear(3, rejection(7, 6, 4, 2));
  CHECK(sent_prev() == 3);
  r.hear(3, ack(7, 3, 3));
  auto bulk = sent_to<append_request>(r.out, 3);
  REQUIRE(bulk.size() == 1);
  CHECK(bulk.front().entries.size() == 8);
}

TEST_CASE("raft rule 6: a follower names the whole conflicting term", "[cluster][raft]") {
  std::vector<entry> log = commands(1, 3, 1);
  for (log_index i = 4; i <= 8; ++i)
    log.push_back(command(i, 2));
  replica r{3, start_with(voters({1, 2, 3}), 2, log)};
  r.hear(1, append(4, 7, 3, {}));
  auto replies = sent_to<append_reply>(r.out, 1);
  REQUIRE(replies.size() == 1);
  CHECK_FALSE(replies.front().success);
  CHECK(replies.front().rejected_prev == 7);
  CHECK(replies.front().conflict_term == 2);
  CHECK(replies.front().conflict_first == 4);
}

TEST_CASE("raft rule 6: a late rejection at or below the match is ignored", "[cluster][raft]") {
  auto r = leader_of_three();
  auto term = r.status().term;
  for (int i = 0; i < 5; ++i)
    r.propose_text("x");
  r.sync();
  auto last = r.status().last_index;
  r.hear(2, ack(term, 1, last));
  r.hear(2, rejection(term, last - 2, 1));
  r.propose_text("y");
  // Still a pipeline: the new entry goes out alone, behind the ones before it.
  auto next = sent_to<append_request>(r.out, 2);
  REQUIRE(next.size() == 1);
  CHECK(next.front().prev_index == last);
}

TEST_CASE("raft rule 6: a lost request shows with the next heartbeat", "[cluster][raft]") {
  auto r = leader_of_three();
  auto term = r.status().term;
  r.propose_text("lost on the way to 3");
  r.sync();
  r.wait(50ms);
  auto beat = sent_to<append_request>(r.out, 3);
  REQUIRE(beat.size() == 1);
  CHECK(beat.front().prev_index == 2);
  r.hear(3, rejection(term, 2, 2));
  r.hear(3, ack(term, 1, 1));
  auto again = sent_to<append_request>(r.out, 3);
  REQUIRE(again.size() == 1);
  CHECK(again.front().entries.size() == 1);
}

TEST_CASE("raft rule 6: requests are bounded by bytes, a follower's by a window", "[cluster][raft]") {
  auto c = settings_for(1);
  c.append_bytes_max = 1000;
  c.in_flight_requests_max = 3;
  auto r = leader_of_three(fresh_start(voters({1, 2, 3})), c);
  auto term = r.status().term;
  auto big = std::string(400, 'x');
  SECTION("three requests in flight, the rest waits and then goes in full batches") {
    for (int i = 0; i < 10; ++i)
      r.propose_text(big);
    r.sync();
    r.hear(2, ack(term, 1, 4));
    auto next = sent_to<append_request>(r.out, 2);
    REQUIRE(next.size() == 3);
    CHECK(next[0].entries.size() == 2);
    CHECK(next[1].entries.size() == 2);
    CHECK(next[2].entries.size() == 2);
  }
  SECTION("a larger entry goes alone") {
    r.propose_text(std::string(5000, 'x'));
    auto alone = sent_to<append_request>(r.out, 2);
    REQUIRE(alone.size() == 1);
    CHECK(alone.front().entries.size() == 1);
  }
}

TEST_CASE("raft rule 6: entries no longer in memory are read back", "[cluster][raft]") {
  auto c = settings_for(1);
  c.cached_bytes_max = 1;
  auto r = leader_of_three(fresh_start(voters({1, 2, 3})), c);
  auto term = r.status().term;
  std::vector<entry> stored;
  for (log_index i = 2; i <= 20; ++i) {
    r.propose_text(std::to_string(i));
    stored.push_back(r.out.writes.front().append.front());
    r.sync();
    r.hear(2, ack(term, i - 1, i));
  }
  r.wait(50ms);
  r.hear(3, rejection(term, 9, 5)); // its log ends with 4, the window of eight requests with 9
  CHECK(r.out.loads.empty());       // first it is asked whether that place matches
  r.hear(3, ack(term, 4, 4));
  REQUIRE(r.out.loads.size() == 1);
  auto wanted = r.out.loads.front();
  CHECK(wanted.first == 5);
  CHECK(wanted.last == 20); // nothing is left in memory

  SECTION("and sent") {
    loaded found{wanted.id, {stored.begin() + 3, stored.begin() + 8}};
    r.give(found);
    auto sent_on = sent_to<append_request>(r.out, 3);
    REQUIRE(sent_on.size() == 1);
    CHECK(sent_on.front().prev_index == 4);
    CHECK(sent_on.front().entries.size() == 5);
    CHECK(r.out.loads.size() == 1); // on with the next
  }
  SECTION("a wrong entry is not passed on") {
    auto wrong = stored[3];
    wrong.term += 1;
    r.give(loaded{wanted.id, {wrong}});
    CHECK(sent_to<append_request>(r.out, 3).empty());
    CHECK(r.status().dropped_messages == 1);
  }
  SECTION("a host that finds nothing is not asked at once again") {
    r.give(loaded{wanted.id, {}});
    CHECK(r.out.loads.empty());
    r.wait(50ms);
    CHECK(r.out.loads.size() == 1);
  }
}

TEST_CASE("raft rule 6: what lies below the compaction point is trimmed off a message", "[cluster][raft]") {
  start s = start_with(voters({1, 2, 3}), 3, commands(101, 105, 3));
  s.snapshot = checkpoint(100, 2, voters({1, 2, 3}));
  replica r{2, std::move(s)};
  SECTION("entirely below: acknowledged, nothing changes") {
    r.hear(1, append(3, 50, 2, commands(51, 60, 2)));
    CHECK(r.out.writes.empty());
    auto replies = sent_to<append_reply>(r.out, 1);
    REQUIRE(replies.size() == 1);
    CHECK(replies.front().success);
    CHECK(replies.front().match == 60);
  }
  SECTION("across it: the rest is taken, the suffix stays") {
    auto entries = commands(91, 100, 2);
    for (auto& e : commands(101, 102, 3))
      entries.push_back(e);
    r.hear(1, append(3, 90, 2, entries));
    CHECK(r.out.writes.empty());
    CHECK(sent_to<append_reply>(r.out, 1).front().match == 102);
    CHECK(r.status().last_index == 105);
  }
}

TEST_CASE("raft: a late request does not cut what came after it", "[cluster][raft]") {
  replica r{2, start_with(voters({1, 2, 3}), 1, commands(1, 9, 1))};
  r.hear(1, append(1, 2, 1, commands(3, 5, 1)));
  CHECK(r.out.writes.empty());
  CHECK(r.status().last_index == 9);
}

TEST_CASE("raft rule 6: a node that is away is not sent the same entries over and over", "[cluster][raft]") {
  auto r = leader_with({command(1, 1)}, 1);
  r.sync();
  r.hear(2, ack(2, 1, 2));
  r.propose_text("x");
  for (int i = 0; i < 5; ++i) {
    r.wait(50ms);
    r.hear(2, ack(2, 2, 3));
    auto probes = sent_to<append_request>(r.out, 3);
    CHECK(std::all_of(probes.begin(), probes.end(), [](auto& m) { return m.entries.empty(); }));
  }
}

TEST_CASE("raft: an idle follower learns of a commit at once", "[cluster][raft]") {
  auto r = leader_of_three();
  auto term = r.status().term;
  r.propose_text("x");
  r.sync();
  r.hear(2, ack(term, 1, 2));
  REQUIRE(r.status().commit_index == 2);
  auto told = sent_to<append_request>(r.out, 2);
  REQUIRE(told.size() == 1);
  CHECK(told.front().entries.empty());
  CHECK(told.front().commit == 2);
  CHECK(sent_to<append_request>(r.out, 3).empty()); // its request is still under way and will be answered
}

TEST_CASE("raft: what the old process of a follower had on its disk may be gone with it", "[cluster][raft]") {
  auto r = leader_of_three();
  auto term = r.status().term;
  r.propose_text("x");
  r.sync();
  r.hear(2, ack(term, 1, 2));
  REQUIRE(r.status().peers.front().match == 2);
  r.hear(2, vote_request{.term = term, .pre_vote = true}, 2); // the first word of its new process
  CHECK(r.status().peers.front().match == 0);
  CHECK(r.status().commit_index == 2);
  r.hear(2, ack(term, 1, 2), 1); // a late one of the old process
  CHECK(r.status().peers.front().match == 0);
  r.wait(50ms);
  r.hear(2, rejection(term, 2, 1), 2);
  auto from_the_start = sent_to<append_request>(r.out, 2);
  REQUIRE(from_the_start.size() == 1);
  CHECK(from_the_start.front().prev_index == 0);
}

TEST_CASE("raft: leaders of one host beat at the same moments, whenever each was elected", "[cluster][raft]") {
  auto beats_of = [](std::chrono::microseconds late) {
    auto r = leader_of_three(fresh_start(voters({1, 2, 3})), settings_for(1), late);
    std::vector<host_time> beats;
    for (auto end = host_time{6s}; r.now < end;) {
      r.now = std::max(r.now + 1us, r.timer);
      r.give(tick{});
      auto to_2 = sent_to<append_request>(r.out, 2);
      auto to_3 = sent_to<append_request>(r.out, 3);
      if (!to_2.empty() && r.now > host_time{4s})
        beats.push_back(r.now);
      for (auto& m : to_2)
        r.hear(2, ack(r.status().term, m.prev_index, m.prev_index, m.round));
      for (auto& m : to_3)
        r.hear(3, ack(r.status().term, m.prev_index, m.prev_index, m.round));
    }
    return beats;
  };
  auto beats = beats_of(0us);
  CHECK(beats.size() > 5);
  CHECK(beats_of(7'001us) == beats);
  CHECK(beats_of(33'333us) == beats);
}
