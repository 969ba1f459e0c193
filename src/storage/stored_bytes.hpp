// The values in RocksDB as bytes. Integers are big endian, as in keys.
#pragma once

#include "storage/log_store.hpp"

#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace sluice::storage {

/// What goes before an entry's payload: checksum, term, kind.
std::string encode_entry_header(partition_id partition, const stored_entry& e, std::string_view payload);
/// Empty when the bytes are not the entry that belongs there.
std::optional<stored_entry> decode_entry(partition_id partition, log_index index, std::string_view bytes);

std::string encode_vote(const vote_record& v);
/// Also of records from before a vote knew that its log was once lost.
vote_record decode_vote(std::string_view bytes);

struct stored_checkpoint {
  checkpoint_record checkpoint;
  std::set<std::uint64_t> aborted; // begun before it, never in force
  std::uint64_t base = 0;          // pieces with a lower number are not of this checkpoint's line
};

std::string encode_checkpoint(const checkpoint_record& c, const std::set<std::uint64_t>& aborted, std::uint64_t base);
/// Also of records from before there was a base.
stored_checkpoint decode_checkpoint(std::string_view bytes);

} // namespace sluice::storage
