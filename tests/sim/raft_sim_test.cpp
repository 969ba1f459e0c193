// Seeds of the simulator as a test, and the proof that its checkers see: every planted bug is caught.
#include "raft_sim.hpp"

#include <catch2/catch.hpp>

using namespace sluice;
using namespace sluice::sim;

namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr std::uint64_t seeds = 200;
#else
constexpr std::uint64_t seeds = 2'000;
#endif

raft_sim_report run(std::uint64_t seed, raft::planted_bug bug = raft::planted_bug::none) {
  raft_sim_options options;
  options.seed = seed;
  options.bug = bug;
  return run_raft_sim(options);
}

} // namespace

TEST_CASE("raft sim: two thousand bad days, and everything holds", "[sim][raft]") {
  raft_sim_counts counts;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    auto report = run(seed);
    INFO("raft-sim --seed " << seed << " --trace: step=" << report.step << " " << report.violation);
    REQUIRE(report.ok);
    counts += report.counts;
  }
  // A run in which nothing happened proves nothing.
  CHECK(counts.acknowledged > 50'000);
  CHECK(counts.leaders > 1'000);
  CHECK(counts.crashes > 1'000);
  CHECK(counts.writes_forgotten > 100);
  CHECK(counts.entries_truncated > 100);
  CHECK(counts.splits > 500);
  CHECK(counts.pauses > 200);
  CHECK(counts.transfers > 200);
  CHECK(counts.member_changes > 200);
  CHECK(counts.readmitted > 50);
  CHECK(counts.vacated > seeds / 5);
  CHECK(counts.snapshots_installed > 300);
  CHECK(counts.loads > 1'000);
  CHECK(counts.reads > 10'000);
}

TEST_CASE("raft sim: a seed is a run, and always the same run", "[sim][raft]") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed)
    CHECK(run(seed).trace_hash == run(seed).trace_hash);
  CHECK(run(1).trace_hash != run(2).trace_hash);
}

#ifdef SLUICE_PLANTED_BUGS
TEST_CASE("raft sim: every planted bug is caught", "[sim][raft]") {
  constexpr std::uint64_t seeds_max = 5'000;
  for (auto& planted : raft::planted_bug_names) {
    if (planted.bug == raft::planted_bug::none)
      continue;
    std::uint64_t seed = 1;
    while (seed <= seeds_max && run(seed, planted.bug).ok)
      ++seed;
    INFO(planted.name << " was not caught by " << seeds_max << " seeds");
    CHECK(seed <= seeds_max);
  }
}
#endif
