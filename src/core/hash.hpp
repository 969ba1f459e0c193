// Fast hashes for tables and checksums. Not for secrets.
#pragma once

#include <cstdint>
#include <string_view>

namespace sluice {

/// XXH3, 64 bits. The same on every machine and version: it may be stored.
std::uint64_t hash_of(std::string_view bytes, std::uint64_t seed = 0) noexcept;

/// Spreads an integer over all 64 bits (the finaliser of MurmurHash3).
constexpr std::uint64_t mix(std::uint64_t x) noexcept {
  x ^= x >> 33;
  x *= 0xFF51AFD7ED558CCDull;
  x ^= x >> 33;
  x *= 0xC4CEB9FE1A85EC53ull;
  x ^= x >> 33;
  return x;
}

} // namespace sluice
