#include "core/facts_seal.hpp"

#include <algorithm>
#include <charconv>

namespace sluice {

std::string to_text(const facts_seal& s) {
  return std::to_string(s.facts) + "-" + s.digest;
}

std::optional<facts_seal> facts_seal_from(std::string_view text) {
  constexpr std::size_t digits = 64;
  if (text.size() <= digits + 1)
    return std::nullopt;
  auto count = text.substr(0, text.size() - digits - 1);
  facts_seal s;
  auto parsed = std::from_chars(count.data(), count.data() + count.size(), s.facts);
  s.digest = text.substr(text.size() - digits);
  bool is_hex = std::all_of(s.digest.begin(), s.digest.end(),
                            [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (parsed.ec != std::errc{} || to_text(s) != text || !is_hex) // one seal has one text
    return std::nullopt;
  return s;
}

} // namespace sluice
