// One voter alone: the whole system on one machine. It waits for nobody but its disk.
#include "raft_fixture.hpp"

#include <catch2/catch.hpp>

using namespace sluice;
using namespace sluice::raft;
using namespace sluice::raft::test;

TEST_CASE("raft: a single voter leads from its first start", "[cluster][raft]") {
  replica r{1, fresh_start(voters({1}))};
  CHECK(r.status().role == role::leader);
  REQUIRE(r.out.writes.size() == 1);
  auto& w = r.out.writes.front();
  CHECK(w.state == hard_state{1, node_id{1}});
  REQUIRE(w.append.size() == 1);
  CHECK(w.append.front().kind == entry_kind::members); // the bootstrap membership, for those who join later
  CHECK(w.append.front().index == 1);
  CHECK(r.out.committed.empty());
  REQUIRE(r.out.roles.size() == 1);
  CHECK(r.out.roles.front().leader == node_id{1});

  SECTION("and commits when the disk has it") {
    r.sync();
    CHECK(r.status().commit_index == 1);
    CHECK(r.committed.size() == 1);
  }
  SECTION("it needs no timer and sends nothing") {
    CHECK_FALSE(r.out.timer);
    CHECK(r.out.sends.empty());
  }
}

TEST_CASE("raft: a single voter commits a proposal when it is durable, in order", "[cluster][raft]") {
  replica r{1, fresh_start(voters({1}))};
  r.sync();
  r.propose_text("a", 11);
  REQUIRE(r.out.proposals.size() == 1);
  CHECK(r.out.proposals.front().id == 11);
  CHECK(r.out.proposals.front().why == refusal::none);
  CHECK(r.out.proposals.front().index == 2);
  CHECK(r.out.proposals.front().term == 1);
  CHECK(r.out.committed.empty());
  auto first = r.last_write;
  r.propose_text("b", 12);
  auto second = r.last_write;
  REQUIRE(second > first);

  SECTION("one write at a time") {
    r.give(written{first});
    REQUIRE(r.out.committed.size() == 1);
    CHECK(*r.out.committed.front().payload == "a");
    r.give(written{second});
    REQUIRE(r.out.committed.size() == 1);
    CHECK(*r.out.committed.front().payload == "b");
  }
  SECTION("one fsync for several") {
    r.give(written{second});
    REQUIRE(r.out.committed.size() == 2);
    CHECK(*r.out.committed.back().payload == "b");
  }
}

TEST_CASE("raft: a single voter restarts into the next term with all of its log", "[cluster][raft]") {
  replica r{1, start_with(voters({1}), 4, commands(1, 1000, 4), node_id{1})};
  CHECK(r.status().role == role::leader);
  CHECK(r.status().term == 5);
  CHECK(r.status().last_index == 1001);
  CHECK(r.committed.empty()); // nothing of an older term is committed by counting
  r.sync();
  CHECK(r.status().commit_index == 1001);
  CHECK(r.committed.size() == 1001);
}

TEST_CASE("raft: a large log comes out in bounded pieces", "[cluster][raft]") {
  replica r{1, start_with(voters({1}), 1, commands(1, 10'000, 1), node_id{1})};
  r.sync();
  CHECK(r.out.committed.size() == config{}.committed_entries_max);
  for (int i = 0; i < 10 && r.out.timer == r.now; ++i)
    r.give(tick{});
  CHECK(r.committed.size() == 10'001);
  CHECK(r.committed.back().index == 10'001);
}

TEST_CASE("raft: a single voter answers reads at once, from the first commit on", "[cluster][raft]") {
  replica r{1, fresh_start(voters({1}))};
  r.give(raft::read{5});
  CHECK(r.out.reads.empty());
  r.sync();
  REQUIRE(r.out.reads.size() == 1);
  CHECK(r.out.reads.front().id == 5);
  CHECK(r.out.reads.front().index == 1);
}

TEST_CASE("raft: a proposal beyond the bounds is refused early", "[cluster][raft]") {
  auto c = settings_for(1);
  c.uncommitted_entries_max = 3;
  c.uncommitted_bytes_max = 1000;
  replica r{c, fresh_start(voters({1}))};
  r.sync();
  SECTION("by number") {
    for (int i = 0; i < 3; ++i)
      CHECK(r.propose_text("a").proposals.front().why == refusal::none);
    CHECK(r.propose_text("a").proposals.front().why == refusal::overloaded);
    r.sync();
    CHECK(r.propose_text("a").proposals.front().why == refusal::none);
  }
  SECTION("by bytes") {
    CHECK(r.propose_text(std::string(600, 'a')).proposals.front().why == refusal::none);
    CHECK(r.propose_text(std::string(600, 'a')).proposals.front().why == refusal::overloaded);
  }
  SECTION("but a large one goes alone") {
    CHECK(r.propose_text(std::string(5000, 'a')).proposals.front().why == refusal::none);
  }
}
