#include "domain/catalogue.hpp"
#include "domain/ranking.hpp"

#include <catch2/catch.hpp>

using namespace sluice;
using namespace sluice::domain;
using namespace std::chrono_literals;

namespace {

template <class Machine>
effects feed(Machine& m, const message& what, wall_time wall = {}) {
  effects out;
  moment at{{{}, wall}, 1};
  m.begin(at, out);
  m.apply(at, what, out);
  m.finish(at, out);
  return out;
}

reply answer_of(const effects& all) {
  for (const auto& e : all)
    if (const auto* a = std::get_if<answer>(&e))
      return a->body;
  FAIL("no answer");
  return done{};
}

} // namespace

TEST_CASE("catalogue: a slug keeps its number, a recreated one gets a new one", "[domain][catalogue]") {
  catalogue c;
  auto first = std::get<registered_reply>(answer_of(feed(c, register_event{"demo"})));
  CHECK(first.created);
  CHECK(std::get<registered_reply>(answer_of(feed(c, register_event{"demo"}))).number == first.number);
  feed(c, event_summary{first.number, "demo", "Demo", "", {}, "UTC", false});
  CHECK(c.state().events.at("demo").defined);
  feed(c, event_summary{first.number, "demo", "", "", {}, "", true});
  auto second = std::get<registered_reply>(answer_of(feed(c, register_event{"demo"})));
  CHECK(second.number != first.number);
  feed(c, event_summary{first.number, "demo", "", "", {}, "", true}); // late, of the first one
  CHECK(c.state().events.contains("demo"));
}

TEST_CASE("catalogue: it is founded once, and keeps one admin key at least", "[domain][catalogue]") {
  catalogue c;
  feed(c, found_cluster{"one", "keys", "hash"});
  feed(c, found_cluster{"two", "other", "hash2"});
  CHECK(c.state().cluster_id == "one");
  CHECK(std::holds_alternative<refusal>(answer_of(feed(c, remove_key{"admin"}))));
  feed(c, add_key{"second", "h", key_role::admin});
  CHECK(std::holds_alternative<done>(answer_of(feed(c, remove_key{"admin"}))));
  CHECK(std::holds_alternative<refusal>(answer_of(feed(c, remove_key{"second"}))));
}

TEST_CASE("catalogue: founded anew it gives no number that any partition remembers", "[domain][catalogue]") {
  catalogue c;
  feed(c, found_cluster{"one", "keys", "hash"});
  auto first = std::get<registered_reply>(answer_of(feed(c, register_event{"demo"})));
  found_cluster again{"two", "keys", "hash"};
  again.epoch = 2;
  again.last_event = {first.number.value + 5}; // what came after it is forgotten here
  feed(c, again);
  CHECK(std::get<registered_reply>(answer_of(feed(c, register_event{"demo"}))).number == first.number);
  CHECK(std::get<registered_reply>(answer_of(feed(c, register_event{"other"}))).number.value == first.number.value + 6);
}

TEST_CASE("ranking: most sold first, ties by the earlier last sale, refunds subtract", "[domain][ranking]") {
  ranking r;
  auto at = [](int s) { return wall_time_from_ms(1'000 * s); };
  feed(r, sold_count{{1}, 1, "2027-01-01", 10, at(5)});
  feed(r, sold_count{{2}, 1, "2027-01-02", 10, at(4)});
  feed(r, sold_count{{3}, 1, "2027-01-01", 5, at(3)});
  REQUIRE(r.ranked().size() == 2);
  CHECK(r.ranked()[0] == ranking_entry{"2027-01-01", 15, at(5)});
  feed(r, sold_count{{3}, 2, "2027-01-01", 0, at(3)});
  CHECK(r.ranked()[0].date == "2027-01-02");
  feed(r, sold_count{{3}, 1, "2027-01-01", 99, at(3)}); // late
  CHECK(r.ranked()[0].date == "2027-01-02");
}

TEST_CASE("ranking: a date goes 30 days after its last counted sale", "[domain][ranking]") {
  ranking r;
  auto day = [](int d) { return wall_time{} + std::chrono::days{d}; };
  feed(r, sold_count{{1}, 1, "2027-01-01", 1, day(0)}, day(0));
  feed(r, sold_count{{2}, 1, "2027-01-01", 1, day(20)}, day(20));
  feed(r, pulse{}, day(40));
  CHECK(r.ranked()[0].sold == 2); // the later sale keeps the whole date
  feed(r, pulse{}, day(50));
  CHECK(r.ranked().empty());
}
