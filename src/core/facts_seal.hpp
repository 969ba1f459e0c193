// A seal on an event's facts: what was recorded up to a moment, as one line of text that somebody keeps elsewhere.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice {

/// Of the first `facts` facts: the SHA-256 of all of them, in order, with their index and wall time. Who keeps it can
/// tell later that none of them was changed, taken away or put between.
struct facts_seal {
  std::uint64_t facts = 0;
  std::string digest; // 64 hexadecimal digits, lower case

  friend bool operator==(const facts_seal&, const facts_seal&) = default;
};

/// As in "120-9f86d0…".
std::string to_text(const facts_seal& s);
/// Empty on anything else.
std::optional<facts_seal> facts_seal_from(std::string_view text);

} // namespace sluice
