// A checkpoint on its way to another replica: what a chunk of it looks like. Pure; shared by source and sink.
//
//   chunk bytes   records, packed (core/packed_bytes.hpp)
//   record        length of the rest (4), type (1), then
//     piece       event (4) kind (1) block (4) user length (2) user piece number (4) bytes
//     facts       index (8) bytes
// Integers are big endian. Pieces come first, by entity and number; then facts, by index.
#pragma once

#include "storage/log_store.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::storage {

/// Which chunk. `number` is the checkpoint's at the source; `position` what the chunk before it said, empty for the first.
struct chunk_place {
  partition_id partition;
  std::uint64_t number = 0;
  std::string position;
};

struct snapshot_chunk {
  std::string next; // where to read on; empty: this was the last
  std::string bytes;
  std::uint64_t checksum = 0; // over the place, `next` and `bytes`
};

std::uint64_t checksum_of(const chunk_place& place, const snapshot_chunk& chunk);

/// More than this in one chunk, unpacked, is refused.
constexpr std::size_t chunk_unpacked_max = 64 * 1024 * 1024;
/// Smaller ones are not worth their round trip, larger ones hold up what shares the link.
constexpr std::size_t chunk_bytes_min = 64 * 1024;
constexpr std::size_t chunk_bytes_max = 256 * 1024;

// ---- records -----------------------------------------------------------------------------------------------------------

std::size_t piece_record_size(const entity_ref& of, std::string_view bytes);
std::size_t feed_record_size(std::string_view record);
void append_piece(std::string& records, const entity_ref& of, std::uint32_t number, std::string_view bytes);
void append_feed_record(std::string& records, log_index index, std::string_view record);

struct chunk_content {
  std::vector<piece_write> pieces;
  std::vector<feed_write> feed;
};

/// Empty if anything is wrong with them: lengths, ids, order.
std::optional<chunk_content> read_records(std::string_view records);

// ---- positions ---------------------------------------------------------------------------------------------------------

/// Where a scan goes on: behind a piece, or, once all pieces are through, behind the facts of an entry.
struct scan_place {
  std::optional<checkpoint_image::place> piece;
  std::optional<log_index> feed;
};

std::string position_of(const checkpoint_image::place& piece);
std::string position_of(log_index feed);
/// Empty unless it is one that was given out.
std::optional<scan_place> read_position(std::string_view position);

} // namespace sluice::storage
