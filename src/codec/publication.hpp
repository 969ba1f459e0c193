// Publications as bytes: what a leader's node pushes to the bridges of all others.
#pragma once

#include "domain/publications.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace sluice::codec {

std::string encode(const domain::publication& p);

/// Empty when the bytes are no publication of this version, or name what no machine has: bridges index by block, seat
/// and category without asking again. Total: a peer may send anything.
std::optional<domain::publication> decode_publication(std::string_view bytes);

} // namespace sluice::codec
