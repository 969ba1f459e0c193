// Rule 12 of the core, and its manners: bounded, total, and silent once an invariant is broken.
#include "raft_fixture.hpp"

#include <catch2/catch.hpp>

#include <random>

using namespace sluice;
using namespace sluice::raft;
using namespace sluice::raft::test;

TEST_CASE("raft rule 12: proposals are refused where they can not be taken", "[cluster][raft]") {
  replica follower{2, fresh_start(voters({1, 2, 3}))};
  CHECK(follower.propose_text("x").proposals.front().why == refusal::not_leader);
  auto c = settings_for(1);
  c.uncommitted_entries_max = 5;
  auto r = leader_of_three(fresh_start(voters({1, 2, 3})), c);
  for (int i = 0; i < 5; ++i)
    CHECK(r.propose_text("x").proposals.front().why == refusal::none);
  CHECK(r.propose_text("x").proposals.front().why == refusal::overloaded);

  SECTION("also when only the own disk lags behind") {
    r.hear(2, ack(r.status().term, 1, 6));
    r.hear(3, ack(r.status().term, 1, 6));
    CHECK(r.status().commit_index == 6);
    CHECK(r.propose_text("x").proposals.front().why == refusal::overloaded);
    r.sync();
    CHECK(r.propose_text("x").proposals.front().why == refusal::none);
  }
}

TEST_CASE("raft rule 12: reads wait in bounded number", "[cluster][raft]") {
  auto c = settings_for(1);
  c.reads_max = 3;
  auto r = leader_of_three(fresh_start(voters({1, 2, 3})), c);
  for (std::uint64_t i = 1; i <= 3; ++i)
    CHECK(r.give(raft::read{i}).reads.empty());
  REQUIRE(r.give(raft::read{4}).reads.size() == 1);
  CHECK(r.out.reads.front().index == 0);
}

TEST_CASE("raft: a replica with a broken invariant says so once, and then nothing", "[cluster][raft]") {
  auto r = leader_of_three();
  r.hear(2, append(r.status().term, 0, 0, {}));
  REQUIRE(r.out.fatal);
  CHECK(r.out.sends.empty());
  CHECK(r.out.writes.empty());
  r.propose_text("x");
  r.wait(1s);
  CHECK(r.out.proposals.empty());
  CHECK_FALSE(r.out.fatal);
}

TEST_CASE("raft: a leader that contradicts what is committed stops the replica", "[cluster][raft]") {
  replica r{2, start_with(voters({1, 2, 3}), 1, commands(1, 5, 1))};
  r.hear(1, append(1, 5, 1, {}, 5));
  SECTION("in its entries") {
    CHECK(r.hear(3, append(2, 3, 1, {command(4, 2)})).fatal);
  }
  SECTION("in the place before them") {
    CHECK(r.hear(3, append(2, 4, 2, {})).fatal);
  }
}

TEST_CASE("raft: a damaged log is not started from", "[cluster][raft]") {
  auto fatal = [](start s) { return replica{1, std::move(s)}.out.fatal.has_value(); };
  auto log = commands(1, 5, 2);
  CHECK_FALSE(fatal(start_with(voters({1, 2, 3}), 2, log)));
  CHECK(fatal(start_with(voters({1, 2, 3}), 1, log))); // entries of a term that was never reached
  auto gap = log;
  gap.erase(gap.begin() + 2);
  CHECK(fatal(start_with(voters({1, 2, 3}), 2, gap)));
  auto falling = log;
  falling[4].term = 1;
  CHECK(fatal(start_with(voters({1, 2, 3}), 2, falling)));
  auto late = commands(3, 5, 2);
  CHECK(fatal(start_with(voters({1, 2, 3}), 2, late)));
  auto hollow = log;
  hollow[1].payload = nullptr;
  CHECK(fatal(start_with(voters({1, 2, 3}), 2, hollow)));
  CHECK(fatal(start_with(voters({1, 2, 3}, {3}), 2, log)));
}

