// Small conversions shared by the codecs of this room.
#pragma once

#include "core/assert.hpp"
#include "core/ids.hpp"
#include "core/record.hpp"
#include "core/time.hpp"

#include <algorithm>
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
