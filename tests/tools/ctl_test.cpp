// What sluicectl makes of files, names and figures before a node hears of it.
#include "admin_api.hpp"
#include "codec/event_file.hpp"
#include "event_text.hpp"
#include "http_client.hpp"
#include "output.hpp"
#include "support/temp_folder.hpp"
#include "yaml.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <fstream>

#include <sys/stat.h>

using namespace sluice;
using namespace sluice::ctl;
using kind = codec::document::kind;

namespace {

codec::document yaml(std::string_view text) {
  codec::document d;
  auto why = parse_yaml(text, d);
  INFO((why ? why->detail : std::string{}));
  REQUIRE(!why);
  return d;
}

text_error yaml_mistake(std::string_view text, const text_limits& limits = {}) {
  codec::document d;
  auto why = parse_yaml(text, d, limits);
  REQUIRE(why);
  return *why;
}

std::string write(const test::temp_folder& folder, const std::string& name, const std::string& text) {
  auto path = (folder.path() / name).string();
  std::ofstream{path, std::ios::binary} << text;
  return path;
}

/// "file:line pointer detail" of everything wrong with the files, without the folder.
std::vector<std::string> mistakes_in(const std::vector<std::string>& paths) {
  std::vector<std::string> told;
  try {
    read_events(paths);
  } catch (const failure& why) {
    CHECK(why.code() == exit_code::refused);
    for (const auto& m : why.mistakes())
      told.push_back(m.file.substr(m.file.rfind('/') + 1) + ":" + std::to_string(m.line) + " " + m.pointer + " " +
                     m.detail);
  }
  return told;
}

const std::string sound = R"(id: demo
name: Demo
startsAt: 2030-01-02T20:00
timeZone: Europe/Berlin
categories:
  - {id: a, price: 1000}
  - {id: b, name: "Second: best", price: 0}
sections:
  - id: s
    blocks:
      - {id: A, category: a, rows: 2, seatsPerRow: 3}
      - id: B
        category: a
        rows:
          - {id: x, seats: 5-7, category: b}
          - id: "7"
            seats:
              - {number: "1", id: special}
              - {number: 2a, category: b}
areas:
  - {id: floor, category: b, capacity: 10}
admission:
  usersPerMinute: 1200
)";

std::string replaced(const std::string& from, const std::string& to) {
  auto text = sound;
  auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

} // namespace

TEST_CASE("ctl: a YAML scalar is what the core schema says, and knows its line", "[tools][ctl]") {
  auto d = yaml("a: 17\nb: '17'\nc: 1.5\nd: true\ne: yes\nf: 012\ng:\nh: ~\ni: -3\nj: [1,\n  2]\nk: |\n  text\n");
  CHECK(d.find("a")->is == kind::integer);
  CHECK(d.find("a")->integer == 17);
  CHECK(d.find("b")->is == kind::string);
  CHECK(d.find("c")->is == kind::real);
  CHECK(d.find("d")->boolean);
  CHECK(d.find("e")->is == kind::string);
  CHECK(d.find("f")->is == kind::string);
  CHECK(d.find("g")->is == kind::null);
  CHECK(d.find("h")->is == kind::null);
  CHECK(d.find("i")->integer == -3);
  CHECK(d.find("a")->line == 1);
  CHECK(d.find("j")->line == 10);
  CHECK(d.find("j")->items[1].line == 11);
  CHECK(d.find("k")->text == "text\n");
}

TEST_CASE("ctl: an alias repeats what it names", "[tools][ctl]") {
  auto d = yaml("a: &x {p: 1}\nb: *x\nc: [*x, *x]\n");
  CHECK(d.find("b")->find("p")->integer == 1);
  CHECK(d.find("c")->items.size() == 2);
}

