// Ids as people and URLs see them.
#pragma once

#include "core/ids.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sluice {

/// RFC 4648 base32, lower case, no padding.
std::string base32(std::span<const std::uint8_t> bytes);

/// Lower-case hexadecimal.
std::string hex(std::span<const std::uint8_t> bytes);
/// Both cases accepted; empty on anything else or on an odd length.
std::optional<std::string> from_hex(std::string_view text);

std::string to_text(const hold_id& id);
std::string to_text(const reservation_id& id);
std::string to_text(const admission_id& id);

/// Empty when the text is not exactly one id in its canonical form.
std::optional<hold_id> hold_id_from(std::string_view text);
std::optional<reservation_id> reservation_id_from(std::string_view text);
std::optional<admission_id> admission_id_from(std::string_view text);

/// Ids in paths and files (events, blocks, areas, categories, seats): 1 to 64 of [A-Za-z0-9._~-], not "." or "..".
bool is_valid_name(std::string_view text);

/// User ids are the caller's own: 1 to 128 bytes of UTF-8 without control, direction or zero-width characters.
bool is_valid_user(std::string_view text);

/// Well-formed UTF-8 (no overlong forms, surrogates, or values above U+10FFFF).
bool is_utf8(std::string_view text);

} // namespace sluice
