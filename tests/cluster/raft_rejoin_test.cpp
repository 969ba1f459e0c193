// Rule 11 of the core: what a node may still do after its log was lost.
#include "raft_fixture.hpp"

#include <catch2/catch.hpp>

using namespace sluice;
using namespace sluice::raft;
using namespace sluice::raft::test;

namespace {

start wiped(membership bootstrap) {
  auto s = fresh_start(std::move(bootstrap));
  s.may_vote = false;
  return s;
}

append_reply ack_of(standing s, log_term term, log_index match, std::uint64_t round = 0) {
  auto a = ack(term, match, match, round);
  a.standing = s;
  return a;
}

} // namespace

TEST_CASE("raft rule 11: a node that lost its log neither votes nor campaigns", "[cluster][raft]") {
  replica r{2, wiped(voters({1, 2, 3}))};
  REQUIRE(r.out.writes.size() == 1);
  CHECK(r.out.writes.front().state->rejoining); // it stays so over restarts
  r.hear(1, vote_request{.term = 5, .last_index = 9, .last_term = 4});
  REQUIRE(sent_to<vote_reply>(r.out, 1).size() == 1);
  CHECK_FALSE(sent_to<vote_reply>(r.out, 1).front().granted);
  r.time_out();
  CHECK(r.status().role == role::follower);

  start again = fresh_start(voters({1, 2, 3}));
  again.durable = {5, {}, true};
  replica restarted{2, std::move(again)};
  CHECK(restarted.status().rejoining);
  restarted.time_out();
  CHECK(restarted.status().role == role::follower);
}

TEST_CASE("raft rule 11: a single voter without its log does not start over", "[cluster][raft]") {
  replica r{1, wiped(voters({1}))};
  CHECK(r.status().role == role::follower);
  CHECK(r.status().rejoining);
}

TEST_CASE("raft rule 11: its word counts in no quorum", "[cluster][raft]") {
  auto r = leader_of_three();
  auto term = r.status().term;
  r.hear(2, vote_request{.term = term, .pre_vote = true}, 2); // the new process of a wiped node
  r.propose_text("x");
  r.sync();
  r.hear(2, ack_of(standing::rejoining, term, 2), 2);
  CHECK(r.status().commit_index == 1);
  r.give(raft::read{1});
  r.hear(2, ack_of(standing::rejoining, term, 2, 1), 2);
  CHECK(r.out.reads.empty());
  r.hear(3, ack(term, 1, 2, 1));
  CHECK(r.status().commit_index == 2);
  REQUIRE(r.out.reads.size() == 1);
}

TEST_CASE("raft rule 11: the leader makes a learner of it, and a voter again when it is ready", "[cluster][raft]") {
  auto r = leader_of_three();
  auto term = r.status().term;
  auto new_life = 2u;
  r.hear(2, ack_of(standing::rejoining, term, 1), new_life);
  r.hear(3, ack(term, 1, 1));
  r.wait(50ms);
  CHECK(r.status().members == voters({1, 3}, {2}));
  r.sync();
  r.hear(3, ack(term, 1, 2));
  r.hear(2, ack_of(standing::rejoining, term, 2), new_life);
  r.wait(50ms);
  CHECK(r.status().members == voters({1, 3}, {2})); // it has not seen enough yet
  r.hear(3, ack(term, 2, 2));
  r.hear(2, ack_of(standing::full, term, 2), new_life);
  r.wait(50ms);
  CHECK(r.status().members == voters({1, 2, 3}));
  r.sync();
  r.hear(3, ack(term, 2, 3));
  CHECK(r.status().commit_index == 3);
}

