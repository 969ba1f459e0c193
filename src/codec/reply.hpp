// Replies as bytes: what a leader's node sends to the bridge that asked.
#pragma once

#include "domain/replies.hpp"
#include "domain/request_memory.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace sluice::proto {
class RequestMemory;
class ReservationReply;
} // namespace sluice::proto

namespace sluice::codec {

std::string encode(const domain::reply& r);

/// Empty when the bytes are no reply of this version. Total: a peer may send anything.
std::optional<domain::reply> decode_reply(std::string_view bytes);

void encode(const domain::reservation_reply& from, proto::ReservationReply& to);
/// False when it makes no sense.
[[nodiscard]] bool read(const proto::ReservationReply& from, domain::reservation_reply& to);

void encode(const domain::request_memory& from, proto::RequestMemory& to);
/// Of a checkpoint: what makes no sense is a bug.
domain::request_memory decode(const proto::RequestMemory& from);

} // namespace sluice::codec