TEST_CASE("raft: nonsense is dropped and counted", "[cluster][raft]") {
  replica r{2, start_with(voters({1, 2, 3}), 3, commands(1, 5, 3))};
  auto dropped = [&](std::uint32_t from, message m) {
    auto before = r.status().dropped_messages;
    r.hear(from, std::move(m));
    return r.out.sends.empty() && r.out.writes.empty() && r.status().dropped_messages == before + 1;
  };
  CHECK(dropped(0, vote_request{.term = 4}));
  CHECK(dropped(2, vote_request{.term = 4}));
  CHECK(dropped(1, vote_request{.term = 0}));
  CHECK(dropped(1, vote_request{.term = ~0ull}));
  CHECK(dropped(1, vote_request{.term = 4, .last_index = 3, .last_term = 0}));
  CHECK(dropped(1, append(4, 5, 3, commands(7, 8, 4)))); // a gap
  CHECK(dropped(1, append(4, 5, 3, {command(6, 5)})));   // an entry of a term to come
  CHECK(dropped(1, append(4, 5, 3, {command(6, 2)})));   // falling terms
  CHECK(dropped(1, append(4, ~0ull, 3, {})));
  CHECK(dropped(1, append(4, 5, 3, {change(6, 4, voters({1, 2}, {2}))})));
  CHECK(dropped(1, append(4, 5, 3, {change(6, 4, {})})));
  CHECK(dropped(1, append(4, 5, 3, {entry{6, 4, entry_kind::commands, nullptr, nullptr}})));
  CHECK(dropped(1, append(4, 5, 3, {entry{6, 4, static_cast<entry_kind>(77), text("x"), nullptr}})));
  CHECK(dropped(1, snapshot_offer{4, checkpoint(0, 0, voters({1})), 0}));
  CHECK(dropped(1, snapshot_offer{4, checkpoint(9, 5, voters({1})), 0}));
  CHECK(dropped(1, snapshot_offer{4, checkpoint(9, 4, {}), 0}));
  CHECK(r.status().term == 3);

  auto before = r.status().dropped_messages;
  r.give(written{99});
  r.give(fresh_start(voters({2})));
  CHECK(r.status().dropped_messages == before + 2);
  CHECK(r.status().last_index == 5);
}

TEST_CASE("raft: a configuration of nothing still moves", "[cluster][raft]") {
  config none;
  none.self = node_id{1};
  none.heartbeat = none.election_timeout_min = none.election_timeout_max = 0ms;
  none.append_bytes_max = none.in_flight_requests_max = none.in_flight_bytes_max = 0;
  none.uncommitted_entries_max = none.uncommitted_bytes_max = none.cached_bytes_max = 0;
  none.committed_entries_max = none.committed_bytes_max = 0;
  replica r{none, start_with(voters({1}), 1, commands(1, 5, 1))};
  r.sync();
  for (int i = 0; i < 10; ++i)
    r.give(tick{});
  CHECK(r.committed.size() == 6);
  CHECK(r.propose_text("x").proposals.front().why == refusal::none);
}

TEST_CASE("raft: nothing works before start", "[cluster][raft]") {
  replica r{settings_for(1)};
  r.hear(2, vote_request{.term = 4});
  r.propose_text("x");
  r.wait(1s);
  CHECK(r.out.sends.empty());
  CHECK(r.status().dropped_messages > 0);
  r.give(fresh_start(voters({1})));
  CHECK(r.status().role == role::leader);
}

namespace {

/// Draws inputs a hostile peer or a confused host might give: small numbers, so that they often nearly fit.
class noise {
public:
  explicit noise(std::uint64_t seed) : random_{seed} {}