// Found by simulation (seed 827): a voter was dead, the learner that should stand in for it had once lost its log, and
// its promotion needed its own word.
TEST_CASE("raft rule 11: a learner that lost its log counts from its promotion on", "[cluster][raft]") {
  auto r = leader_of_three();
  auto term = r.status().term;
  for (int i = 0; i < 12; ++i) { // longer than an election timeout: 2 counts as dead
    r.wait(50ms);
    r.hear(3, ack(term, 1, 1));
  }
  r.give(reconfigure{1, voters({1, 3, 4})});
  r.wait(50ms);
  r.sync();
  CHECK(r.status().members == voters({1, 2, 3}, {4}));
  r.hear(3, ack(term, 1, 2));
  r.hear(4, ack_of(standing::rejoining, term, 2, 1));
  r.wait(50ms);
  CHECK(r.status().members == voters({1, 2, 3}, {4})); // it has not seen enough yet
  r.hear(3, ack(term, 2, 2));
  r.hear(4,
         append_reply{.term = term, .rejected_prev = 2, .conflict_first = 1, .round = 1, .standing = standing::full});
  r.hear(4, ack_of(standing::full, term, 2, 1));
  r.wait(50ms);
  r.sync();
  CHECK(r.status().members == voters({1, 2, 3, 4}));
  r.hear(4, ack(term, 2, 3, 1));
  CHECK(r.status().commit_index == 2);
  r.hear(3, ack(term, 2, 3));
  CHECK(r.status().commit_index == 3); // three of four
}

TEST_CASE("raft rule 11: it is readmitted by a configuration without its vote, committed after its restart",
          "[cluster][raft]") {
  replica r{2, wiped({})};
  r.sync();
  auto from_leader = [&](log_index prev, log_term prev_term, std::vector<entry> entries, log_index commit) {
    r.hear(1, append(4, prev, prev_term, std::move(entries), commit));
    r.sync();
  };
  r.hear(1, append(4, 0, 0, {}));
  auto asked = sent_to<read_request>(r.out, 1);
  REQUIRE(asked.size() == 1);
  r.sync();
  r.hear(1, read_reply{4, asked.front().id, 9, 10}); // the leader's log ends with 10

  // The old log comes back, and with it how this node was once made a voter. That proves nothing.
  auto old = commands(1, 10, 3);
  old[1] = change(2, 3, voters({1, 3}));
  old[2] = change(3, 3, voters({1, 2, 3}));
  from_leader(0, 0, old, 9);
  CHECK(r.status().rejoining);
  from_leader(10, 3, {change(11, 4, voters({1, 3}, {2}))}, 10);
  CHECK(r.status().rejoining);
  r.hear(1, append(4, 11, 4, {}, 11)); // until then it could be cut off again
  CHECK_FALSE(r.status().rejoining);
  REQUIRE(r.out.writes.size() == 1);
  CHECK_FALSE(r.out.writes.front().state->rejoining);
  r.sync();
  r.hear(1, append(4, 11, 4, {}, 11));
  CHECK(sent_to<append_reply>(r.out, 1).front().standing == standing::full);
}

TEST_CASE("raft rule 11: who was moved away gives up its log, and its vote until it is readmitted", "[cluster][raft]") {
  auto log = commands(1, 4, 2);
  log[0] = change(1, 2, voters({1, 2, 3}));
  replica r{2, start_with(voters({1, 2, 3}), 2, log)};
  r.hear(1, append(3, 4, 2, {}, 4));
  r.sync();
  r.give(vacate{3, 9});
  CHECK(r.out.writes.empty()); // it hears a leader
  r.wait(400ms);
  r.give(vacate{3, 9});
  REQUIRE(r.out.writes.size() == 1);
  const auto& w = r.out.writes.front();
  REQUIRE(w.install);
  CHECK(w.install->index == 0);
  CHECK(w.state == hard_state{3, {}, true});
  CHECK(r.status().last_index == 0);
  CHECK(r.status().commit_index == 0);
  CHECK(r.status().members.voters.empty());
  r.give(vacate{3, 9});
  CHECK(r.out.writes.empty()); // there is nothing left to give up
  r.sync();
  r.hear(3, vote_request{.term = 4, .last_index = 9, .last_term = 3});
  REQUIRE(sent_to<vote_reply>(r.out, 3).size() == 1);
  CHECK_FALSE(sent_to<vote_reply>(r.out, 3).front().granted);
  r.time_out();
  CHECK(r.status().role == role::follower);

  // A leader finds it again, and it begins from nothing.
  r.hear(1, append(4, 9, 3, {}, 9));
  auto said = sent_to<append_reply>(r.out, 1);
  REQUIRE(said.size() == 1);
  CHECK(said.front().conflict_first == 1);
  CHECK(said.front().standing == standing::rejoining);
}

