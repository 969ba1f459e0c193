// Rules 4 and 5 of the core: who may win, and who may not disturb.
#include "raft_fixture.hpp"

#include <catch2/catch.hpp>

using namespace sluice;
using namespace sluice::raft;
using namespace sluice::raft::test;

namespace {

bool grants(replica& r, std::uint32_t to, vote_request m) {
  r.hear(to, m);
  auto replies = sent_to<vote_reply>(r.out, to);
  return !replies.empty() && replies.back().granted;
}

/// A follower of node 1 in term 2 that just heard from it.
replica loyal_follower() {
  replica r{2, start_with(voters({1, 2, 3}), 1, commands(1, 3, 1))};
  r.hear(1, append(2, 3, 1, {}));
  r.sync();
  return r;
}

} // namespace

TEST_CASE("raft: one vote in a term, kept over a restart", "[cluster][raft]") {
  replica r{2, fresh_start(voters({1, 2, 3}))};
  CHECK(grants(r, 1, {.term = 4}));
  CHECK(grants(r, 1, {.term = 4})); // the same candidate may ask again
  CHECK_FALSE(grants(r, 3, {.term = 4}));
  replica again{2, start_with(voters({1, 2, 3}), 4, {}, node_id{1})};
  CHECK_FALSE(grants(again, 3, {.term = 4}));
  CHECK(grants(again, 3, {.term = 5}));
}

TEST_CASE("raft: only a log as complete as ours gets our vote", "[cluster][raft]") {
  auto log = commands(1, 3, 1);
  log.push_back(command(4, 2));
  auto mine = [&] { return replica{2, start_with(voters({1, 2, 3}), 2, log)}; };
  auto r = mine();
  CHECK_FALSE(grants(r, 1, {.term = 3, .last_index = 9, .last_term = 1}));
  CHECK_FALSE(grants(r, 1, {.term = 3, .last_index = 3, .last_term = 2}));
  CHECK(grants(r, 1, {.term = 3, .last_index = 4, .last_term = 2}));
  auto other = mine();
  CHECK(grants(other, 1, {.term = 3, .last_index = 1, .last_term = 3}));
}

TEST_CASE("raft rule 4: a pre-vote changes nothing, a denial teaches the term", "[cluster][raft]") {
  replica r{2, start_with(voters({1, 2, 3}), 9, {})};
  SECTION("granted") {
    CHECK(grants(r, 1, {.term = 10, .pre_vote = true}));
    CHECK(grants(r, 3, {.term = 10, .pre_vote = true}));
    CHECK(r.out.writes.empty());
    CHECK(r.status().term == 9);
  }
  SECTION("denied: the candidate, who may have the best log of all, learns where to begin") {
    r.hear(1, vote_request{.term = 5, .last_index = 7, .last_term = 4, .pre_vote = true});
    REQUIRE(sent_to<vote_reply>(r.out, 1).size() == 1);
    CHECK_FALSE(sent_to<vote_reply>(r.out, 1).front().granted);
    CHECK(sent_to<vote_reply>(r.out, 1).front().term == 9);

    replica candidate{1, start_with(voters({1, 2, 3}), 4, commands(1, 7, 4))};
    candidate.time_out();
    candidate.hear(2, vote_reply{9, false, true});
    CHECK(candidate.status().term == 9);
    candidate.sync();
    candidate.wait(600ms);
    REQUIRE_FALSE(sent<vote_request>(candidate.out).empty());
    CHECK(sent<vote_request>(candidate.out).front().second.term == 10);
  }
}

TEST_CASE("raft: the long way to leadership", "[cluster][raft]") {
  replica r{1, fresh_start(voters({1, 2, 3}))};
  r.time_out();
  CHECK(r.status().role == role::pre_candidate);
  CHECK(r.status().term == 0); // nobody was disturbed yet
  r.hear(3, vote_reply{1, true, true});
  CHECK(r.status().role == role::candidate);
  CHECK(r.status().term == 1);
  r.sync();
  r.hear(3, vote_reply{1, true, false});
  CHECK(r.status().role == role::leader);
  REQUIRE(r.out.writes.size() == 1);
  CHECK(r.out.writes.front().append.size() == 1);
  CHECK(sent<append_request>(r.out).size() == 2);
}

TEST_CASE("raft: a lost vote request is repeated before the timeout", "[cluster][raft]") {
  replica r{1, fresh_start(voters({1, 2, 3}))};
  r.time_out();
  r.hear(2, vote_reply{1, true, true});
  r.sync();
  r.wait(100ms);
  CHECK(sent<vote_request>(r.out).size() == 2);
  CHECK(r.status().term == 1);
}

