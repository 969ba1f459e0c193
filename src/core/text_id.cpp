#include "core/text_id.hpp"

#include <algorithm>

namespace sluice {

namespace {

constexpr std::string_view base32_digits = "abcdefghijklmnopqrstuvwxyz234567";

template <class Id>
std::optional<Id> routed_from(std::string_view text) {
  Id made;
  if (text.size() != 32) // 160 bits in 5-bit digits
    return std::nullopt;
  std::uint64_t bits = 0;
  unsigned held = 0;
  std::size_t at = 0;
  for (char c : text) {
    auto digit = base32_digits.find(c);
    if (digit == std::string_view::npos)
      return std::nullopt;
    bits = bits << 5 | digit;
    held += 5;
    if (held >= 8) {
      held -= 8;
      made.bytes[at++] = static_cast<std::uint8_t>(bits >> held);
    }
  }
  return made;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

/// Length of the UTF-8 sequence at `at` and its code point; length 0 when malformed.
struct code_point {
  unsigned length = 0;
  char32_t value = 0;
};

code_point decode_at(std::string_view text, std::size_t at) {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  auto first = byte(at);
  if (first < 0x80)
    return {1, first};
  unsigned length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || at + length > text.size())
    return {};
  char32_t value = first & (0x7Fu >> length);
  for (unsigned i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80)
      return {};
    value = value << 6 | (byte(at + i) & 0x3F);
  }
  constexpr char32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  if (value < least[length] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
    return {};
  return {length, value};
}

/// Characters that make two different ids look the same, or reorder the text around them.
bool is_deceptive(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0xAD || c == 0x61C || (c >= 0x200B && c <= 0x200F) ||
         (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFB);
}

} // namespace

std::string base32(std::span<const std::uint8_t> bytes) {
  std::string text;
  text.reserve((bytes.size() * 8 + 4) / 5);
  std::uint64_t bits = 0;
  unsigned held = 0;
  for (auto byte : bytes) {
    bits = bits << 8 | byte;
    held += 8;
    while (held >= 5) {
      held -= 5;
      text += base32_digits[bits >> held & 31];
    }
  }
  if (held > 0)
    text += base32_digits[bits << (5 - held) & 31];
  return text;
}

std::string hex(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (auto byte : bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

std::optional<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0)
    return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    int high = hex_digit(text[i]);
    int low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0)
      return std::nullopt;
    bytes += static_cast<char>(high << 4 | low);
  }
  return bytes;
}

std::string to_text(const hold_id& id) {
  return base32(id.bytes);
}

std::string to_text(const reservation_id& id) {
  return base32(id.bytes);
}

std::string to_text(const admission_id& id) {
  return hex(id.bytes);
}

std::optional<hold_id> hold_id_from(std::string_view text) {
  return routed_from<hold_id>(text);
}

std::optional<reservation_id> reservation_id_from(std::string_view text) {
  return routed_from<reservation_id>(text);
}

std::optional<admission_id> admission_id_from(std::string_view text) {
  auto bytes = from_hex(text);
  admission_id made;
  if (!bytes || bytes->size() != made.bytes.size())
    return std::nullopt;
  std::copy(bytes->begin(), bytes->end(), made.bytes.begin());
  return made;
}

bool is_valid_name(std::string_view text) {
  if (text.empty() || text.size() > 64 || text == "." || text == "..")
    return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '~' || c == '-';
  });
}

bool is_valid_user(std::string_view text) {
  if (text.empty() || text.size() > 128)
    return false;
  for (std::size_t at = 0; at < text.size();) {
    auto [length, value] = decode_at(text, at);
    if (length == 0 || is_deceptive(value))
      return false;
    at += length;
  }
  return true;
}

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    auto length = decode_at(text, at).length;
    if (length == 0)
      return false;
    at += length;
  }
  return true;
}

} // namespace sluice
