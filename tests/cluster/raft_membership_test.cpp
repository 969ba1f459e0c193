// Rules 7 and 10 of the core: who takes part, and how leadership is handed over.
#include "raft_fixture.hpp"

#include <catch2/catch.hpp>

using namespace sluice;
using namespace sluice::raft;
using namespace sluice::raft::test;

namespace {

/// The memberships this call wrote, in order.
std::vector<membership> changes(const outputs& out) {
  std::vector<membership> found;
  for (auto& w : out.writes)
    for (auto& e : w.append)
      if (e.members)
        found.push_back(*e.members);
  return found;
}

/// The disk and these nodes catch up with the leader.
void settle(replica& r, std::initializer_list<std::uint32_t> nodes, std::uint64_t round = 0) {
  r.sync();
  auto last = r.status().last_index;
  for (auto n : nodes)
    r.hear(n, ack(r.status().term, last, last, round));
}

reconfigure towards(membership target) {
  return {1, std::move(target)};
}

} // namespace

TEST_CASE("raft rule 7: a dead voter is replaced: learner, caught up, voter, and the dead one goes",
          "[cluster][raft]") {
  auto r = leader_of_three();
  r.give(towards(voters({1, 2, 4})));
  CHECK(r.out.proposals.front().why == refusal::none);
  REQUIRE(changes(r.out).size() == 1);
  CHECK(changes(r.out).front() == voters({1, 2, 3}, {4}));
  CHECK(r.status().members == voters({1, 2, 3}, {4})); // in force before it is committed

  // Node 3 is silent from here on.
  settle(r, {2});
  CHECK(changes(r.out).empty());
  for (int i = 0; i < 12; ++i) { // longer than an election timeout: 3 counts as dead
    r.wait(50ms);
    r.hear(2, ack(r.status().term, r.status().last_index, r.status().last_index));
  }
  CHECK(r.status().members == voters({1, 2, 3}, {4})); // 4 has not said a word
  auto last = r.status().last_index;
  r.hear(
      4,
      append_reply{
          .term = r.status().term, .rejected_prev = last, .conflict_first = 1, .round = 1, .standing = standing::full});
  r.hear(4, ack(r.status().term, 0, last, 1));
  r.wait(50ms);
  REQUIRE(changes(r.out).size() == 1);
  CHECK(changes(r.out).front() == voters({1, 2, 3, 4}));
  settle(r, {2, 4}, 1);
  CHECK(r.status().members == voters({1, 2, 4}));
  settle(r, {2, 4}, 1);
  CHECK(r.status().commit_index == r.status().last_index);
}

TEST_CASE("raft rule 7: no change before an entry of the own term is committed", "[cluster][raft]") {
  replica r{1, start_with(voters({1, 2, 3}), 1, {change(1, 1, voters({1, 2, 3}))})};
  r.time_out();
  r.hear(2, vote_reply{2, true, true});
  r.sync();
  r.hear(2, vote_reply{2, true, false});
  REQUIRE(r.status().role == role::leader);
  r.give(towards(voters({1, 2, 3}, {4})));
  CHECK(changes(r.out).empty());
  settle(r, {2});
  CHECK(r.status().members == voters({1, 2, 3}, {4}));
}

TEST_CASE("raft rule 7: one change at a time, the next when the last is committed", "[cluster][raft]") {
  auto r = leader_of_three();
  r.give(towards(voters({1, 2, 3}, {4, 5})));
  CHECK(r.status().members == voters({1, 2, 3}, {4}));
  r.sync();
  r.wait(50ms);
  CHECK(r.status().members == voters({1, 2, 3}, {4}));
  auto last = r.status().last_index;
  r.hear(2, ack(r.status().term, last, last));
  CHECK(r.status().members == voters({1, 2, 3}, {4, 5}));
}

