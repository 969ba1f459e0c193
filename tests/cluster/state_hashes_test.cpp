// Which replica is wrong when states differ: the voters' majority says.
#include "cluster/partition/state_hashes.hpp"

#include <catch2/catch.hpp>

namespace sluice::partition {

namespace {

using verdict = state_hashes::verdict;

constexpr log_index every = 256;
constexpr node_id a{1};
constexpr node_id b{2};
constexpr node_id c{3};
constexpr node_id learner{9};
const std::set<node_id> three{a, b, c};

/// What `self` finds after the voters said so much about entry 256.
verdict told(std::map<node_id, std::uint64_t> said, node_id self, log_index applied = 256,
             const std::set<node_id>& voters = three) {
  state_hashes h{every};
  for (const auto& [node, hash] : said)
    h.note(node, 256, hash);
  return h.judge(self, voters, applied).what;
}

} // namespace

TEST_CASE("states: equal ones are fine, whoever has spoken", "[cluster][partition]") {
  CHECK(told({{a, 7}}, a) == verdict::agreed);
  CHECK(told({{a, 7}, {b, 7}}, a) == verdict::agreed);
  CHECK(told({{a, 7}, {b, 7}, {c, 7}}, a) == verdict::agreed);
  CHECK(told({{a, 7}, {b, 7}, {learner, 7}}, learner) == verdict::agreed);
}

TEST_CASE("states: who differs from a majority of the voters is wrong, and nobody else", "[cluster][partition]") {
  const std::map<node_id, std::uint64_t> said{{a, 7}, {b, 8}, {c, 7}};
  CHECK(told(said, a) == verdict::agreed);
  CHECK(told(said, b) == verdict::we_differ);
  CHECK(told(said, c) == verdict::agreed);
  // Two of three are enough to know.
  CHECK(told({{a, 7}, {c, 7}, {learner, 8}}, learner) == verdict::we_differ);
  CHECK(told({{a, 7}, {b, 7}, {learner, 8}}, a) == verdict::agreed); // learners have no say
}

TEST_CASE("states: two that differ wait for the third, but not for ever", "[cluster][partition]") {
  const std::map<node_id, std::uint64_t> said{{a, 7}, {b, 8}};
  CHECK(told(said, a) == verdict::agreed);
  CHECK(told(said, b) == verdict::agreed);
  CHECK(told(said, a, 256 + state_hashes::patience - 1) == verdict::agreed);
  CHECK(told(said, a, 256 + state_hashes::patience) == verdict::undecided);
  CHECK(told(said, b, 256 + state_hashes::patience) == verdict::undecided);
  CHECK(told({{a, 7}}, a, 256 + state_hashes::patience) == verdict::agreed); // the others are behind, or gone
}

TEST_CASE("states: who agreed with a majority later was right before", "[cluster][partition]") {
  state_hashes h{every};
  h.note(a, 256, 7);
  h.note(b, 256, 8); // and c's word was lost
  CHECK(h.judge(a, three, 300).what == verdict::agreed);
  CHECK(h.disputed());
  h.note(a, 512, 17);
  h.note(b, 512, 18);
  h.note(c, 512, 17);
  CHECK(h.judge(a, three, 512).what == verdict::agreed);
  CHECK_FALSE(h.disputed());
  CHECK(h.judge(a, three, 256 + state_hashes::patience).what == verdict::agreed);

  state_hashes wrong{every};
  wrong.note(b, 256, 8);
  wrong.note(a, 256, 7);
  wrong.note(b, 512, 18);
  wrong.note(a, 512, 17);
  wrong.note(c, 512, 17);
  CHECK(wrong.judge(b, three, 256 + state_hashes::patience).what == verdict::we_differ);
}

TEST_CASE("states: the word of a process that ended does not count", "[cluster][partition]") {
  state_hashes h{every};
  h.note(a, 256, 7);
  h.note(b, 256, 8);
  CHECK(h.judge(a, three, 300).what == verdict::agreed);
  CHECK(h.disputed());
  h.forget(b); // it began again: without its state, perhaps
  CHECK(h.judge(a, three, 256 + state_hashes::patience).what == verdict::agreed);
  CHECK_FALSE(h.disputed());
}

TEST_CASE("states: without a majority nobody is right", "[cluster][partition]") {
  CHECK(told({{a, 7}, {b, 8}, {c, 9}}, a) == verdict::undecided);
  CHECK(told({{a, 7}, {b, 8}}, a, 256, {a, b}) == verdict::undecided);
  CHECK(told({{a, 7}, {b, 7}, {c, 8}, {{4}, 8}}, a, 256, {a, b, c, {4}}) == verdict::undecided);
  state_hashes h{every};
  h.note(a, 512, 1);
  h.note(b, 512, 2);
  auto found = h.judge(a, {a, b}, 600);
  CHECK(found.index == 512);
  CHECK(found.ours == 1);
  CHECK(found.theirs == 2);
}

// Found by simulation: of three one was wiped, and the other that remained had just fetched a checkpoint because it was wrong.
TEST_CASE(
    "states: who differed is heard once more where no majority can be had: it may have its state from a checkpoint by now",
    "[cluster][partition]") {
  const std::set<node_id> two{a, b};
  state_hashes h{every};
  h.note(a, 256, 7);
  h.note(b, 256, 8);
  h.note(a, 512, 17);
  CHECK(h.judge(a, two, 512).what == verdict::agreed);
  CHECK(h.disputed());
  SECTION("it agrees") {
    h.note(b, 512, 17);
    CHECK(h.judge(a, two, 512).what == verdict::agreed);
    CHECK_FALSE(h.disputed());
    CHECK(h.judge(a, two, 256 + state_hashes::patience).what == verdict::agreed);
  }
  SECTION("it differs still") {
    h.note(b, 512, 18);
    CHECK(h.judge(a, two, 512).what == verdict::undecided);
  }
  SECTION("it differs still, and is behind") {
    h.note(b, 512, 18);
    h.note(a, 768, 27);
    CHECK(h.judge(a, two, 768).what == verdict::undecided);
  }
  SECTION("it says nothing") {
    CHECK(h.judge(a, two, 256 + state_hashes::patience - 1).what == verdict::agreed);
    CHECK(h.judge(a, two, 256 + state_hashes::patience).what == verdict::undecided);
  }
}

TEST_CASE("states: what is ahead of us is kept until we are there, the latest few", "[cluster][partition]") {
  state_hashes h{every};
  for (log_index i = 1; i <= 1'000; ++i) {
    h.note(b, i * every, i);
    h.note(c, i * every, i);
    h.note(b, i * every + 1, 5); // between two comparisons
  }
  auto last = 1'000 * every;
  h.note(a, last - (state_hashes::kept - 1) * every, 1);
  CHECK(h.judge(a, three, last - state_hashes::kept * every).what == verdict::agreed);
  CHECK(h.judge(a, three, last).what == verdict::we_differ);
  h.forget(a);
  CHECK(h.judge(a, three, last).what == verdict::agreed);
}

} // namespace sluice::partition
