// What an entity is made from when it becomes active. For hosts.
#pragma once

#include "cluster/partition/types.hpp"

#include <algorithm>

namespace sluice::partition {

/// `load()`: the pieces of the checkpoint in force, asked for only if they are needed.
template <class Load>
loaded_pieces pieces_of(activation how, const kept_pieces& record, Load&& load) {
  loaded_pieces pieces;
  if (how != activation::kept)
    pieces = load();
  for (const auto& [number, bytes] : record) {
    auto at = std::lower_bound(pieces.begin(), pieces.end(), number,
                               [](const auto& p, std::uint32_t n) { return p.first < n; });
    if (at == pieces.end() || at->first != number)
      at = pieces.emplace(at, number, std::string{});
    at->second = *bytes;
  }
  return pieces;
}

} // namespace sluice::partition