TEST_CASE("ctl: YAML that is ambiguous, hostile or broken is refused at its line", "[tools][ctl]") {
  struct broken {
    const char* text;
    int line;
    const char* says;
  };

  for (const auto& b :
       std::initializer_list<broken>{{"", 1, "it is empty"},
                                     {"a: 1\na: 2\n", 2, "the key 'a' is here twice"},
                                     {"a: 1\n---\nb: 2\n", 2, "a second document begins here"},
                                     {"a: !!python/object 1\n", 1, "tags are not supported"},
                                     {"b: &x {p: 1}\na:\n  <<: *x\n", 3, "merge keys are not supported"},
                                     {"a: 1\n? [1, 2]\n: 3\n", 2, "a key must be text"},
                                     {"a:\n  - b\n c: d\n", 3, "it is not well-formed YAML"},
                                     {"a: \"unfinished\nb: 1", 2, "it is not well-formed YAML"},
                                     {"a: *nobody\n", 1, "it is not well-formed YAML"}}) {
    CAPTURE(b.text);
    auto why = yaml_mistake(b.text);
    CHECK(why.line == b.line);
    CHECK_THAT(why.detail, Catch::StartsWith(b.says));
  }
  CHECK_THAT(yaml_mistake(std::string(100, '[') + std::string(100, ']')).detail,
             Catch::StartsWith("this is nested too deeply"));
  // A few lines that would be a billion values.
  std::string bomb = "a: &a [1,1,1,1,1,1,1,1,1,1]\n";
  for (char c = 'b'; c < 'k'; ++c) {
    bomb += std::string{c} + ": &" + c + " [";
    for (int i = 0; i < 10; ++i)
      bomb += std::string{i ? "," : ""} + "*" + static_cast<char>(c - 1);
    bomb += "]\n";
  }
  CHECK(yaml_mistake(bomb).detail == "there are too many values");
}

TEST_CASE("ctl: JSON gets its lines too", "[tools][ctl]") {
  codec::document d;
  REQUIRE(!parse_json_with_lines("{\n\"a\": 1,\n\n\"b\": [true,\n\"x\\\"\\n\"], \"c\": {}\n}", d));
  CHECK(d.find("a")->line == 2);
  CHECK(d.find("b")->items[0].line == 4);
  CHECK(d.find("b")->items[1].line == 5);
  CHECK(d.find("c")->line == 5);
  auto why = parse_json_with_lines("{\n\"a\": 1,\n\"b\":\n}", d);
  REQUIRE(why);
  CHECK(why->line == 4);
}

TEST_CASE("ctl: a sound event file is read, whatever it is written in", "[tools][ctl]") {
  test::temp_folder folder;
  auto from_yaml = read_events({write(folder, "e.yaml", sound)}).front();
  CHECK(from_yaml.definition.capacity() == 6 + 3 + 2 + 10);
  CHECK(from_yaml.definition.sections[0].blocks[1].rows[1].seats[0].id == "special");
  auto from_json = read_events({write(folder, "e.json", from_yaml.json())}).front();
  CHECK(from_json.definition == from_yaml.definition);
  auto with_mark = read_events({write(folder, "m.yaml", "\xEF\xBB\xBF" + sound)}).front();
  CHECK(with_mark.definition == from_yaml.definition);
}

TEST_CASE("ctl: what is written as YAML reads back equal", "[tools][ctl]") {
  test::temp_folder folder;
  auto d = read_events({write(folder, "e.yaml", sound)}).front().definition;
  d.venue = "No: 5 # \"the\" hall, 100 %\nsecond line";
  d.categories[0].name = "yes";
  d.areas[0].name = "0123";
  d.sale_opens_at = d.starts_at - std::chrono::hours{100};
  d.identity = domain::identity_mode::anonymous;
  d.keep_active_after_booking = true;
  auto again = read_events({write(folder, "again.yaml", write_yaml(d, "# a heading\n"))}).front().definition;
  CHECK(again == d);
}

