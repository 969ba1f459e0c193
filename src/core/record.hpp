// How an entity's state goes into a checkpoint and comes back: numbered pieces of opaque bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace sluice {

/// A piece that changed since the last checkpoint. `bytes` is called once, later, possibly on another thread: it must own
/// what it encodes. Empty: the piece is gone.
struct record_piece {
  std::uint32_t number = 0;
  std::function<std::string()> bytes;
};

using record_pieces = std::vector<record_piece>;

/// All pieces of one entity, in number order.
using loaded_pieces = std::vector<std::pair<std::uint32_t, std::string>>;

} // namespace sluice
