// Rules 1, 3 and 4 of the core: what must be on disk before a word about it leaves.
#include "raft_fixture.hpp"

#include <catch2/catch.hpp>

using namespace sluice;
using namespace sluice::raft;
using namespace sluice::raft::test;

TEST_CASE("raft rule 1: a vote leaves only after term and vote are durable", "[cluster][raft]") {
  replica r{2, fresh_start(voters({1, 2, 3}))};
  r.hear(1, vote_request{.term = 1});
  REQUIRE(r.out.writes.size() == 1);
  CHECK(r.out.writes.front().state == hard_state{1, node_id{1}});
  auto replies = sent_to<vote_reply>(r.out, 1);
  REQUIRE(replies.size() == 1);
  CHECK(replies.front().granted);
  CHECK(held_by<vote_reply>(r.out) == r.out.writes.front().id);

  SECTION("and so does everything said later in that term") {
    auto write = r.out.writes.front().id;
    r.hear(3, vote_request{.term = 1});
    REQUIRE(sent_to<vote_reply>(r.out, 3).size() == 1);
    CHECK_FALSE(sent_to<vote_reply>(r.out, 3).front().granted);
    CHECK(held_by<vote_reply>(r.out) == write);
  }
  SECTION("once it is durable nothing waits any more") {
    r.sync();
    r.hear(3, vote_request{.term = 1});
    CHECK(held_by<vote_reply>(r.out) == 0);
  }
}

TEST_CASE("raft rule 1: a candidate's requests wait for its own vote", "[cluster][raft]") {
  replica r{1, fresh_start(voters({1, 2, 3}))};
  r.time_out();
  r.hear(2, vote_reply{1, true, true});
  REQUIRE(r.out.writes.size() == 1);
  CHECK(r.out.writes.front().state == hard_state{1, node_id{1}});
  CHECK(sent<vote_request>(r.out).size() == 2);
  CHECK(held_by<vote_request>(r.out) == r.out.writes.front().id);
}

TEST_CASE("raft rule 1: a follower acknowledges what is durable, and cuts and appends in one write",
          "[cluster][raft]") {
  replica r{2, start_with(voters({1, 2, 3}), 2, commands(1, 5, 1))};
  r.hear(1, append(3, 3, 1, commands(4, 6, 3)));
  REQUIRE(r.out.writes.size() == 1);
  auto& w = r.out.writes.front();
  CHECK(w.state == hard_state{3, {}});
  CHECK(w.truncate_from == log_index{4});
  CHECK(w.append.size() == 3);
  auto replies = sent_to<append_reply>(r.out, 1);
  REQUIRE(replies.size() == 1);
  CHECK(replies.front().success);
  CHECK(replies.front().match == 6);
  CHECK(held_by<append_reply>(r.out) == w.id);

  SECTION("a heartbeat meanwhile is answered at once, with what is durable by now") {
    auto state_write = w.id;
    r.hear(1, append(3, 6, 3, {}));
    auto beats = sent_to<append_reply>(r.out, 1);
    REQUIRE(beats.size() == 1);
    CHECK(beats.front().success);
    CHECK(beats.front().match == 3);
    CHECK(held_by<append_reply>(r.out) == state_write); // its term still waits for the disk
    r.sync();
    r.hear(1, append(3, 6, 3, {}));
    CHECK(sent_to<append_reply>(r.out, 1).front().match == 6);
    CHECK(held_by<append_reply>(r.out) == 0);
  }
  SECTION("a repeat is acknowledged after the write that brought the entries") {
    auto first = w.id;
    r.hear(1, append(3, 6, 3, commands(7, 7, 3)));
    r.hear(1, append(3, 3, 1, commands(4, 6, 3)));
    CHECK(r.out.writes.empty());
    CHECK(held_by<append_reply>(r.out) == first);
  }
}

