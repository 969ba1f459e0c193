#include "core/hash.hpp"

#include <xxhash.h>

namespace sluice {

std::uint64_t hash_of(std::string_view bytes, std::uint64_t seed) noexcept {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

} // namespace sluice
