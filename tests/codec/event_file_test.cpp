#include "codec/event_file.hpp"
#include "codec/times.hpp"

#include <catch2/catch.hpp>

using namespace sluice;
using namespace sluice::codec;

namespace {

const char* small = R"({
  "id": "demo", "name": "Demo", "startsAt": "2026-12-24T19:30", "timeZone": "Asia/Seoul",
  "sale": {"opensAt": "2026-11-01T10:00:00+09:00"},
  "categories": [{"id": "a", "price": 1000}, {"id": "b", "price": 0}],
  "sections": [{"id": "s", "blocks": [
    {"id": "A", "category": "a", "rows": 2, "seatsPerRow": 3},
    {"id": "B", "category": "a", "rows": [
      {"id": "x", "seats": "5-7", "category": "b"},
      {"id": "y", "seats": [{"number": "1", "id": "special"}, {"number": "2", "category": "b"}]}]}]}],
  "areas": [{"id": "f", "category": "b", "capacity": 10}],
  "admission": {"usersPerMinute": 1200}})";

domain::event_definition read(const std::string& text, std::vector<document_error>& errors) {
  auto d = parse_json(text);
  REQUIRE(d);
  return read_event_file(*d, errors);
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

} // namespace

TEST_CASE("event_file: short forms are written out, and the long form reads back the same", "[codec][event_file]") {
  std::vector<document_error> errors;
  auto d = read(small, errors);
  REQUIRE(errors.empty());
  CHECK(d.capacity() == 6 + 3 + 2 + 10);
  CHECK(d.sections[0].blocks[0].rows[1].seats[2].id == "A-2-3");
  CHECK(d.sections[0].blocks[1].rows[0].seats[0].number == "5");
  CHECK(d.sections[0].blocks[1].rows[0].seats[0].category == 1);
  CHECK(d.sections[0].blocks[1].rows[1].seats[0].category == 0);
  CHECK(to_text(d.starts_at) == "2026-12-24T10:30:00.000Z");
  CHECK(d.local_date == "2026-12-24");
  CHECK(d.admission.users_per_minute == 1200);
  CHECK(d.admission.max_active_users == 1000);
  auto again = read(write_event_file(d), errors);
  CHECK(errors.empty());
  CHECK(again == d);
}

TEST_CASE("event_file: the concert's date is that of its own time zone", "[codec][event_file]") {
  std::vector<document_error> errors;
  auto d = read(replaced(small, "\"2026-12-24T19:30\"", "\"2026-12-24T18:00:00Z\""), errors);
  CHECK(d.local_date == "2026-12-25"); // three in the morning in Seoul
}

TEST_CASE("event_file: mistakes are pointed at", "[codec][event_file]") {
  struct mistake {
    const char* from;
    const char* to;
    const char* pointer;
  };

  for (const auto& m : std::initializer_list<mistake>{
           {"\"name\": \"Demo\", ", "", "/name"},
           {"\"Asia/Seoul\"", "\"Mars/Olympus\"", "/timeZone"},
           {"\"2026-12-24T19:30\"", "\"tomorrow\"", "/startsAt"},
           {"\"price\": 1000", "\"price\": -1", "/categories/0/price"},
           {"\"price\": 1000", "\"price\": 10.5", "/categories/0/price"},
           {"\"rows\": 2, ", "\"rows\": 2, \"colour\": 1, ", "/sections/0/blocks/0/colour"},
           {"\"seatsPerRow\": 3", "\"x\": 3", "/sections/0/blocks/0/seatsPerRow"},
           {"\"5-7\"", "\"7-5\"", "/sections/0/blocks/1/rows/0/seats"},
           {"\"special\"", "\"A-1-1\"", "/sections/0/blocks/1/rows/1/seats/0/id"},
           {"\"capacity\": 10", "\"capacity\": 0", "/areas/0/capacity"},
           {"\"id\": \"f\", \"category\": \"b\"", "\"id\": \"f\", \"category\": \"z\"", "/areas/0/category"},
           {"\"usersPerMinute\": 1200", "\"usersPerMinute\": 0", "/admission/usersPerMinute"},
           {"\"usersPerMinute\": 1200", "\"usersPerSecond\": 5", "/admission/usersPerSecond"}}) {
    std::vector<document_error> errors;
    read(replaced(small, m.from, m.to), errors);
    INFO(m.from << " -> " << m.to);
    REQUIRE_FALSE(errors.empty());
    std::string pointers;
    for (const auto& e : errors)
      pointers += e.pointer + " ";
    CHECK(pointers.find(std::string{m.pointer} + " ") != std::string::npos);
  }
}

TEST_CASE("times: RFC 3339 in and out", "[codec][times]") {
  CHECK(to_text(wall_time_from_ms(0)) == "1970-01-01T00:00:00.000Z");
  CHECK(to_text(wall_time_from_ms(1'800'000'000'123)) == "2027-01-15T08:00:00.123Z");
  CHECK(time_from("2027-01-15T09:00:00.123+01:00", "UTC") == wall_time_from_ms(1'800'000'000'123));
  CHECK(time_from("2027-01-15 09:00", "Europe/Berlin") == wall_time_from_ms(1'800'000'000'000));
  CHECK_FALSE(time_from("2027-02-30T00:00:00Z", "UTC"));
  CHECK_FALSE(time_from("", "UTC"));
}
