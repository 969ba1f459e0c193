// Rule 9 of the core: reads that see everything committed before they began.
#include "raft_fixture.hpp"

#include <catch2/catch.hpp>

using namespace sluice;
using namespace sluice::raft;
using namespace sluice::raft::test;

TEST_CASE("raft rule 9: a read is confirmed by a majority that answered after it arrived", "[cluster][raft]") {
  auto r = leader_of_three();
  auto term = r.status().term;
  r.give(raft::read{1});
  CHECK(r.out.reads.empty());
  auto asked = sent<append_request>(r.out);
  REQUIRE(asked.size() == 2);
  auto round = asked.front().second.round;
  CHECK(round > 0);

  SECTION("an answer to an older heartbeat proves nothing") {
    r.hear(2, ack(term, 1, 1, round - 1));
    CHECK(r.out.reads.empty());
  }
  SECTION("one of two others is a majority with ourselves") {
    r.hear(3, ack(term, 1, 1, round));
    REQUIRE(r.out.reads.size() == 1);
    CHECK(r.out.reads.front().id == 1);
    CHECK(r.out.reads.front().index == r.status().commit_index);
  }
  SECTION("a read that arrives during a round waits for the next one") {
    r.give(raft::read{2});
    CHECK(sent<append_request>(r.out).empty());
    r.hear(3, ack(term, 1, 1, round));
    REQUIRE(r.out.reads.size() == 1);
    CHECK(r.out.reads.front().id == 1);
    auto next = sent<append_request>(r.out);
    REQUIRE(next.size() == 2);
    r.hear(3, ack(term, 1, 1, next.front().second.round));
    REQUIRE(r.out.reads.size() == 1);
    CHECK(r.out.reads.front().id == 2);
  }
  SECTION("a lost leadership refuses those who wait") {
    r.hear(2, append_reply{.term = term + 1});
    REQUIRE(r.out.reads.size() == 1);
    CHECK(r.out.reads.front().index == 0);
  }
}

TEST_CASE("raft rule 9: no read before an entry of the own term is committed", "[cluster][raft]") {
  replica r{1, start_with(voters({1, 2, 3}), 1, commands(1, 5, 1))};
  r.time_out();
  r.hear(2, vote_reply{2, true, true});
  r.sync();
  r.hear(2, vote_reply{2, true, false});
  r.give(raft::read{1});
  r.sync();
  r.wait(50ms);
  r.hear(2, ack(2, 5, 5));
  CHECK(r.out.reads.empty()); // entries up to 5 may be committed; we can not know yet
  r.hear(2, ack(2, 5, 6));
  auto asked = sent_to<append_request>(r.out, 2);
  REQUIRE_FALSE(asked.empty());
  r.hear(2, ack(2, 6, 6, asked.back().round));
  REQUIRE(r.out.reads.size() == 1);
  CHECK(r.out.reads.front().index == 6);
}

TEST_CASE("raft rule 9: a follower asks its leader", "[cluster][raft]") {
  replica r{2, start_with(voters({1, 2, 3}), 2, commands(1, 5, 2))};
  SECTION("without a leader it refuses") {
    r.give(raft::read{1});
    REQUIRE(r.out.reads.size() == 1);
    CHECK(r.out.reads.front().index == 0);
  }
  r.hear(1, append(2, 5, 2, {}));
  r.give(raft::read{9});
  auto asked = sent_to<read_request>(r.out, 1);
  REQUIRE(asked.size() == 1);
  SECTION("and passes the answer on") {
    r.hear(1, read_reply{2, asked.front().id, 5, 5});
    REQUIRE(r.out.reads.size() == 1);
    CHECK(r.out.reads.front().id == 9);
    CHECK(r.out.reads.front().index == 5);
    r.hear(1, read_reply{2, asked.front().id, 4, 5}); // repeated
    CHECK(r.out.reads.empty());
  }
  SECTION("a lost answer is a refusal after a while") {
    r.wait(500ms);
    REQUIRE(r.out.reads.size() == 1);
    CHECK(r.out.reads.front().index == 0);
  }
  SECTION("another leader, another question") {
    r.hear(3, append(3, 5, 2, {}));
    REQUIRE(r.out.reads.size() == 1);
    CHECK(r.out.reads.front().index == 0);
    r.hear(1, read_reply{2, asked.front().id, 5, 5});
    CHECK(r.out.reads.empty());
  }
}

TEST_CASE("raft rule 9: the answer to a former life's question is not taken for this one's", "[cluster][raft]") {
  auto ask = [](std::uint64_t seed) {
    auto c = settings_for(2);
    c.seed = seed;
    replica r{c, start_with(voters({1, 2, 3}), 2, commands(1, 5, 2))};
    r.hear(1, append(2, 5, 2, {}));
    r.give(raft::read{1});
    return sent_to<read_request>(r.out, 1).front().id;
  };
  CHECK(ask(1) != ask(2));
}

TEST_CASE("raft rule 9: a leader answers followers as it answers itself", "[cluster][raft]") {
  auto r = leader_of_three(start_with(voters({1, 2, 3}), 5, {}));
  auto term = r.status().term;
  r.hear(2, read_request{term, 77});
  CHECK(sent<read_reply>(r.out).empty());
  auto round = sent<append_request>(r.out).front().second.round;
  r.hear(3, ack(term, 1, 1, round));
  auto replies = sent_to<read_reply>(r.out, 2);
  REQUIRE(replies.size() == 1);
  CHECK(replies.front().id == 77);
  CHECK(replies.front().index == 1);
  SECTION("but not those of another term") {
    r.hear(2, read_request{term - 1, 78});
    REQUIRE(sent_to<read_reply>(r.out, 2).size() == 1);
    CHECK(sent_to<read_reply>(r.out, 2).front().index == 0);
  }
}

TEST_CASE("raft rule 9: every read is answered, also when the one who asked takes over", "[cluster][raft]") {
  replica r{2, start_with(voters({1, 2, 3}), 2, commands(1, 5, 2))};
  r.hear(1, append(2, 5, 2, {}));
  r.give(raft::read{9});
  r.hear(1, timeout_now{2});
  r.sync();
  r.hear(3, vote_reply{3, true, false});
  REQUIRE(r.status().role == role::leader);
  REQUIRE(r.out.reads.size() == 1);
  CHECK(r.out.reads.front().index == 0);
}
