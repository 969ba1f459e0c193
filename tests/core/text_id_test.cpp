#include "core/text_id.hpp"

#include <catch2/catch.hpp>

using namespace sluice;

TEST_CASE("text_id: an id's text leads back to it, and no other text does", "[core]") {
  std::array<std::uint8_t, 14> random{1, 2, 3, 250, 251, 252, 253, 254, 255, 0, 128, 64, 32, 16};
  auto id = make_routed_id<hold_id>({4095}, {0x01020304}, random);
  auto text = to_text(id);
  CHECK(text.size() == 32);
  CHECK(hold_id_from(text) == id);
  CHECK(id.slot().value == 4095);
  CHECK(id.event().value == 0x01020304);
  CHECK_FALSE(hold_id_from(text.substr(1)));
  CHECK_FALSE(hold_id_from(text + "a"));
  auto upper = text;
  upper[0] = 'A';
  CHECK_FALSE(hold_id_from(upper)); // one id, one text
}

TEST_CASE("text_id: names are plain, and never climb out of a folder", "[core]") {
  for (auto good : {"a", "concert-2027", "A.b_c~d", "..."})
    CHECK(is_valid_name(good));
  for (auto bad : {"", ".", "..", "a/b", "a b", "é", "a\n", "%2e"})
    CHECK_FALSE(is_valid_name(bad));
  CHECK_FALSE(is_valid_name(std::string(65, 'a')));
  CHECK_FALSE(is_valid_name(std::string_view{"a\0b", 3}));
}

TEST_CASE("text_id: users may be named in any script, but not deceive", "[core]") {
  for (auto good : {"alice", "alice@example.org", "김철수", "Ωmega 7", "🎫"})
    CHECK(is_valid_user(good));
  for (auto bad : {"", "a\nb", "\x7f", "zero\xE2\x80\x8Bwidth", "\xE2\x80\xAEright-to-left", "\xEF\xBB\xBFmark", "\xff",
                   "\xC0\x80", "\xED\xA0\x80", "cut\xE2\x80"})
    CHECK_FALSE(is_valid_user(bad));
  CHECK(is_valid_user(std::string(128, 'x')));
  CHECK_FALSE(is_valid_user(std::string(129, 'x')));
}

TEST_CASE("text_id: hex goes both ways", "[core]") {
  CHECK(from_hex("00ffA5") == std::string("\x00\xff\xa5", 3));
  CHECK_FALSE(from_hex("abc"));
  CHECK_FALSE(from_hex("zz"));
}
