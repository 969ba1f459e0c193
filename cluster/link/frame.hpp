// How bytes travel between nodes: length, checksum, bytes. A frame is bounded before anything is allocated for it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::link {

constexpr std::size_t frame_header_size = 12;
using frame_header = std::array<unsigned char, frame_header_size>;

constexpr std::size_t greeting_max = 64 * 1024;     // before the other end is known
constexpr std::size_t frame_max = 64 * 1024 * 1024; // of a known peer

struct frame_info {
  std::uint32_t length = 0;
  std::uint64_t checksum = 0;
};

frame_header header_of(std::string_view body);
frame_info read_header(const frame_header& header);
bool matches(const frame_info& info, std::string_view body);

/// Appends one length-delimited field 1, the way an Envelope's items lie in its bytes.
void append_item(std::string& envelope, std::string_view item);

} // namespace sluice::link
