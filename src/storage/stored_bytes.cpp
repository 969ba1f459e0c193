#include "storage/stored_bytes.hpp"

#include "core/hash.hpp"
#include "storage/key_layout.hpp"

namespace sluice::storage {

namespace {

constexpr std::size_t entry_header = 8 + 8 + 1;
constexpr std::size_t vote_without_flag = 8 + 4;

std::uint64_t checksum(partition_id partition, log_index index, log_term term, std::uint8_t kind,
                       std::string_view payload) {
  std::string place;
  append_be(place, partition.value);
  append_be(place, index);
  append_be(place, term);
  place += static_cast<char>(kind);
  return hash_of(payload, hash_of(place));
}

void append_with_length(std::string& bytes, std::string_view text) {
  append_be(bytes, static_cast<std::uint32_t>(text.size()));
  bytes += text;
}

} // namespace

std::string encode_entry_header(partition_id partition, const stored_entry& e, std::string_view payload) {
  std::string bytes;
  bytes.reserve(entry_header);
  append_be(bytes, checksum(partition, e.index, e.term, e.kind, payload));
  append_be(bytes, e.term);
  bytes += static_cast<char>(e.kind);
  return bytes;
}

std::optional<stored_entry> decode_entry(partition_id partition, log_index index, std::string_view bytes) {
  if (bytes.size() < entry_header)
    return std::nullopt;
  stored_entry e;
  e.index = index;
  e.term = read_be<std::uint64_t>(bytes.substr(8));
  e.kind = static_cast<std::uint8_t>(bytes[16]);
  auto payload = bytes.substr(entry_header);
  if (read_be<std::uint64_t>(bytes) != checksum(partition, index, e.term, e.kind, payload))
    return std::nullopt;
  e.payload = std::make_shared<const std::string>(payload);
  return e;
}

std::string encode_vote(const vote_record& v) {
  std::string bytes;
  append_be(bytes, v.term);
  append_be(bytes, v.vote.value);
  bytes += v.rejoining ? '\1' : '\0';
  return bytes;
}

vote_record decode_vote(std::string_view bytes) {
  return {read_be<std::uint64_t>(bytes),
          {read_be<std::uint32_t>(bytes.substr(8))},
          bytes.size() > vote_without_flag && bytes[vote_without_flag] != 0};
}

std::string encode_checkpoint(const checkpoint_record& c, const std::set<std::uint64_t>& aborted, std::uint64_t base) {
  std::string bytes;
  append_be(bytes, c.number);
  append_be(bytes, c.index);
  append_be(bytes, c.term);
  append_be(bytes, static_cast<std::uint32_t>(aborted.size()));
  for (auto number : aborted)
    append_be(bytes, number);
  append_with_length(bytes, c.record);
  append_with_length(bytes, c.members);
  append_be(bytes, base);
  return bytes;
}

stored_checkpoint decode_checkpoint(std::string_view bytes) {
  stored_checkpoint found;
  auto& c = found.checkpoint;
  c.number = read_be<std::uint64_t>(bytes);
  c.index = read_be<std::uint64_t>(bytes.substr(8));
  c.term = read_be<std::uint64_t>(bytes.substr(16));
  auto count = read_be<std::uint32_t>(bytes.substr(24));
  auto rest = bytes.substr(28);
  for (; count > 0; --count, rest.remove_prefix(8))
    found.aborted.insert(read_be<std::uint64_t>(rest));
  auto take = [&] {
    auto length = read_be<std::uint32_t>(rest);
    std::string text{rest.substr(4, length)};
    rest.remove_prefix(4 + length);
    return text;
  };
  c.record = take();
  c.members = take();
  if (!rest.empty())
    found.base = read_be<std::uint64_t>(rest);
  return found;
}

} // namespace sluice::storage
