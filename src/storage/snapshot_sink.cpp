#include "storage/snapshot_sink.hpp"

#include "core/packed_bytes.hpp"

namespace sluice::storage {

bool apply_chunk(log_store& store, const chunk_place& asked, std::uint64_t own_number, const snapshot_chunk& chunk) {
  if (chunk.checksum != checksum_of(asked, chunk))
    return false;
  if (!chunk.next.empty() && !read_position(chunk.next))
    return false;
  auto records = unpack(chunk.bytes, chunk_unpacked_max);
  auto content = records ? read_records(*records) : std::nullopt;
  if (!content)
    return false;
  if (!content->pieces.empty())
    store.put_pieces(asked.partition, own_number, content->pieces);
  if (!content->feed.empty())
    store.put_feed(asked.partition, content->feed);
  return true;
}

} // namespace sluice::storage