TEST_CASE("ctl: every mistake in an event file has its line, and stops all files", "[tools][ctl]") {
  test::temp_folder folder;

  struct slip {
    const char* from;
    const char* to;
    const char* told;
  };

  for (const auto& s : std::initializer_list<slip>{
           {"name: Demo\n", "", "e.yaml:1 /name is required"},
           {"name: Demo", "name: 17", "e.yaml:2 /name must be a string: put it in quotes, \"17\""},
           {"2030-01-02T20:00", "soon", "e.yaml:3 /startsAt must be a time such as"},
           {"Europe/Berlin", "Mars/Olympus", "e.yaml:4 /timeZone is not a known IANA time zone"},
           {"price: 1000", "price: 10.50", "e.yaml:6 /categories/0/price must be an integer"},
           {"price: 1000", "price: -1", "e.yaml:6 /categories/0/price must be between 0 and"},
           {"- {id: b,", "- {id: a, price: 0}\n  - {id: b,", "e.yaml:7 /categories/1/id "},
           {"seatsPerRow: 3", "seats: 3",
            "e.yaml:11 /sections/0/blocks/0/seatsPerRow is required when rows is a number"},
           {"seats: 5-7", "seats: 7-5", "e.yaml:15 /sections/0/blocks/1/rows/0/seats must be an array"},
           {"id: \"7\"", "id: 7", "e.yaml:16 /sections/0/blocks/1/rows/1/id must be a string: put it in quotes, \"7\""},
           {"id: special", "id: A-1-1", "e.yaml:18 /sections/0/blocks/1/rows/1/seats/0/id "},
           {"capacity: 10", "capacity: 0", "e.yaml:21 /areas/0/capacity "},
           {"category: b, capacity", "category: z, capacity", "e.yaml:21 /areas/0/category names no category"},
           {"usersPerMinute: 1200", "usersPerMinute: 0", "e.yaml:23 /admission/usersPerMinute "},
           {"usersPerMinute: 1200", "perMinute: 1200", "e.yaml:23 /admission/perMinute is not known here"},
           {"usersPerMinute: 1200", "usersPerMinute: 1200\nusersPerMinute: 3",
            "e.yaml:24 /usersPerMinute is not known"}}) {
    CAPTURE(s.from, s.to);
    auto told = mistakes_in({write(folder, "e.yaml", replaced(s.from, s.to)), write(folder, "sound.yaml", sound)});
    REQUIRE(!told.empty());
    CHECK_THAT(told.front(), Catch::StartsWith(s.told));
  }
}

TEST_CASE("ctl: several files are one thing: all of their mistakes, or all of them", "[tools][ctl]") {
  test::temp_folder folder;
  auto bad = write(folder, "bad.yaml", replaced("price: 1000", "price: -1"));
  auto broken = write(folder, "broken.yaml", "id: [\n");
  auto good = write(folder, "good.yaml", sound);
  auto told = mistakes_in({bad, broken, good, (folder.path() / "absent.yaml").string()});
  REQUIRE(told.size() == 3);
  CHECK_THAT(told[0], Catch::StartsWith("bad.yaml:6 /categories/0/price"));
  CHECK_THAT(told[1], Catch::StartsWith("broken.yaml:2 "));
  CHECK_THAT(told[2], Catch::Contains("can not read") && Catch::Contains("absent.yaml"));
  auto twice = mistakes_in({good, write(folder, "copy.yaml", sound)});
  REQUIRE(twice.size() == 1);
  CHECK_THAT(twice[0], Catch::StartsWith("copy.yaml:1 /id is also the id of"));
}

TEST_CASE("ctl: what is no text is refused before it is read", "[tools][ctl]") {
  test::temp_folder folder;
  auto told = mistakes_in({write(folder, "a", "id: x\nname: \"\x01\"\n"), write(folder, "b", "name: \xFF\n")});
  REQUIRE(told.size() == 2);
  CHECK_THAT(told[0], Catch::Contains("a:2") && Catch::Contains("not a text in UTF-8"));
  CHECK_THAT(told[1], Catch::Contains("not a text in UTF-8"));
  CHECK_THROWS_AS(read_text(folder.path().string()), failure);
}

TEST_CASE("ctl: mistakes a node finds in a file get the file's lines", "[tools][ctl]") {
  test::temp_folder folder;
  auto file = read_events({write(folder, "e.yaml", sound)}).front();
  auto told = located(file, {{{}, 0, "/categories/1/price", "is too low"}, {{}, 0, "/sections/0/blocks/9", "is odd"}});
  CHECK(told[0].line == 7);
  CHECK(told[1].line == 11); // the nearest there is
  CHECK(told[0].file == file.path);
}