TEST_CASE("raft rule 1: the leader's own disk is one vote among others", "[cluster][raft]") {
  auto r = leader_of_three();
  auto at = r.status().commit_index;
  r.propose_text("x");
  CHECK(sent<append_request>(r.out).size() == 2); // while the disk is busy
  CHECK(held_by<append_request>(r.out) == 0);
  auto term = r.status().term;

  SECTION("one acknowledgement is no majority before the own disk is done") {
    r.hear(2, ack(term, at, at + 1));
    CHECK(r.status().commit_index == at);
    r.sync();
    CHECK(r.status().commit_index == at + 1);
  }
  SECTION("two of three decide without it, but it hands out nothing it could lose") {
    r.hear(2, ack(term, at, at + 1));
    r.hear(3, ack(term, at, at + 1));
    CHECK(r.status().commit_index == at + 1);
    CHECK(r.committed.back().index == at);
    r.sync();
    CHECK(r.committed.back().index == at + 1);
  }
}

TEST_CASE("raft rule 1: a write whose entries were cut off again proves nothing", "[cluster][raft]") {
  replica r{2, start_with(voters({1, 2, 3}), 1, {})};
  r.hear(1, append(1, 0, 0, commands(1, 3, 1)));
  auto first = r.last_write;
  r.hear(3, append(2, 1, 1, commands(2, 2, 2)));
  r.give(written{first});
  CHECK(r.status().durable_index == 1);
  r.sync();
  CHECK(r.status().durable_index == 2);
}

TEST_CASE("raft rule 3: the answer to a stale term carries the term and nothing to take for a match",
          "[cluster][raft]") {
  replica r{2, start_with(voters({1, 2, 3}), 7, commands(1, 9, 7))};
  r.hear(1, append(6, 4, 6, commands(5, 6, 6)));
  auto replies = sent_to<append_reply>(r.out, 1);
  REQUIRE(replies.size() == 1);
  CHECK(replies.front().term == 7);
  CHECK_FALSE(replies.front().success);
  CHECK(replies.front().match == 0);
  CHECK(replies.front().rejected_prev == 0);
  CHECK(replies.front().round == 0);
  CHECK(replies.front().standing == standing::unknown);
  CHECK(r.out.writes.empty());
}

TEST_CASE("raft rule 3: success reaches to the end of the request, never to a longer suffix", "[cluster][raft]") {
  replica r{2, start_with(voters({1, 2, 3}), 4, commands(1, 9, 4))};
  r.hear(1, append(5, 3, 4, commands(4, 5, 4)));
  REQUIRE(sent_to<append_reply>(r.out, 1).size() == 1);
  CHECK(sent_to<append_reply>(r.out, 1).front().match == 5);
  CHECK(r.status().last_index == 9); // nothing contradicts it yet
  r.hear(1, append(5, 5, 4, {}, 9));
  CHECK(sent_to<append_reply>(r.out, 1).front().match == 5);
  CHECK(r.status().commit_index == 5); // the leader's 9 is not verified here
}

TEST_CASE("raft rule 4: a candidate with entries still being written waits for them", "[cluster][raft]") {
  replica r{2, start_with(voters({1, 2, 3}), 1, {})};
  r.hear(1, append(1, 0, 0, commands(1, 2, 1)));
  r.wait(600ms);
  CHECK(sent<vote_request>(r.out).empty());
  r.sync();
  auto asked = sent<vote_request>(r.out);
  REQUIRE(asked.size() == 2);
  CHECK(asked.front().second.pre_vote);
  CHECK(asked.front().second.last_index == 2);
}

TEST_CASE("raft rule 4: a voter compares with what it is still writing, too", "[cluster][raft]") {
  replica r{2, start_with(voters({1, 2, 3}), 1, {})};
  r.hear(1, append(1, 0, 0, commands(1, 2, 1)));
  r.give(peer_down{node_id{1}});
  // These two entries will be acknowledged when the write is done: who lacks them must not win meanwhile.
  r.hear(3, vote_request{.term = 2, .last_index = 1, .last_term = 1});
  REQUIRE(sent_to<vote_reply>(r.out, 3).size() == 1);
  CHECK_FALSE(sent_to<vote_reply>(r.out, 3).front().granted);
}
