#include "domain/area.hpp"
#include "domain/seat_block.hpp"
#include "support/property.hpp"

#include <map>

using namespace sluice;
using namespace sluice::domain;
using namespace std::chrono_literals;

namespace {

hold_id named(std::uint8_t n) {
  hold_id id;
  id.bytes[19] = n;
  return id;
}

moment at(log_time t, log_index index = 1) {
  return {{t, {}}, index};
}

template <class Machine>
effects feed(Machine& m, const moment& when, const message& what) {
  effects out;
  m.begin(when, out);
  m.apply(when, what, out);
  m.finish(when, out);
  return out;
}

/// The tells to sessions among the effects.
std::vector<message> to_sessions(const effects& all) {
  std::vector<message> found;
  for (const auto& e : all)
    if (const auto* t = std::get_if<tell>(&e); t && t->to.kind == entity_kind::session)
      found.push_back(t->body);
  return found;
}

template <class Body>
const Body* only(const std::vector<message>& messages) {
  return messages.size() == 1 ? std::get_if<Body>(&messages.front()) : nullptr;
}

seat_block open_block(std::uint32_t seats) {
  seat_block block{{1}, {1}};
  define_seats plan;
  plan.seats.assign(seats, seat_terms{0, 1'000, false});
  feed(block, at({}), plan);
  feed(block, at({}), sale_window{true});
  return block;
}

} // namespace

TEST_CASE("seat_block: a hold lapses at its deadline", "[domain][seat_block]") {
  auto block = open_block(4);
  log_time t0{};
  feed(block, at(t0), hold_seats{named(1), "alice", {0, 1}, t0 + 60s});
  CHECK(block.counts().held == 2);
  CHECK(block.next_deadline({}) == t0 + 60s);

  SECTION("one millisecond early nothing moves") {
    CHECK(to_sessions(feed(block, at(t0 + 60s - 1ms), pulse{})).empty());
    CHECK(block.counts().held == 2);
  }
  SECTION("at the deadline the holder is told and the seats are free") {
    CHECK(only<part_lapsed>(to_sessions(feed(block, at(t0 + 60s), pulse{}))));
    CHECK(block.counts().available == 4);
  }
  SECTION("the next customer gets them in the very same moment, pulse or not") {
    auto told = to_sessions(feed(block, at(t0 + 60s), hold_seats{named(2), "bob", {0}, t0 + 120s}));
    REQUIRE(told.size() == 2);
    CHECK(std::holds_alternative<part_lapsed>(told[0]));
    CHECK(std::holds_alternative<part_held>(told[1]));
  }
  SECTION("pinned, it never lapses") {
    feed(block, at(t0 + 59s, 7), pin_hold{named(1)});
    CHECK_FALSE(block.next_deadline({}));
    CHECK(to_sessions(feed(block, at(t0 + 24h), pulse{})).empty());
    CHECK(block.counts().held == 2);
  }
}

TEST_CASE("seat_block: all seats or none", "[domain][seat_block]") {
  auto block = open_block(4);
  feed(block, at({}), hold_seats{named(1), "alice", {1}, log_time{} + 60s});
  auto told = to_sessions(feed(block, at({}), hold_seats{named(2), "bob", {0, 1, 2}, log_time{} + 60s}));
  const auto* refused = only<part_refused>(told);
  REQUIRE(refused);
  CHECK(refused->taken == std::vector<seat_index>{1});
  CHECK(block.counts().held == 1);
}

TEST_CASE("seat_block: only the pin's fence releases, confirms or gives back", "[domain][seat_block]") {
  auto block = open_block(4);
  feed(block, at({}), hold_seats{named(1), "alice", {0, 1}, log_time{} + 60s});
  feed(block, at({}, 7), pin_hold{named(1)});
  feed(block, at({}, 8), release_hold_part{named(1), 0});
  CHECK(block.counts().held == 2);
  feed(block, at({}, 9), confirm_hold_part{named(1), 7});
  CHECK(block.counts().confirmed == 2);
  feed(block, at({}, 10), give_back{named(1), 6, {0, 1}, 0});
  CHECK(block.counts().confirmed == 2);
  feed(block, at({}, 11), give_back{named(1), 7, {0, 1}, 0});
  CHECK(block.counts().available == 4);
  feed(block, at({}, 12), give_back{named(1), 7, {0, 1}, 0}); // a late repeat
  CHECK(block.counts().available == 4);
}

TEST_CASE("seat_block: outside the sale nothing is held", "[domain][seat_block]") {
  auto block = open_block(2);
  feed(block, at({}), sale_window{false});
  auto told = to_sessions(feed(block, at({}), hold_seats{named(1), "alice", {0}, log_time{} + 60s}));
  REQUIRE(only<part_refused>(told));
  CHECK(only<part_refused>(told)->why == errc::event_closed);
}

TEST_CASE("seat_block: a retired seat is sold out to its holder and never again", "[domain][seat_block]") {
  auto block = open_block(2);
  feed(block, at({}), hold_seats{named(1), "alice", {0}, log_time{} + 60s});
  define_seats plan;
  plan.seats.assign(2, seat_terms{0, 1'000, true});
  feed(block, at({}), plan);
  CHECK(block.counts() == stock_counts{0, 1, 0, 1});
  feed(block, at({}), release_hold_part{named(1), 0});
  CHECK(block.counts() == stock_counts{0, 0, 0, 2});
}

TEST_CASE("area: never more places than there are", "[domain][area]") {
  area floor{{1}, {1}};
  feed(floor, at({}), define_area{10, 0, 500});
  feed(floor, at({}), sale_window{true});
  feed(floor, at({}), hold_places{named(1), "alice", 8, log_time{} + 60s});
  auto told = to_sessions(feed(floor, at({}), hold_places{named(2), "bob", 3, log_time{} + 60s}));
  REQUIRE(only<part_refused>(told));
  CHECK(only<part_held>(to_sessions(feed(floor, at({}), hold_places{named(3), "bob", 2, log_time{} + 60s}))));
  CHECK(floor.counts() == stock_counts{0, 10, 0, 0});

  SECTION("a smaller hall shrinks as places come free, not before") {
    feed(floor, at({}), define_area{5, 0, 500});
    CHECK(floor.counts().capacity() == 10);
    feed(floor, at({}), release_hold_part{named(1), 0});
    CHECK(floor.counts() == stock_counts{3, 2, 0, 0});
  }
}

TEST_CASE("seat_block: agrees with a map from seat to holder", "[domain][seat_block][property]") {
  struct step {
    enum { holds, releases, pins, confirms, returns, extends, waits } what;

    std::uint8_t hold;
    std::uint64_t seats; // a bit set, or milliseconds
  };

  constexpr std::array<const char*, 7> words{"hold", "release", "pin", "confirm", "return", "extend", "wait"};
  test::check_sequences<step>(
      1, 400,
      [](test::rng& r) {
        std::vector<step> steps(120);
        for (auto& s : steps) {
          auto pick = test::below(r, 100);
          s.what = pick < 40   ? step::holds
                   : pick < 50 ? step::releases
                   : pick < 62 ? step::pins
                   : pick < 72 ? step::confirms
                   : pick < 78 ? step::returns
                   : pick < 84 ? step::extends
                               : step::waits;
          s.hold = static_cast<std::uint8_t>(1 + test::below(r, 30));
          s.seats = s.what == step::waits ? test::below(r, 30'000) : 1 + test::below(r, 255);
        }
        return steps;
      },
      [](const std::vector<step>& steps) -> std::optional<std::string> {
        auto block = open_block(8);

        struct owner {
          std::set<seat_index> seats;
          log_time until;
          log_index fence = 0;
          bool sold = false;
        };

        std::map<std::uint8_t, owner> owners;
        log_time now{};
        log_index index = 10;
        for (const auto& s : steps) {
          ++index;
          if (s.what == step::waits)
            now += milliseconds{s.seats};
          std::erase_if(owners,
                        [&](const auto& o) { return o.second.fence == 0 && !o.second.sold && o.second.until <= now; });
          auto known = owners.find(s.hold);
          bool held = known != owners.end() && !known->second.sold;
          auto when = at(now, index);
          switch (s.what) {
          case step::holds: {
            if (known != owners.end())
              continue; // ids are used once
            std::vector<seat_index> wanted;
            for (seat_index i = 0; i < 8; ++i)
              if (s.seats >> i & 1)
                wanted.push_back(i);
            bool free = true;
            for (auto& [n, o] : owners)
              for (auto seat : wanted)
                free = free && !o.seats.contains(seat);
            auto told = to_sessions(feed(block, when, hold_seats{named(s.hold), "u", wanted, now + 20s}));
            bool got = !told.empty() && std::holds_alternative<part_held>(told.back());
            if (got != free)
              return std::string{"a hold was "} + (got ? "given" : "refused") + " wrongly";
            if (got)
              owners[s.hold] = {{wanted.begin(), wanted.end()}, now + 20s, 0, false};
            break;
          }
          case step::releases:
            feed(block, when, release_hold_part{named(s.hold), held ? known->second.fence : 0});
            if (held)
              owners.erase(known);
            break;
          case step::pins:
            if (held && known->second.fence == 0) {
              feed(block, when, pin_hold{named(s.hold)});
              known->second.fence = index;
            }
            break;
          case step::confirms:
            if (held && known->second.fence != 0) {
              feed(block, when, confirm_hold_part{named(s.hold), known->second.fence});
              known->second.sold = true;
            }
            break;
          case step::returns:
            if (known != owners.end() && known->second.sold) {
              feed(
                  block, when,
                  give_back{
                      named(s.hold), known->second.fence, {known->second.seats.begin(), known->second.seats.end()}, 0});
              owners.erase(known);
            }
            break;
          case step::extends:
            feed(block, when, extend_hold_part{named(s.hold), now + 20s});
            if (held && known->second.fence == 0)
              known->second.until = now + 20s;
            break;
          case step::waits:
            feed(block, when, pulse{});
            break;
          }
          stock_counts counts;
          counts.available = 8;
          for (auto& [n, o] : owners) {
            auto size = static_cast<std::uint32_t>(o.seats.size());
            counts.available -= size;
            (o.sold ? counts.confirmed : counts.held) += size;
          }
          if (counts != block.counts())
            return "the counts differ after index " + std::to_string(index);
        }
        return std::nullopt;
      },
      [&](const step& s) {
        return std::string{words[s.what]} + " hold=" + std::to_string(s.hold) + " " + std::to_string(s.seats);
      });
}