TEST_CASE("raft rule 5: who hears a leader lets nobody disturb it", "[cluster][raft]") {
  auto r = loyal_follower();
  vote_request campaign{.term = 3, .last_index = 9, .last_term = 2};
  auto pre = campaign;
  pre.pre_vote = true;

  SECTION("neither a pre-vote nor a vote, and the term stays") {
    CHECK_FALSE(grants(r, 3, pre));
    CHECK_FALSE(grants(r, 3, campaign));
    CHECK(r.status().term == 2);
    CHECK(r.status().leader == node_id{1});
  }
  SECTION("until it has been silent for the minimum timeout") {
    r.now += 301ms;
    CHECK(grants(r, 3, pre));
  }
  SECTION("or its process is said to be dead") {
    r.give(peer_down{node_id{1}});
    CHECK(grants(r, 3, pre));
  }
  SECTION("the death of another node is no reason") {
    r.give(peer_down{node_id{3}});
    CHECK_FALSE(grants(r, 3, pre));
  }
  SECTION("or the leader itself asked for the election") {
    campaign.transfer = true;
    CHECK(grants(r, 3, campaign));
  }
}

TEST_CASE("raft rule 5: a down hint shortens the wait to some ten milliseconds", "[cluster][raft]") {
  auto r = loyal_follower();
  r.give(peer_down{node_id{1}});
  REQUIRE(r.out.timer);
  CHECK(*r.out.timer - r.now >= 10ms);
  CHECK(*r.out.timer - r.now <= 50ms);
  r.now = *r.out.timer;
  r.give(tick{});
  REQUIRE(sent<vote_request>(r.out).size() == 2);
  CHECK(sent<vote_request>(r.out).front().second.pre_vote);
}

TEST_CASE("raft rule 5: a leader nobody answers steps down within an election timeout", "[cluster][raft]") {
  auto r = leader_of_three();
  auto term = r.status().term;
  auto silent_since = r.now;
  while (r.status().role == role::leader && r.now < silent_since + 2s)
    r.wait(50ms);
  CHECK(r.status().role == role::follower);
  CHECK(r.status().term == term);
  CHECK(r.now - silent_since <= 600ms);

  SECTION("one answering follower of two is enough to stay") {
    auto busy = leader_of_three();
    for (int i = 0; i < 40; ++i) {
      busy.wait(50ms);
      busy.hear(2, ack(busy.status().term, 0, 0));
    }
    CHECK(busy.status().role == role::leader);
  }
}

TEST_CASE("raft rule 4: a removed or not yet added node is not asked for its opinion of the members",
          "[cluster][raft]") {
  SECTION("it votes for a candidate it does not know") {
    replica r{2, start_with(voters({1, 2, 3}), 1, commands(1, 1, 1))};
    CHECK(grants(r, 9, {.term = 2, .last_index = 1, .last_term = 1}));
  }
  SECTION("it votes though its own log says it is a learner: the candidate's may say more") {
    replica r{4, start_with(voters({1, 2, 3}, {4}), 1, commands(1, 1, 1))};
    CHECK(grants(r, 1, {.term = 2, .last_index = 2, .last_term = 1}));
  }
  SECTION("it campaigns while its removal is not known to be committed") {
    auto log = commands(1, 1, 1);
    log.push_back(change(2, 1, voters({1, 2})));
    replica r{3, start_with(voters({1, 2, 3}), 1, log)};
    r.time_out();
    CHECK(r.status().role == role::pre_candidate);
    CHECK(sent<vote_request>(r.out).size() == 2);
    // Its own vote does not count where it is no voter: one of two is no majority.
    r.hear(1, vote_reply{2, true, true});
    CHECK(r.status().role == role::pre_candidate);
    r.hear(2, vote_reply{2, true, true});
    CHECK(r.status().role == role::candidate);
  }
  SECTION("a learner does not") {
    replica r{4, start_with(voters({1, 2, 3}, {4}), 1, commands(1, 1, 1))};
    r.time_out();
    CHECK(r.status().role == role::follower);
  }
  SECTION("nor does a node that knows of no cluster; and it has nothing to vote about") {
    replica r{4, fresh_start({})};
    r.time_out();
    CHECK(r.status().role == role::follower);
    CHECK_FALSE(grants(r, 1, {.term = 2, .last_index = 1, .last_term = 1}));
  }
}

TEST_CASE("raft: a higher term anywhere makes a follower", "[cluster][raft]") {
  auto r = leader_of_three();
  auto term = r.status().term;
  r.hear(2, append_reply{.term = term + 3});
  CHECK(r.status().role == role::follower);
  CHECK(r.status().term == term + 3);
  REQUIRE(r.out.writes.size() == 1);
  CHECK(r.out.writes.front().state == hard_state{term + 3, {}});
}
