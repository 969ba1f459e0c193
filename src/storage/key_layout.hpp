// Where everything lies in RocksDB. Integers are big endian, so that byte order is number order.
#pragma once

#include "core/entity.hpp"
#include "core/ids.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::storage {

// Column families:
//   default  node facts "N" name · votes "V" partition · checkpoint attempts "A" partition · checkpoint in force "C" partition
//           pieces to sweep "D" partition
//   log      partition (2) index (8)                      → checksum (8) term (8) kind (1) payload
//   state    partition (2) event (4) kind (1) block (4) user 0x00 piece (4) ~checkpoint (8) → flag (1) bytes
//   feed     partition (2) index (8)                      → FeedRecord
// A user id holds no control character, so 0x00 ends it. The complement puts the newest checkpoint's version first.

template <class Integer>
void append_be(std::string& key, Integer value) {
  for (int shift = 8 * (static_cast<int>(sizeof(Integer)) - 1); shift >= 0; shift -= 8)
    key += static_cast<char>(value >> shift);
}

template <class Integer>
Integer read_be(std::string_view bytes) {
  Integer value = 0;
  for (std::size_t i = 0; i < sizeof(Integer); ++i)
    value = static_cast<Integer>(value << 8 | static_cast<unsigned char>(bytes[i]));
  return value;
}

inline std::string partition_prefix(partition_id partition) {
  std::string key;
  append_be(key, static_cast<std::uint16_t>(partition.value));
  return key;
}

/// Of the log and the feed.
inline std::string index_key(partition_id partition, log_index index) {
  auto key = partition_prefix(partition);
  append_be(key, index);
  return key;
}

inline log_index index_of(std::string_view key) {
  return read_be<std::uint64_t>(key.substr(2));
}

inline std::string meta_key(char what, partition_id partition) {
  std::string key(1, what);
  return key + partition_prefix(partition);
}

/// The start of all keys of a placement group, and of those after it.
inline std::string group_prefix(partition_id partition, std::uint64_t event) {
  auto key = partition_prefix(partition);
  append_be(key, static_cast<std::uint32_t>(event));
  return key;
}

inline std::string entity_prefix(partition_id partition, const entity_ref& of) {
  auto key = group_prefix(partition, of.event.value);
  key += static_cast<char>(of.kind);
  append_be(key, of.block.value);
  key += of.user;
  key += '\0';
  return key;
}

/// Piece number and complement of the checkpoint number.
constexpr std::size_t version_suffix = 4 + 8;

inline std::string piece_key(const std::string& entity, std::uint32_t piece, std::uint64_t checkpoint) {
  auto key = entity;
  append_be(key, piece);
  append_be(key, ~checkpoint);
  return key;
}

/// Nothing of ours lies below: partition, group, kind, block, the end of an empty user, and the version.
constexpr std::size_t piece_key_min = 2 + 4 + 1 + 4 + 1 + version_suffix;

/// Of a piece's key.
inline entity_ref entity_of(std::string_view key) {
  constexpr std::size_t user_at = 2 + 4 + 1 + 4;
  return {{read_be<std::uint32_t>(key.substr(2))},
          static_cast<entity_kind>(key[6]),
          {read_be<std::uint32_t>(key.substr(7))},
          std::string{key.substr(user_at, key.size() - user_at - 1 - version_suffix)}};
}

inline std::uint32_t piece_of(std::string_view key) {
  return read_be<std::uint32_t>(key.substr(key.size() - version_suffix));
}

inline std::uint64_t checkpoint_of(std::string_view key) {
  return ~read_be<std::uint64_t>(key.substr(key.size() - 8));
}

} // namespace sluice::storage