TEST_CASE("raft rule 7: the configuration in force is the last in the log, after a truncation too", "[cluster][raft]") {
  replica r{2, start_with(voters({1, 2, 3}), 1, {change(1, 1, voters({1, 2, 3}))})};
  r.hear(1, append(1, 1, 1, {command(2, 1), change(3, 1, voters({1, 2, 3}, {4})), command(4, 1)}));
  CHECK(r.status().members == voters({1, 2, 3}, {4}));
  SECTION("cut off with its entry") {
    r.hear(3, append(2, 2, 1, {command(3, 2)}));
    CHECK(r.status().members == voters({1, 2, 3}));
  }
  SECTION("kept when only what came after it goes") {
    r.hear(3, append(2, 3, 1, {command(4, 2)}));
    CHECK(r.status().members == voters({1, 2, 3}, {4}));
  }
  SECTION("found again by a restart") {
    replica again{2, start_with(voters({1, 2, 3}), 1, {command(1, 1), change(2, 1, voters({2, 5})), command(3, 1)})};
    CHECK(again.status().members == voters({2, 5}));
  }
}

TEST_CASE("raft rule 7: a learner counts in no majority", "[cluster][raft]") {
  auto r = leader_of_three(fresh_start(voters({1, 2, 3}, {4, 5})));
  r.propose_text("x");
  r.sync();
  auto last = r.status().last_index;
  r.hear(4, ack(r.status().term, last - 1, last));
  r.hear(5, ack(r.status().term, last - 1, last));
  CHECK(r.status().commit_index == last - 1);
  r.hear(3, ack(r.status().term, last - 1, last));
  CHECK(r.status().commit_index == last);
}

TEST_CASE("raft rule 7: an empty learner is not promoted, however short the log", "[cluster][raft]") {
  auto r = leader_of_three(fresh_start(voters({1, 2, 3}, {4})));
  r.give(towards(voters({1, 2, 3, 4})));
  r.hear(4, append_reply{.term = r.status().term, .success = true, .accepted_prev = 0, .standing = standing::full});
  r.wait(50ms);
  CHECK(r.status().members == voters({1, 2, 3}, {4}));
}

TEST_CASE("raft rule 7: no change to a majority that does not answer", "[cluster][raft]") {
  auto r = leader_of_three();
  for (int i = 0; i < 12; ++i) { // 3 is silent
    r.wait(50ms);
    r.hear(2, ack(r.status().term, r.status().last_index, r.status().last_index));
  }
  r.give(towards(voters({1, 3})));
  r.wait(50ms);
  CHECK(r.status().members == voters({1, 2, 3})); // {1 3} could not even commit its own entry
}

TEST_CASE("raft rule 7: no change to a majority that is far behind", "[cluster][raft]") {
  auto settings = settings_for(1);
  settings.promote_lag_max = 10;
  auto r = leader_of_three(fresh_start(voters({1, 2, 3})), settings);
  auto behind = r.status().last_index;
  for (int i = 0; i < 20; ++i)
    r.propose_text("x");
  settle(r, {3});
  REQUIRE(r.status().commit_index == behind + 20);
  r.give(towards(voters({1, 2})));
  r.wait(50ms);
  r.hear(2, ack(r.status().term, behind, behind + 9));
  r.wait(50ms);
  CHECK(r.status().members == voters({1, 2, 3})); // what 3 acknowledges would wait for 2
  r.hear(2, ack(r.status().term, behind + 9, behind + 10));
  r.wait(50ms);
  CHECK(r.status().members == voters({1, 2}));
}

TEST_CASE("raft rule 7: a leader never removes itself, it hands over first", "[cluster][raft]") {
  auto r = leader_of_three();
  r.give(towards(voters({2, 3})));
  CHECK(r.status().members == voters({1, 2, 3}));
  REQUIRE(sent<timeout_now>(r.out).size() == 1);
  CHECK(r.propose_text("x").proposals.front().why == refusal::transferring);
}

TEST_CASE("raft rule 7: the very first entry tells later members who founded the cluster", "[cluster][raft]") {
  replica r{1, fresh_start(voters({1}))};
  REQUIRE(changes(r.out).size() == 1);
  CHECK(changes(r.out).front() == voters({1}));
  CHECK(r.under_test().members_at(1) == voters({1}));
}

TEST_CASE("raft rule 7: a new target replaces the old one", "[cluster][raft]") {
  auto r = leader_of_three();
  r.give(towards(voters({1, 2, 3, 4}))); // 4 never answers
  CHECK(r.status().members == voters({1, 2, 3}, {4}));
  settle(r, {2, 3});
  r.give(towards(voters({1, 2, 3})));
  CHECK(r.status().members == voters({1, 2, 3}));
  CHECK(r.give(towards({})).proposals.front().why == refusal::invalid);
  CHECK(r.give(towards(voters({1, 2}, {2}))).proposals.front().why == refusal::invalid);
}

