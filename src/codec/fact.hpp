// Facts and the feed records that carry them.
#pragma once

#include "domain/facts.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace sluice::codec {

std::string encode(const domain::fact& f);
std::optional<domain::fact> decode_fact(std::string_view bytes);

} // namespace sluice::codec
