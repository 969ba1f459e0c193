#include "node/sealer.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace sluice;
using namespace sluice::node;

namespace {

struct recorded {
  log_index index;
  std::int64_t at_ms;
  std::string bytes;
};

const std::vector<recorded> sale{{3, 1000, "open"}, {4, 1000, "alice"}, {4, 1000, "bob"}, {9, 1005, "alice has A-1"}};

struct reading {
  facts_seal now;
  std::optional<bool> holds;
};

reading read(const std::vector<recorded>& all, std::optional<facts_seal> older = {}) {
  sealer s{std::move(older)};
  for (const auto& r : all)
    s.take({r.index, wall_time_from_ms(r.at_ms), r.bytes, std::nullopt});
  return {s.now(), s.holds()};
}

bool holds(const std::vector<recorded>& all, const facts_seal& older) {
  return read(all, older).holds.value();
}

} // namespace

TEST_CASE("sealer: every seal made on the way holds at the end", "[node]") {
  CHECK_FALSE(read(sale).holds.has_value());
  for (std::size_t count = 0; count <= sale.size(); ++count) {
    auto then = read({sale.begin(), sale.begin() + static_cast<std::ptrdiff_t>(count)}).now;
    CHECK(then.facts == count);
    CHECK(holds(sale, then));
  }
}

TEST_CASE("sealer: what was changed, taken away, put between or put elsewhere breaks it", "[node]") {
  auto then = read(sale).now;
  auto now = sale;
  SECTION("another name") {
    now[1].bytes = "alicf";
  }
  SECTION("another place in the log") {
    now[2].index = 5;
  }
  SECTION("another time") {
    now[3].at_ms = 1004;
  }
  SECTION("the last one is gone") {
    now.pop_back();
  }
  SECTION("one is gone, and others came") {
    now.erase(now.begin() + 1);
    now.push_back({10, 1006, "carol"});
  }
  SECTION("one more between") {
    now.insert(now.begin() + 2, {4, 1000, "mallory"});
  }
  SECTION("the other way round") {
    std::swap(now[1], now[2]);
  }
  SECTION("the same bytes, cut elsewhere") {
    now[1].bytes = "aliceb";
    now[2].bytes = "ob";
  }
  CHECK_FALSE(holds(now, then));
}

TEST_CASE("sealer: a seal of another event does not hold", "[node]") {
  CHECK_FALSE(holds(sale, {2, std::string(64, '0')}));
  CHECK_FALSE(holds({}, {1, std::string(64, '0')}));
  CHECK(holds({}, read({}).now));
}
