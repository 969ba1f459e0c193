// The receiving end of a checkpoint's way from another replica.
#pragma once

#include "storage/log_store.hpp"
#include "storage/snapshot_chunk.hpp"

namespace sluice::storage {

/// Writes the chunk got for `asked` into the store: pieces under `own_number`, an attempt of this replica that is durable
/// already, and facts. False if anything about the chunk is wrong; nothing of it is written then, and it can be asked for
/// again. Applying a chunk twice changes nothing.
/// Nothing counts before the install that follows the last chunk and a flush. Holds no more than one chunk in memory, and
/// waits for a disk that can not keep up: call it from a background thread.
bool apply_chunk(log_store& store, const chunk_place& asked, std::uint64_t own_number, const snapshot_chunk& chunk);

} // namespace sluice::storage
