#include "codec/document.hpp"

#include <catch2/catch.hpp>

#include <random>

using namespace sluice;
using namespace sluice::codec;

TEST_CASE("document: JSON is read strictly, and the reason of a refusal has a name", "[codec][document]") {
  for (auto bad :
       {"", "{", "{\"a\":1}x", "{\"a\":1,\"a\":2}", "[1,]", "{\"a\":01}", "NaN", "Infinity", "/*c*/{}", "{'a':1}",
        "\xEF\xBB\xBF{}", "\"\\ud800\"", "\"\xff\"", "[\"a\tb\"]", "{\"a\"}", "nul", "+1", "1.", ".5"})
    CHECK_FALSE(parse_json(bad));
  CHECK(parse_json("{\"a\":1,\"a\":2}").why().detail == "an object has a key twice");
  CHECK(parse_json(std::string(40, '[')).why().detail == "it is nested too deeply");
  std::string many = "[0";
  for (int i = 0; i < 20'000; ++i)
    many += ",0";
  CHECK(parse_json(many + "]").why().detail == "it has too many values");
  std::string keys = "{\"0\":0";
  for (int i = 1; i < 257; ++i)
    keys += ",\"" + std::to_string(i) + "\":0";
  CHECK(parse_json(keys + "}").why().detail == "an object has too many keys"); // each is compared with all before it
  for (auto good : {"{}", " [ ] \n", "\"\\ud83c\\udfab\"", "-0", "1e5", "true", "null", "{\"\":\"\"}"})
    CHECK(parse_json(good));
}

TEST_CASE("document: integers stay integers", "[codec][document]") {
  auto is = [](const char* text) { return parse_json(text)->is; };
  CHECK(is("9223372036854775807") == document::kind::integer);
  CHECK(is("9223372036854775808") == document::kind::real); // fits no field of ours
  CHECK(is("1.0") == document::kind::real);
  CHECK(is("1e0") == document::kind::real);
  CHECK(parse_json("-9223372036854775808")->integer == std::numeric_limits<std::int64_t>::min());
}

TEST_CASE("document: a reader complains about what is missing, misshapen or not asked for", "[codec][document]") {
  auto d = parse_json(R"({"name":7,"count":"3","big":11,"a/b~c":true})");
  std::vector<document_error> errors;
  object_reader r{*d, "/x", errors};
  std::string name;
  int count = 0;
  int big = 0;
  bool there = false;
  r.read("name", name).read("count", count, 0, 9).read("big", big, 0, 10).read("there", there, true);
  r.finish();
  REQUIRE(errors.size() == 5);
  CHECK(errors[0].pointer == "/x/name");
  CHECK(errors[1].detail == "must be an integer");
  CHECK(errors[2].detail == "must be between 0 and 10");
  CHECK(errors[3].code == errc::missing_field);
  CHECK(errors[4].code == errc::unknown_field);
  CHECK(errors[4].pointer == "/x/a~1b~0c");
}

TEST_CASE("document: what is written can be read, whatever the text", "[codec][document]") {
  std::mt19937_64 r{5};
  for (int i = 0; i < 2'000; ++i) {
    std::string text;
    for (auto n = r() % 20; n > 0; --n)
      text += static_cast<char>(r() % 128);
    std::string json;
    append_json(json, text);
    auto back = parse_json(json);
    REQUIRE(back);
    CHECK(back->text == text);
  }
}

TEST_CASE("document: equal documents have one canonical text", "[codec][document]") {
  CHECK(canonical_json(*parse_json(R"({"b":[1, 2],"a":{"y":null,"x":"\u0041"}})")) ==
        canonical_json(*parse_json(R"({ "a":{"x":"A","y":null}, "b":[1,2] })")));
  CHECK(canonical_json(*parse_json("[1,2]")) != canonical_json(*parse_json("[2,1]")));
}

TEST_CASE("document: bent JSON never does harm", "[codec][document]") {
  std::mt19937_64 r{9};
  const std::string seed = R"({"seats":["A-1","A-2"],"area":"floor","quantity":2,"deep":[[[{"x":-1.5e10}]]]})";
  for (int i = 0; i < 20'000; ++i) {
    auto bent = seed;
    for (auto n = 1 + r() % 4; n > 0; --n)
      bent[r() % bent.size()] = static_cast<char>(r());
    if (auto d = parse_json(bent)) {
      auto text = canonical_json(*d);
      auto again = parse_json(text);
      REQUIRE(again);
      CHECK(canonical_json(*again) == text);
    }
  }
}
