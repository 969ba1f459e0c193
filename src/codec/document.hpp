// A small document tree for what people and clients write: JSON bodies and YAML files. Strict where it matters: integers
// stay integers, keys are unique, depth and size are bounded.
#pragma once

#include "core/errc.hpp"
#include "core/result.hpp"

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::codec {

struct document_field;

struct document {
  enum class kind : std::uint8_t { null, boolean, integer, real, string, array, object };

  document::kind is = kind::null;
  bool boolean = false;
  std::int64_t integer = 0;
  std::string text;                   // string; of a real, its digits
  std::vector<document> items;        // array
  std::vector<document_field> fields; // object, in file order
  int line = 0;                       // where it stands, from 1; 0: unknown

  const document* find(std::string_view name) const;
};

struct document_field {
  std::string name;
  document value;
};

struct json_limits {
  std::size_t depth_max = 32;
  std::size_t values_max = 10'000; // values and keys together
  std::size_t keys_max = 256;      // of one object
};

/// Parses one JSON text (RFC 8259), nothing more: no comments, no trailing comma, no byte-order mark, no duplicate key, no
/// number beyond 64 bits where it has no fraction. The error's detail says what is wrong, and never echoes the input.
result<document> parse_json(std::string_view text, const json_limits& limits = {});

/// One mistake in a document, by RFC 6901 pointer.
struct document_error {
  errc code{};
  std::string pointer;
  std::string detail;
  int line = 0;
};

/// Reads the fields of one object and collects what is wrong with them. Every field must be asked for, or `finish`
/// complains about it.
class object_reader {
public:
  object_reader(const document& object, std::string pointer, std::vector<document_error>& errors);

  /// Missing or null leaves `to` as it is; with `required` a missing field is a mistake.
  object_reader& read(std::string_view name, std::string& to, bool required = false);
  object_reader& read(std::string_view name, bool& to, bool required = false);

  /// Integers must lie in [least, most].
  template <class Integer>
  object_reader& read(std::string_view name, Integer& to, std::int64_t least, std::int64_t most,
                      bool required = false) {
    if (auto value = integer(name, least, most, required))
      to = static_cast<Integer>(*value);
    return *this;
  }

  template <class Integer>
  object_reader& read(std::string_view name, std::optional<Integer>& to, std::int64_t least, std::int64_t most) {
    if (auto value = integer(name, least, most, false))
      to = static_cast<Integer>(*value);
    return *this;
  }

  /// The field if it is there and of this kind; null (and a mistake if `required` or of another kind) otherwise.
  const document* take(std::string_view name, document::kind kind, bool required = false);
  /// The field whatever it is.
  const document* take(std::string_view name);

  void fail(std::string_view name, std::string detail, errc code = errc::bad_value);
  std::string pointer_to(std::string_view name) const;

  /// Complains about every field nobody asked for.
  void finish();

private:
  std::optional<std::int64_t> integer(std::string_view name, std::int64_t least, std::int64_t most, bool required);

  const document& object_;
  std::string pointer_;
  std::vector<document_error>& errors_;
  std::vector<bool> used_;
};

std::string_view name_of(document::kind kind);

/// Appends a JSON string literal, quotes included.
void append_json(std::string& out, std::string_view text);

/// Writes JSON with plain appends: the fastest way to build an answer, and the only one used.
class json_writer {
public:
  explicit json_writer(std::string& out) : out_{out} {}

  json_writer& begin_object() { return open('{'); }

  json_writer& end_object() { return close('}'); }

  json_writer& begin_array() { return open('['); }

  json_writer& end_array() { return close(']'); }

  json_writer& key(std::string_view name) {
    comma();
    append_json(out_, name);
    out_ += ':';
    fresh_ = true;
    return *this;
  }

  json_writer& string(std::string_view text) {
    comma();
    append_json(out_, text);
    return *this;
  }

  json_writer& integer(std::int64_t value);
  json_writer& number(std::uint64_t value);

  json_writer& boolean(bool value) { return raw(value ? "true" : "false"); }

  json_writer& null() { return raw("null"); }

  /// Text that is JSON already.
  json_writer& raw(std::string_view json) {
    comma();
    out_ += json;
    return *this;
  }

  json_writer& field(std::string_view name, std::string_view text) { return key(name).string(text); }

  json_writer& field(std::string_view name, const char* text) { return key(name).string(text); }

  template <std::integral Integer>
  json_writer& field(std::string_view name, Integer value) {
    key(name);
    if constexpr (std::is_same_v<Integer, bool>)
      return boolean(value);
    else if constexpr (std::is_signed_v<Integer>)
      return integer(value);
    else
      return number(value);
  }

private:
  json_writer& open(char c) {
    comma();
    out_ += c;
    fresh_ = true;
    return *this;
  }

  json_writer& close(char c) {
    out_ += c;
    fresh_ = false;
    return *this;
  }

  void comma() {
    if (!fresh_)
      out_ += ',';
    fresh_ = false;
  }

  std::string& out_;
  bool fresh_ = true;
};

/// RFC 8785-like canonical form (keys sorted): equal documents give equal bytes, for idempotency fingerprints.
std::string canonical_json(const document& d);

} // namespace sluice::codec
