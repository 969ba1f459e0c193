#include "cluster/link/frame.hpp"

#include "core/hash.hpp"

namespace sluice::link {

namespace {

template <class Integer>
void put(unsigned char* at, Integer value) {
  for (std::size_t i = 0; i < sizeof(Integer); ++i)
    at[i] = static_cast<unsigned char>(value >> (8 * (sizeof(Integer) - 1 - i)));
}

template <class Integer>
Integer get(const unsigned char* at) {
  Integer value = 0;
  for (std::size_t i = 0; i < sizeof(Integer); ++i)
    value = static_cast<Integer>(value << 8 | at[i]);
  return value;
}

} // namespace

frame_header header_of(std::string_view body) {
  frame_header header{};
  put(header.data(), static_cast<std::uint32_t>(body.size()));
  put(header.data() + 4, hash_of(body));
  return header;
}

frame_info read_header(const frame_header& header) {
  return {get<std::uint32_t>(header.data()), get<std::uint64_t>(header.data() + 4)};
}

bool matches(const frame_info& info, std::string_view body) {
  return info.length == body.size() && info.checksum == hash_of(body);
}

void append_item(std::string& envelope, std::string_view item) {
  envelope += '\x0A'; // field 1, length-delimited
  auto length = item.size();
  for (; length >= 0x80; length >>= 7)
    envelope += static_cast<char>(length | 0x80);
  envelope += static_cast<char>(length);
  envelope += item;
}

} // namespace sluice::link
