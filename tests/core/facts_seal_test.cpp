#include "core/facts_seal.hpp"

#include <catch2/catch.hpp>

using namespace sluice;

TEST_CASE("facts_seal: one has one text", "[core]") {
  facts_seal s{120, std::string(64, 'a')};
  CHECK(to_text(s) == "120-" + std::string(64, 'a'));
  CHECK(facts_seal_from(to_text(s)) == s);
  CHECK(facts_seal_from("0-" + s.digest) == facts_seal{0, s.digest});
  CHECK(facts_seal_from("18446744073709551615-" + s.digest).has_value());

  for (const auto& text :
       {std::string{}, s.digest, "-" + s.digest, "0120-" + s.digest, "+1-" + s.digest, "-1-" + s.digest,
        " 1-" + s.digest, "1 -" + s.digest, "1-" + s.digest + "a", "1_" + s.digest, "18446744073709551616-" + s.digest,
        "1-" + std::string(64, 'A'), "1-" + std::string(64, 'g'), "1-" + s.digest.substr(1)})
    CHECK_FALSE(facts_seal_from(text).has_value());
}
