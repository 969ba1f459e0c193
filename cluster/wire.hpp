// Messages between replicas as bytes, and back. Decoding is total: bytes that are no such message give nothing.
#pragma once

#include "cluster/raft/types.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace sluice::wire {

std::string encode_raft(const raft::message& m);

/// Only the form is checked here; the core checks the sense.
std::optional<raft::message> decode_raft(std::string_view bytes);

} // namespace sluice::wire
