#include "node/memory_pressure.hpp"

#include <catch2/catch.hpp>

using namespace sluice::node;

namespace {

constexpr std::uint64_t limit = 512ull << 20;

memory_pressure at(double percent, bool was_crowded = false) {
  return memory_pressure_of(static_cast<std::uint64_t>(static_cast<double>(limit) * percent / 100), limit, was_crowded);
}

} // namespace

TEST_CASE("node: at 80 % of the memory limit what is idle goes to sleep, and joins are still taken", "[node]") {
  CHECK_FALSE(at(79.9).sleep);
  CHECK(at(80.1).sleep);
  CHECK_FALSE(at(80.1).crowded);
  CHECK_FALSE(at(94.9).crowded);
}

TEST_CASE("node: at 95 % joins are refused, until less than 90 % is used", "[node]") {
  CHECK(at(95.1).crowded);
  CHECK(at(95.1).sleep);
  CHECK(at(400).crowded);
  CHECK_FALSE(at(90.1, false).crowded);
  CHECK(at(90.1, true).crowded);
  CHECK_FALSE(at(89.9, true).crowded);
}

TEST_CASE("node: without a limit there is no pressure", "[node]") {
  auto none = memory_pressure_of(limit, 0, true);
  CHECK_FALSE(none.sleep);
  CHECK_FALSE(none.crowded);
}
