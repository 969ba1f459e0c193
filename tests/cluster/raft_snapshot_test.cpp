// Rule 8 of the core: checkpoints, compaction, and restarts from them.
#include "raft_fixture.hpp"

#include <catch2/catch.hpp>

using namespace sluice;
using namespace sluice::raft;
using namespace sluice::raft::test;

namespace {

/// A single voter with `n` committed entries.
replica alone_with(int n) {
  replica r{1, fresh_start(voters({1}))};
  r.sync();
  for (int i = 1; i < n; ++i) {
    r.propose_text("x");
    r.sync();
  }
  return r;
}

/// A follower far behind that was just offered the checkpoint at 100.
replica offered() {
  replica r{2, start_with(voters({1, 2, 3}), 1, commands(1, 5, 1))};
  r.hear(1, append(2, 5, 1, {}, 3));
  r.sync();
  r.hear(1, snapshot_offer{2, checkpoint(100, 2, voters({1, 2, 4})), 0});
  return r;
}

} // namespace

TEST_CASE("raft rule 8: a checkpoint lets the log below it go", "[cluster][raft]") {
  auto r = alone_with(10);
  auto ref = checkpoint(8, 1, voters({1}));
  SECTION("but for a tail kept for followers") {
    r.give(snapshot_taken{ref, 5});
    REQUIRE(r.out.writes.size() == 1);
    CHECK(r.out.writes.front().drop_below == log_index{5});
    CHECK(r.status().first_index == 5);
    CHECK(r.status().snapshot_index == 8);
  }
  SECTION("never more than it covers") {
    r.give(snapshot_taken{ref, 100});
    CHECK(r.out.writes.front().drop_below == log_index{9});
  }
  SECTION("an older one is not needed any more") {
    r.give(snapshot_taken{ref, 9});
    r.give(snapshot_taken{checkpoint(6, 1, voters({1})), 7});
    CHECK(r.out.writes.empty());
    CHECK(r.status().snapshot_index == 8);
  }
  SECTION("one of entries not handed out, or of another history, stops the replica") {
    auto ahead = r.give(snapshot_taken{checkpoint(11, 1, voters({1})), 5}).fatal;
    CHECK(ahead);
    auto other = alone_with(10);
    CHECK(other.give(snapshot_taken{checkpoint(8, 2, voters({1})), 5}).fatal);
    auto members = alone_with(10);
    CHECK(members.give(snapshot_taken{checkpoint(8, 1, voters({1, 2})), 5}).fatal);
  }
}

TEST_CASE("raft rule 8: a restart begins at the checkpoint", "[cluster][raft]") {
  start s = start_with({}, 3, {});
  s.snapshot = checkpoint(100, 2, voters({1}));
  SECTION("with the tail after it") {
    s.log = commands(101, 110, 3);
    replica r{1, std::move(s)};
    CHECK(r.status().commit_index == 100);
    r.sync();
    CHECK(r.committed.size() == 11);
    CHECK(r.committed.front().index == 101);
  }
  SECTION("with a tail that begins before it") {
    s.log = commands(91, 100, 2);
    replica r{1, std::move(s)};
    r.sync();
    CHECK(r.committed.size() == 1);
    CHECK(r.status().first_index == 92); // the first one kept only says what was before
  }
  SECTION("with nothing else") {
    replica r{1, std::move(s)};
    CHECK(r.status().role == role::leader);
    CHECK(r.status().last_index == 101);
  }
  SECTION("a gap between the two stops the replica") {
    s.log = commands(102, 110, 3);
    CHECK(replica{1, std::move(s)}.out.fatal);
  }
  SECTION("so does a tail that contradicts it") {
    s.log = commands(95, 105, 3);
    CHECK(replica{1, std::move(s)}.out.fatal);
  }
}