TEST_CASE("ctl: the admin key comes from where the help says, in that order", "[tools][ctl]") {
  test::temp_folder folder;
  auto key = [&](const std::string& name, const std::string& text) {
    auto path = folder.path() / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream{path} << text << "\n";
    ::chmod(path.c_str(), 0600);
    return path;
  };
  auto here = *address_from("http://127.0.0.1:8080");
  settings s;
  auto find = [&](const node_address& node) { return find_admin_key(s, node, folder.path()); };
  ::unsetenv("SLUICE_ADMIN_KEY");
  ::unsetenv("SLUICE_ADMIN_KEY_FILE");
  CHECK(find(here).text.empty());
  CHECK(!find(here).note.empty());
  key("var/one/admin.key", "slk_one");
  CHECK(find(here).text == "slk_one");
  key("var/two/admin.key", "slk_two");
  CHECK(find(here).text.empty()); // which one?
  key("var/admin.key", "slk_var");
  CHECK(find(here).text == "slk_var");
  CHECK(find(*address_from("http://10.0.0.1:8080")).text.empty()); // not sent to another machine unasked
  ::setenv("SLUICE_ADMIN_KEY_FILE", key("file.key", "slk_file").c_str(), 1);
  CHECK(find(here).text == "slk_file");
  ::setenv("SLUICE_ADMIN_KEY", "slk_environment", 1);
  CHECK(find(here).text == "slk_environment");
  s.key_file = key("named.key", "slk_named");
  CHECK(find(*address_from("http://10.0.0.1:8080")).text == "slk_named");
  s.key_file = key("empty.key", "");
  CHECK_THROWS_AS(find(here), failure);
  s.key_file = folder.path() / "absent.key";
  CHECK_THROWS_AS(find(here), failure);
  ::unsetenv("SLUICE_ADMIN_KEY");
  ::unsetenv("SLUICE_ADMIN_KEY_FILE");
}

TEST_CASE("ctl: addresses of nodes", "[tools][ctl]") {
  CHECK(address_from("http://127.0.0.1:8080/")->text() == "http://127.0.0.1:8080");
  CHECK(address_from("http://example.org")->port == "80");
  CHECK(address_from("https://example.org")->port == "443");
  CHECK(address_from("https://example.org:8443/")->text() == "https://example.org:8443");
  CHECK(address_from("https://[::1]:81")->host_and_port() == "[::1]:81");
  CHECK(address_from("http://[::1]:81")->host == "::1");
  CHECK(address_from("http://[::1]:81")->is_loopback());
  CHECK(!address_from("http://example.org")->is_loopback());
  for (const char* bad : {"", "127.0.0.1:8080", "https://", "ftp://x", "http://", "http://:80", "http://x:0",
                          "http://x:99999", "http://x/y", "http://x:8 0", "http://[::1", "http://a b"}) {
    CAPTURE(bad);
    CHECK(!address_from(bad));
  }
  CHECK(url_part("a b/ü~-._9") == "a%20b%2F%C3%BC~-._9");
}

TEST_CASE("ctl: figures for people", "[tools][ctl]") {
  CHECK(money(4990, "EUR") == "49.90 EUR");
  CHECK(money(5, "EUR") == "0.05 EUR");
  CHECK(money(-4990, "EUR") == "-49.90 EUR");
  CHECK(money(50000, "KRW") == "50000 KRW");
  CHECK(money(123456789, "EUR", true).find("1,234,567.89") == 0);
  CHECK(tenths(12345) == "1234.5");
  CHECK(tenths(0) == "0.0");
  CHECK(printable("a\x1b[2Jb\n") == "a?[2Jb?");
  table t{{"NAME", "COUNT"}};
  t.add({"a", "7"}).add({"longer", "1234"});
  CHECK(t.lines() == std::vector<std::string>{"NAME    COUNT", "a           7", "longer   1234"});
}
