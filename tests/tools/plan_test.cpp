// event import-plan: pretix seating plans, as the schema has them and as exporters write them.
#include "codec/event_file.hpp"
#include "event_text.hpp"
#include "import_plan.hpp"
#include "yaml.hpp"

#include <catch2/catch.hpp>

#include <chrono>
#include <set>

using namespace sluice;
using namespace sluice::ctl;

namespace {

codec::document json(const std::string& text) {
  codec::document d;
  auto why = parse_json_with_lines(text, d);
  INFO((why ? why->detail : std::string{}));
  REQUIRE(!why);
  return d;
}

import_options options() {
  import_options o;
  o.id = "show";
  o.default_price = 1000;
  return o;
}

const std::string small = R"({
 "name": "Hall", "size": {"width": 100, "height": 100}, "colour_scheme": [1, {"x": null}],
 "categories": [{"name": "Front", "color": "#f00"}, {"name": "Rück & Co", "color": "#00f"}, {"name": "Unused"}],
 "zones": [
  {"name": "Main", "zone_id": "m", "uuid": "ignored", "position": {"x": 0, "y": 0.5}, "displayed": true,
   "areas": [{"shape": "circle", "text": "Stage", "rotation": 1.5}],
   "rows": [
    {"row_number": "1", "position": {"x": 1, "y": 1}, "row_number_position": "both", "seats": [
     {"seat_guid": "m-1-1", "seat_number": "1", "category": "Front", "position": {"x": 1, "y": 2}, "radius": 9},
     {"seat_guid": "m 1/2", "seat_number": 2, "category": "Front"}]},
    {"row_number": 2, "seats": [{"seat_guid": "9f é", "seat_number": "1", "category": "Rück & Co"}]},
    {"row_number": "1", "seats": [{"seat_guid": "m-1-3", "seat_number": "3", "category": "Rück & Co"}]},
    {"row_number": "empty", "seats": []}]},
  {"name": "Only drawings", "rows": [], "areas": [{"text": "Bar"}]},
  {"rows": [{"seats": [{"seat_guid": "x", "seat_number": "", "category": "Front"}]}]}]})";

std::string replaced(const std::string& from, const std::string& to) {
  auto text = small;
  auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

std::string plan_of(int seats, int per_row) {
  std::string text =
      R"({"name": "Big", "categories": [{"name": "A"}, {"name": "B"}], "zones": [{"name": "Z", "rows": [)";
  for (int made = 0, row = 1; made < seats; ++row) {
    text += std::string{row > 1 ? "," : ""} + R"({"row_number": ")" + std::to_string(row) + R"(", "seats": [)";
    for (int s = 1; s <= per_row && made < seats; ++s, ++made)
      text += std::string{s > 1 ? "," : ""} + R"({"seat_guid": "g)" + std::to_string(made) + R"(", "seat_number": ")" +
              std::to_string(s) + R"(", "category": ")" + (row % 2 ? "A" : "B") + R"(", "position": {"x": 1, "y": 2}})";
    text += "]}";
  }
  return text + "]}]}";
}

} // namespace

TEST_CASE("plan: zones become sections, rows of one number one row, odd fields are passed over", "[tools][plan]") {
  auto plan = json(replaced(R"("seat_number": "",)", R"("seat_number": "A",)"));
  auto made = import_plan(plan, options());
  for (const auto& e : made.errors)
    UNSCOPED_INFO(e.pointer << " " << e.detail);
  REQUIRE(made.errors.empty());
  const auto& d = made.definition;
  CHECK(d.name == "Hall");
  CHECK(d.capacity() == 5);
  REQUIRE(d.sections.size() == 2);
  CHECK(d.sections[0].id == "m");
  CHECK(d.sections[0].name == "Main");
  REQUIRE(d.sections[0].blocks.size() == 1);
  const auto& rows = d.sections[0].blocks[0].rows;
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].id == "1");
  REQUIRE(rows[0].seats.size() == 3);
  CHECK(rows[0].seats[0].id == "m-1-1");
  CHECK(rows[0].seats[1].id == "m-1-2"); // what an id may not hold is a dash
  CHECK(rows[0].seats[1].number == "2");
  CHECK(rows[1].seats[0].id == "9f");
  CHECK(made.renamed_seats == 2);
  CHECK(d.categories.size() == 2);
  CHECK(d.categories[1].name == "Rück & Co");
  CHECK(made.unused_categories == std::vector<std::string>{"Unused"});
  CHECK(domain::check(d).empty());
}

