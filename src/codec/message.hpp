// Commands, queries and notes as bytes: what is in logs, outboxes and node-to-node envelopes.
#pragma once

#include "domain/effects.hpp"
#include "domain/messages.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace sluice::codec {

/// Only messages that cross a log have a wire form; a tell has none and stops the process.
std::string encode(const domain::message& m);

/// Empty when the bytes are not a message of this version. From a log that is fatal (never skip an entry), from a client
/// or peer it is refused.
std::optional<domain::message> decode_message(std::string_view bytes);

/// False for bytes no version ever wrote: not of the wire format, or text that is not UTF-8. Every version finds them so.
bool is_well_formed_message(std::string_view bytes);

/// For people: the message as JSON, with what nobody should read in a log (cards, keys, whole plans) left out.
std::string describe_message(std::string_view bytes);

std::string encode(const domain::charge& c);
std::optional<domain::charge> decode_charge(std::string_view bytes);

/// Names a charge among an entity's open effects: (reservation, step).
std::string charge_key(const reservation_id& id, domain::charge_step step);

} // namespace sluice::codec
