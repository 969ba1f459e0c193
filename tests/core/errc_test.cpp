#include "core/errc.hpp"

#include <catch2/catch.hpp>

#include <set>
#include <string>

using namespace sluice;

TEST_CASE("errc: every code has its own word, and the word leads back", "[core]") {
  std::set<std::string_view> words;
  for (int i = 0; i < 256; ++i) {
    auto e = static_cast<errc>(i);
    auto word = code_of(e);
    if (word == "INTERNAL" && e != errc::internal)
      continue; // no such code
    CHECK(words.insert(word).second);
    CHECK(errc_from_code(word) == e);
  }
  CHECK(words.size() > 50);
  CHECK(errc_from_code("NO_SUCH_WORD") == errc::internal);
}
