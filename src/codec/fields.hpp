// Small conversions shared by the codecs of this room.
#pragma once

#include "core/assert.hpp"
#include "core/ids.hpp"
#include "core/record.hpp"
#include "core/time.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace sluice::codec {

/// Fixed-size ids travel as bytes.
template <class Id>
std::string bytes_of(const Id& id) {
  return {reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()};
}

/// False unless the size fits exactly.
template <class Id>
[[nodiscard]] bool read_id(const std::string& bytes, Id& id) {
  if (bytes.size() != id.bytes.size())
    return false;
  std::copy(bytes.begin(), bytes.end(), id.bytes.begin());
  return true;
}

/// For checkpoints, which carry checksums: a misfit is a bug, not bad input.
template <class Id>
Id id_from(const std::string& bytes) {
  Id id;
  SLUICE_ASSERT(read_id(bytes, id), "an id of the wrong size in a checkpoint");
  return id;
}

/// False unless the number is one of the enum's, which has no gaps from `least` to `most`.
template <class Enum>
[[nodiscard]] bool in_range(std::uint32_t value, Enum least, Enum most) {
  return value >= static_cast<std::uint32_t>(least) && value <= static_cast<std::uint32_t>(most);
}

/// False unless the number is within the years 0 to 9999, which is all that can be written as a date: what is beyond
/// would overflow in the next addition.
[[nodiscard]] inline bool read_time(std::int64_t ms, wall_time& t) {
  constexpr std::int64_t least = -62'167'219'200'000;
  constexpr std::int64_t most = 253'402'300'799'999;
  t = wall_time_from_ms(ms);
  return ms >= least && ms <= most;
}

/// Bytes of a peer. False unless they are such a message.
template <class Proto>
[[nodiscard]] bool parse(std::string_view bytes, Proto& p) {
  return bytes.size() <= std::numeric_limits<int>::max() &&
         p.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

template <class Proto>
Proto parsed(const std::string& bytes) {
  Proto p;
  SLUICE_ASSERT(p.ParseFromString(bytes), "a checkpoint piece does not parse");
  return p;
}

/// The one piece of an entity that has only one; null if it has none yet.
inline const std::string* only_piece(const loaded_pieces& pieces) {
  return pieces.empty() ? nullptr : &pieces.front().second;
}

/// One piece, encoded now.
inline record_pieces one_piece(std::string bytes) {
  record_pieces pieces;
  pieces.push_back({0, [owned = std::move(bytes)] { return owned; }});
  return pieces;
}

} // namespace sluice::codec
