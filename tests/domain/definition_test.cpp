#include "domain/event_definition.hpp"
#include "support/group.hpp"

using namespace sluice;
using namespace sluice::domain;

TEST_CASE("definition: every mistake is found, and pointed at", "[domain][definition]") {
  auto d = test::group::two_blocks_and_a_floor();
  CHECK(check(d).empty());
  d.categories[0].price = -1;
  d.areas[0].capacity = 0;
  d.areas[0].id = "A";
  d.admission.users_per_minute = 0;
  d.hold_ttl_seconds = 1;
  d.currency = "euro";
  std::vector<std::string> pointers;
  for (const auto& m : check(d))
    pointers.push_back(m.pointer);
  CHECK(pointers == std::vector<std::string>{"/currency", "/categories/0/price", "/areas/0/id", "/areas/0/capacity",
                                             "/admission/usersPerMinute", "/holdTtlSeconds"});
}

TEST_CASE("definition: a dry run names what would change", "[domain][definition]") {
  auto from = test::group::two_blocks_and_a_floor();
  auto to = from;
  CHECK(difference(from, to).empty());
  to.admission.users_per_minute = 5;
  to.areas[0].capacity = 60;
  to.sections[0].blocks[0].rows[0].seats.pop_back();
  auto changes = difference(from, to);
  REQUIRE(changes.size() == 4);
  CHECK(changes[0] == definition_change{"/admission/usersPerMinute", "60000", "5"});
  CHECK(changes[1] == definition_change{"/areas/floor/capacity", "50", "60"});
  CHECK(changes[2] == definition_change{"/blocks/A/seats", "10", "9"});
  CHECK(changes[3].pointer == "/seats/A-10");
  CHECK(changes[3].after.empty());
}