TEST_CASE("raft rule 10: a transfer waits for the successor, then asks it", "[cluster][raft]") {
  auto r = leader_of_three();
  auto term = r.status().term;
  r.propose_text("x");
  r.sync();
  r.give(transfer{7, node_id{3}});
  CHECK(r.out.proposals.front().why == refusal::none);
  CHECK(sent<timeout_now>(r.out).empty());
  CHECK(r.propose_text("y").proposals.front().why == refusal::transferring);
  r.hear(3, ack(term, 1, 2));
  REQUIRE(sent_to<timeout_now>(r.out, 3).size() == 1);

  SECTION("which stands for election at once, above all loyalty") {
    replica next{3, start_with(voters({1, 2, 3}), term, {change(1, term, voters({1, 2, 3}))})};
    next.hear(1, append(term, 1, term, {}));
    next.hear(1, timeout_now{term});
    CHECK(next.status().role == role::candidate);
    REQUIRE(sent<vote_request>(next.out).size() == 2);
    CHECK(sent<vote_request>(next.out).front().second.transfer);
    CHECK_FALSE(sent<vote_request>(next.out).front().second.pre_vote);
    r.hear(3, vote_request{.term = term + 1, .last_index = 2, .last_term = term, .transfer = true});
    CHECK(r.status().role == role::follower);
    REQUIRE(sent_to<vote_reply>(r.out, 3).size() == 1);
    CHECK(sent_to<vote_reply>(r.out, 3).front().granted);
  }
  SECTION("and is given up after an election timeout") {
    for (int i = 0; i < 11; ++i) {
      r.wait(50ms);
      r.hear(2, ack(term, 2, 2));
    }
    CHECK(r.status().role == role::leader);
    CHECK(r.propose_text("y").proposals.front().why == refusal::none);
  }
  SECTION("one at a time") {
    CHECK(r.give(transfer{8, node_id{2}}).proposals.front().why == refusal::transferring);
  }
}

TEST_CASE("raft rule 10: a leader whose disk hangs hands over to one whose disk works", "[cluster][raft]") {
  auto r = leader_of_three();
  auto term = r.status().term;
  r.propose_text("x"); // its write never ends
  for (int i = 0; i < 19; ++i) {
    r.wait(50ms);
    r.hear(2, ack(term, 1, 2));
    CHECK(sent<timeout_now>(r.out).empty());
  }
  r.wait(100ms);
  CHECK(sent_to<timeout_now>(r.out, 2).size() == 1);
}

TEST_CASE("raft rule 10: whom leadership can go to", "[cluster][raft]") {
  auto r = leader_of_three(fresh_start(voters({1, 2, 3}, {4})));
  auto why = [&](std::uint32_t to) { return r.give(transfer{1, node_id{to}}).proposals.front().why; };
  SECTION("not a learner, not a stranger") {
    CHECK(why(4) == refusal::invalid);
    CHECK(why(9) == refusal::invalid);
  }
  SECTION("to ourselves is done already") {
    CHECK(why(1) == refusal::none);
  }
  SECTION("0: whoever has most of the log") {
    r.propose_text("x");
    r.sync();
    r.hear(3, ack(r.status().term, 1, 2));
    CHECK(why(0) == refusal::none);
    CHECK(sent_to<timeout_now>(r.out, 3).size() == 1);
  }
  SECTION("a follower can not give what it has not") {
    replica f{2, fresh_start(voters({1, 2, 3}))};
    CHECK(f.give(transfer{1, {}}).proposals.front().why == refusal::not_leader);
  }
}

TEST_CASE("raft rule 10: only the own leader's word starts an election, and only in its term", "[cluster][raft]") {
  replica r{2, start_with(voters({1, 2, 3}), 3, commands(1, 2, 3))};
  r.hear(1, timeout_now{3});
  CHECK(r.status().role == role::follower);
  r.hear(1, append(3, 2, 3, {}));
  r.hear(3, timeout_now{3});
  CHECK(r.status().role == role::follower);
  r.hear(1, timeout_now{2});
  CHECK(r.status().role == role::follower);
  r.hear(1, timeout_now{3});
  CHECK(r.status().role == role::candidate);
}