TEST_CASE("plan: seats whose guids would give one id keep apart, and keep their ids", "[tools][plan]") {
  auto text =
      R"({"name": "P", "categories": [{"name": "A"}], "zones": [{"name": "Z", "rows": [{"row_number": "1", "seats": [
    {"seat_guid": "a b", "seat_number": "1", "category": "A"}, {"seat_guid": "a/b", "seat_number": "2", "category": "A"},
    {"seat_guid": "a-b", "seat_number": "3", "category": "A"}, {"seat_guid": "é", "seat_number": "4", "category": "A"}]}]}]})";
  auto made = import_plan(json(text), options());
  REQUIRE(made.errors.empty());
  const auto& seats = made.definition.sections[0].blocks[0].rows[0].seats;
  std::set<std::string> ids;
  for (const auto& seat : seats)
    ids.insert(seat.id);
  CHECK(ids.size() == 4);
  CHECK(seats[2].id == "a-b"); // a valid guid stays as it is
  CHECK(import_plan(json(text), options()).definition == made.definition);
}

TEST_CASE("plan: prices by category; without one a category can not be applied", "[tools][plan]") {
  auto plan = json(replaced(R"("seat_number": "",)", R"("seat_number": "A",)"));
  auto o = options();
  o.default_price.reset();
  o.prices = {{"Front", 9000}};
  auto made = import_plan(plan, o);
  REQUIRE(made.errors.empty());
  REQUIRE(made.unpriced == std::set<std::string>{made.definition.categories[1].id});
  auto yaml = write_yaml(made.definition, {}, made.unpriced);
  std::vector<codec::document_error> mistakes;
  codec::read_event_file(parse_text("event.yaml", yaml), mistakes);
  REQUIRE(mistakes.size() == 1);
  CHECK(mistakes[0].pointer == "/categories/1/price");
  o.prices["Rück & Co"] = 0;
  made = import_plan(plan, o);
  REQUIRE(made.errors.empty());
  CHECK(made.definition.categories[0].price == 9000);
  o.prices["Balcony"] = 1;
  CHECK(import_plan(plan, o).errors.size() == 1);
}

TEST_CASE("plan: mistakes are pointed at", "[tools][plan]") {
  struct slip {
    const char* from;
    const char* to;
    const char* pointer;
    int line;
  };

  for (const auto& s : std::initializer_list<slip>{
           {"\"zones\"", "\"zonen\"", "/zones", 0},
           {"\"categories\"", "\"kategorien\"", "/categories", 0},
           {R"("category": "Front", "position")", R"("category": "Nobody", "position")",
            "/zones/0/rows/0/seats/0/category", 0},
           {R"("seat_guid": "m-1-3")", R"("seat_guid": "m-1-1")", "/zones/0/rows/2/seats/0/seat_guid", 0},
           {R"("seat_guid": "m-1-3", )", "", "/zones/0/rows/2/seats/0/seat_guid", 0},
           {R"("seat_guid": "m-1-3")", R"("seat_guid": "")", "/zones/0/rows/2/seats/0/seat_guid", 0},
           {R"({"name": "Unused"})", R"({"name": "Front"})", "/categories/2/name", 0},
           {R"("seats": [{"seat_guid": "x", "seat_number": "", "category": "Front"}])", R"("seats": 3)",
            "/zones/2/rows/0/seats", 0}}) {
    CAPTURE(s.from, s.to);
    auto made = import_plan(json(replaced(s.from, s.to)), options());
    REQUIRE(!made.errors.empty());
    bool found = false;
    for (const auto& e : made.errors) {
      UNSCOPED_INFO(e.pointer << " " << e.detail);
      found = found || e.pointer == s.pointer;
    }
    CHECK(found);
  }
  CHECK(!import_plan(json(R"({"name": "x", "categories": [], "zones": []})"), options()).errors.empty());
  CHECK(!import_plan(json("[]"), options()).errors.empty());
}

TEST_CASE("plan: a large zone is cut into blocks of bearable size", "[tools][plan]") {
  auto o = options();
  o.block_seats = 100;
  auto made = import_plan(json(plan_of(1050, 30)), o);
  REQUIRE(made.errors.empty());
  std::set<std::string> ids;
  for (const auto& block : made.definition.sections[0].blocks) {
    CHECK(block.seat_count() <= 100);
    ids.insert(block.id);
  }
  CHECK(ids.size() == made.definition.sections[0].blocks.size());
  CHECK(made.definition.capacity() == 1050);
  o.block_seats = 10; // shorter than a row
  made = import_plan(json(plan_of(65, 30)), o);
  REQUIRE(made.errors.empty());
  CHECK(made.definition.capacity() == 65);
}

TEST_CASE("plan: 20 000 seats take less than two seconds, to the text of the event file", "[tools][plan]") {
  auto text = plan_of(20'000, 40);
  auto from = std::chrono::steady_clock::now();
  auto made = import_plan(parse_text("plan.json", text), options());
  auto yaml = write_yaml(made.definition);
  auto took = std::chrono::steady_clock::now() - from;
  REQUIRE(made.errors.empty());
  CHECK(took < std::chrono::seconds{2});
  codec::document d;
  REQUIRE(!parse_yaml(yaml, d));
  std::vector<codec::document_error> errors;
  auto again = codec::read_event_file(d, errors);
  CHECK(errors.empty());
  CHECK(again == made.definition);
}
