// Bytes for another node, smaller: what is read from a log or a checkpoint to be sent. See src/storage/README.md for figures.
//
//   packed   form (1: 0 as it is, 1 zstd), then the bytes
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace sluice {

/// Compressed if that makes them smaller. Any thread; each keeps a megabyte for it.
std::string pack(std::string_view bytes);
/// Empty unless `packed` is what `pack` makes of at most `bytes_max` bytes.
std::optional<std::string> unpack(std::string_view packed, std::size_t bytes_max);

} // namespace sluice