TEST_CASE("raft rule 8: who needs what the leader compacted is offered the checkpoint", "[cluster][raft]") {
  auto r = leader_of_three();
  auto term = r.status().term;
  for (log_index i = 2; i <= 20; ++i) {
    r.propose_text("x");
    r.sync();
    r.hear(2, ack(term, i - 1, i));
  }
  r.give(snapshot_taken{checkpoint(15, term, voters({1, 2, 3})), 11});
  // It restarts with an empty log; the window had ended below what is left.
  r.hear(3, vote_request{.term = term, .pre_vote = true}, 2);
  auto offers = sent_to<snapshot_offer>(r.out, 3);
  REQUIRE(offers.size() == 1);
  CHECK(offers.front().snapshot.index == 15);
  CHECK(r.status().peers.back().fetching_snapshot);

  SECTION("while it fetches it gets heartbeats, and the offer again now and then") {
    int offered_again = 0;
    for (int i = 0; i < 20; ++i) {
      r.wait(50ms);
      offered_again += static_cast<int>(sent_to<snapshot_offer>(r.out, 3).size());
      CHECK(sent_to<append_request>(r.out, 3).size() == 1);
      r.hear(3, snapshot_reply{.term = term, .index = 15}, 2);
      r.hear(2, ack(term, 20, 20));
    }
    CHECK(offered_again == 2);
  }
  SECTION("a newer checkpoint does not disturb it, a failed transfer brings the newest") {
    r.give(snapshot_taken{checkpoint(18, term, voters({1, 2, 3})), 17});
    auto next_offer = [&] {
      for (int i = 0; i < 20; ++i) {
        r.wait(50ms);
        r.hear(2, ack(term, 20, 20));
        r.wait(0ms);
      }
      log_index seen = 0;
      for (int i = 0; i < 20 && seen == 0; ++i) {
        r.wait(50ms);
        if (!sent_to<snapshot_offer>(r.out, 3).empty())
          seen = sent_to<snapshot_offer>(r.out, 3).front().snapshot.index;
        r.hear(2, ack(term, 20, 20));
      }
      return seen;
    };
    CHECK(next_offer() == 15);
    r.hear(3, snapshot_reply{.term = term, .index = 15, .failed = true}, 2);
    SECTION("the newest of when it is offered: under load that of when it failed is gone by then") {
      r.give(snapshot_taken{checkpoint(19, term, voters({1, 2, 3})), 18});
      CHECK(next_offer() == 19);
    }
    SECTION("and again until it is heard") {
      CHECK(next_offer() == 18);
      r.give(snapshot_taken{checkpoint(19, term, voters({1, 2, 3})), 18});
      CHECK(next_offer() == 18);
    }
  }
  SECTION("once installed it gets the rest of the log") {
    r.hear(3, snapshot_reply{.term = term, .index = 15, .installed = true}, 2);
    auto rest = sent_to<append_request>(r.out, 3);
    REQUIRE(rest.size() == 1);
    CHECK(rest.front().prev_index == 15);
    CHECK(rest.front().entries.size() == 5);
    CHECK(r.status().peers.back().match == 15);
  }
}

TEST_CASE("raft rule 8: a follower fetches, then installs in one write", "[cluster][raft]") {
  auto r = offered();
  REQUIRE(r.out.fetches.size() == 1);
  CHECK(r.out.fetches.front().from == node_id{1});
  CHECK(r.out.fetches.front().ref.index == 100);
  REQUIRE(sent_to<snapshot_reply>(r.out, 1).size() == 1);
  CHECK_FALSE(sent_to<snapshot_reply>(r.out, 1).front().installed);

  SECTION("meanwhile its old log stays usable") {
    CHECK(r.status().last_index == 5);
    r.hear(1, append(2, 5, 1, {command(6, 2)}, 6));
    r.sync();
    CHECK(r.committed.size() == 6);
    r.time_out();
    CHECK(r.status().role == role::pre_candidate);
  }
  SECTION("the same offer again does not start it again") {
    r.hear(1, snapshot_offer{2, checkpoint(100, 2, voters({1, 2, 4})), 0});
    CHECK(r.out.fetches.empty());
  }
  SECTION("installed") {
    r.give(snapshot_fetched{checkpoint(100, 2, voters({1, 2, 4})), true});
    REQUIRE(r.out.writes.size() == 1);
    REQUIRE(r.out.writes.front().install);
    CHECK(r.out.writes.front().install->index == 100);
    auto replies = sent_to<snapshot_reply>(r.out, 1);
    REQUIRE(replies.size() == 1);
    CHECK(replies.front().installed);
    CHECK(held_by<snapshot_reply>(r.out) == r.out.writes.front().id);
    CHECK(r.status().members == voters({1, 2, 4}));
    auto before = r.committed.size();
    r.hear(1, append(2, 100, 2, {command(101, 2)}, 101));
    CHECK(r.committed.size() == before); // nothing is handed out between two states
    r.sync();
    REQUIRE(r.committed.size() == before + 1);
    CHECK(r.committed.back().index == 101);
  }
  SECTION("a failed transfer is reported, and can be tried again") {
    r.give(snapshot_fetched{checkpoint(100, 2, voters({1, 2, 4})), false});
    CHECK(r.out.writes.empty());
    REQUIRE(sent_to<snapshot_reply>(r.out, 1).size() == 1);
    CHECK(sent_to<snapshot_reply>(r.out, 1).front().failed);
    r.hear(1, snapshot_offer{2, checkpoint(120, 2, voters({1, 2, 4})), 0});
    REQUIRE(r.out.fetches.size() == 1);
    CHECK(r.out.fetches.front().ref.index == 120);
  }
  SECTION("a transfer given up meanwhile installs nothing") {
    r.hear(1, snapshot_offer{2, checkpoint(120, 2, voters({1, 2, 4})), 0});
    r.give(snapshot_fetched{checkpoint(100, 2, voters({1, 2, 4})), true});
    CHECK(r.out.writes.empty());
  }
}

TEST_CASE("raft rule 8: a checkpoint of what is in the log already commits it, and replaces nothing",
          "[cluster][raft]") {
  replica r{2, start_with(voters({1, 2, 3}), 2, commands(1, 20, 2))};
  r.hear(1, snapshot_offer{2, checkpoint(15, 2, voters({1, 2, 3})), 0});
  CHECK(r.out.fetches.empty());
  CHECK(r.out.writes.empty());
  CHECK(r.status().commit_index == 15);
  CHECK(r.committed.size() == 15);
  CHECK(r.status().last_index == 20);
  CHECK(sent_to<snapshot_reply>(r.out, 1).front().installed);
}