  input next(std::uint64_t last_write) {
    switch (small(12)) {
    case 0:
      return tick{};
    case 1:
      return propose{small(9), small(4) == 0 ? nullptr : text("x")};
    case 2:
      return written{small(3) == 0 ? small(40) : last_write};
    case 3:
      return snapshot_fetched{checkpoint(1 + small(20), 1 + small(5), voters({1, 2, 3})), small(2) == 0};
    case 4:
      return loaded{small(4), small(2) == 0 ? std::vector<entry>{} : entries(small(20), small(5), small(4))};
    case 5:
      return peer_down{node_id{small(5)}};
    case 6:
      return reconfigure{1, members()};
    case 7:
      return transfer{1, node_id{small(5)}};
    case 8:
      return raft::read{small(9)};
    default:
      return received{node_id{small(5)}, small(3), body()};
    }
  }

private:
  std::uint32_t small(std::uint32_t n) { return static_cast<std::uint32_t>(random_() % n); }

  membership members() {
    membership m;
    for (std::uint32_t i = 0; i < 5; ++i) {
      if (small(3) == 0)
        m.voters.insert(node_id{i});
      if (small(4) == 0)
        m.learners.insert(node_id{i});
    }
    return m;
  }

  std::vector<entry> entries(log_index first, log_term term, std::uint32_t n) {
    std::vector<entry> made;
    for (std::uint32_t i = 0; i < n; ++i) {
      auto kind = small(6);
      made.push_back(kind == 0   ? change(first + i, term, members())
                     : kind == 1 ? noop(first + i, term)
                                 : command(first + i, term));
      if (small(5) == 0)
        ++term;
    }
    return made;
  }

  message body() {
    log_term term = small(6);
    switch (small(9)) {
    case 0:
      return vote_request{term, small(20), small(5), small(2) == 0, small(2) == 0};
    case 1:
      return vote_reply{term, small(2) == 0, small(2) == 0};
    case 2:
    case 3: {
      log_index prev = small(20);
      auto prev_term = prev == 0 ? 0 : 1 + small(4);
      auto m = append(term, prev, prev_term, entries(prev + 1, prev_term + small(2), small(4)), small(20));
      m.round = small(5);
      return m;
    }
    case 4:
      return append_reply{term,
                          small(2) == 0,
                          small(20),
                          small(20),
                          small(3) == 0 ? small(20) : 0,
                          small(5),
                          small(20),
                          small(5),
                          static_cast<standing>(small(4))};
    case 5:
      return snapshot_offer{term, checkpoint(small(20), small(5), members()), small(5)};
    case 6:
      return snapshot_reply{term, small(20), small(2) == 0, small(5), small(2) == 0};
    case 7:
      return timeout_now{term};
    default:
      return small(2) == 0 ? message{read_request{term, small(9)}}
                           : message{read_reply{term, small(9), small(20), small(20)}};
    }
  }

  std::mt19937_64 random_;
};

} // namespace

TEST_CASE("raft: whatever comes, nothing breaks but a replica's own pride", "[cluster][raft]") {
  std::size_t stopped = 0;
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    noise in{seed};
    auto c = settings_for(1);
    c.seed = seed;
    c.reads_max = 4;
    c.uncommitted_entries_max = 8;
    c.cached_bytes_max = 100;
    c.committed_entries_max = 3;
    replica r{c, seed % 2 == 0 ? fresh_start(voters({1})) : start_with(voters({1, 2, 3}), 2, commands(1, seed % 9, 1))};
    for (int i = 0; i < 300 && !r.out.fatal; ++i) {
      r.now += std::chrono::milliseconds{seed * static_cast<std::uint64_t>(i) % 40};
      auto applied = r.committed.size();
      r.give(in.next(r.last_write));
      for (auto at = std::max<std::size_t>(applied, 1); at < r.committed.size(); ++at)
        if (r.committed[at].index <= r.committed[at - 1].index)
          FAIL("handed out index " << r.committed[at].index << " again, seed " << seed);
    }
    stopped += r.out.fatal.has_value();
  }
  INFO(stopped << " of 3000 replicas stopped for a contradiction");
  CHECK(stopped > 0);    // two leaders in a term, contradicted commits: a stop is the right answer
  CHECK(stopped < 3000); // and no rule
}