TEST_CASE("raft rule 11: nothing is given up while the disk is at work, or by a leader", "[cluster][raft]") {
  replica busy{2, start_with(voters({1, 2, 3}), 2, commands(1, 4, 2))};
  busy.hear(1, append(3, 4, 2, {command(5, 3)}, 4));
  busy.wait(400ms);
  busy.give(vacate{3, 9});
  CHECK(busy.status().last_index == 5);
  auto leads = leader_of_three();
  leads.give(vacate{3, 9});
  CHECK(leads.status().role == role::leader);
  CHECK(leads.status().last_index == 1);
}

TEST_CASE("raft rule 11: what a member said before it was removed does not count when it is back", "[cluster][raft]") {
  auto r = leader_of_three();
  auto term = r.status().term;
  auto agree = [&](std::initializer_list<std::uint32_t> others, std::uint64_t round) {
    r.sync();
    for (auto n : others)
      r.hear(n, ack(term, r.status().last_index, r.status().last_index, round));
    r.wait(50ms);
  };
  r.give(reconfigure{1, voters({1, 2})});
  agree({2, 3}, 0);
  REQUIRE(r.status().members == voters({1, 2}));
  agree({2}, 0);
  auto before = r.status().last_index;
  r.give(reconfigure{2, voters({1, 2, 3})});
  agree({2}, 0);
  REQUIRE(r.status().members == voters({1, 2}, {3}));
  r.hear(3, ack(term, before - 1, before, 0)); // was under way all the time; its log has gone since
  for (const auto& p : r.status().peers)
    CHECK((p.node != node_id{3} || p.match == 0));
  r.wait(50ms);
  CHECK(r.status().members == voters({1, 2}, {3}));
  agree({2, 3}, 1);
  CHECK(r.status().members == voters({1, 2, 3}));
}

TEST_CASE("raft rule 11: who knows of a later configuration gives up nothing", "[cluster][raft]") {
  auto log = commands(1, 4, 2);
  log[0] = change(1, 2, voters({1, 2, 3}));
  log[3] = change(4, 2, voters({1, 3}, {2})); // it was taken back meanwhile
  replica r{2, start_with(voters({1, 2, 3}), 2, log)};
  r.give(vacate{2, 3});
  CHECK(r.status().last_index == 4);
  r.give(vacate{2, 5});
  CHECK(r.status().last_index == 0);

  // What it knows was never committed: a later term has the last word.
  replica stale{2, start_with(voters({1, 2, 3}), 2, log)};
  stale.give(vacate{3, 3});
  CHECK(stale.status().last_index == 0);
}

TEST_CASE("raft rule 11: nor does it count where the leader was alone meanwhile", "[cluster][raft]") {
  auto r = leader_of_three();
  auto term = r.status().term;
  r.give(reconfigure{1, voters({1})});
  for (int i = 0; i < 4; ++i) {
    r.sync();
    for (auto n : {2u, 3u})
      r.hear(n, ack(term, r.status().last_index, r.status().last_index));
    r.wait(50ms);
  }
  REQUIRE(r.status().members == voters({1}));
  auto before = r.status().last_index;
  r.sync();
  r.give(reconfigure{2, voters({1, 2})});
  r.sync();
  REQUIRE(r.status().members == voters({1}, {2}));
  r.hear(2, ack(term, before - 1, before, 0));
  REQUIRE(r.status().peers.size() == 1);
  CHECK(r.status().peers.front().match == 0);
  r.hear(2, snapshot_reply{.term = term, .index = before, .installed = true});
  CHECK(r.status().peers.front().match == 0);
}
