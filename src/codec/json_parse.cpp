// JSON text to document, on Boost.JSON's streaming parser.
#include "codec/document.hpp"

#include <boost/json/basic_parser_impl.hpp>

#include <cmath>
#include <limits>

namespace sluice::codec {

namespace json = boost::json;

namespace {

/// Builds the tree as the parser calls. `refused` says why it stopped the parse.
struct tree_builder {
  static constexpr std::size_t max_object_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_array_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_key_size = 1024;
  static constexpr std::size_t max_string_size = std::numeric_limits<std::size_t>::max();

  document root;
  std::vector<document*> open; // arrays and objects being filled
  std::string key;
  std::string text;
  const char* refused = nullptr;
  std::size_t values = 0;
  std::size_t values_max = 0;
  std::size_t keys_max = 0;

  bool refuse(const char* why, json::error_code& ec) {
    refused = why;
    ec = json::error::syntax;
    return false;
  }

  document* place(json::error_code& ec) {
    if (++values > values_max) {
      refuse("it has too many values", ec);
      return nullptr;
    }
    if (open.empty())
      return &root;
    auto& parent = *open.back();
    if (parent.is == document::kind::array)
      return &parent.items.emplace_back();
    if (parent.fields.size() >= keys_max) {
      refuse("an object has too many keys", ec);
      return nullptr;
    }
    for (const auto& field : parent.fields)
      if (field.name == key) {
        refuse("an object has a key twice", ec);
        return nullptr;
      }
    parent.fields.push_back({std::move(key), {}});
    key.clear();
    return &parent.fields.back().value;
  }

  bool begin(document::kind kind, json::error_code& ec) {
    auto* d = place(ec);
    if (d == nullptr)
      return false;
    d->is = kind;
    open.push_back(d);
    return true;
  }

  bool on_document_begin(json::error_code&) { return true; }

  bool on_document_end(json::error_code&) { return true; }

  bool on_object_begin(json::error_code& ec) { return begin(document::kind::object, ec); }

  bool on_object_end(std::size_t, json::error_code&) {
    open.pop_back();
    return true;
  }

  bool on_array_begin(json::error_code& ec) { return begin(document::kind::array, ec); }

  bool on_array_end(std::size_t, json::error_code&) {
    open.pop_back();
    return true;
  }

  bool on_key_part(json::string_view part, std::size_t, json::error_code&) {
    key.append(part.data(), part.size());
    return true;
  }

  bool on_key(json::string_view part, std::size_t, json::error_code&) {
    key.append(part.data(), part.size());
    return true;
  }

  bool on_string_part(json::string_view part, std::size_t, json::error_code&) {
    text.append(part.data(), part.size());
    return true;
  }

  bool on_string(json::string_view part, std::size_t, json::error_code& ec) {
    text.append(part.data(), part.size());
    auto* d = place(ec);
    if (d == nullptr)
      return false;
    d->is = document::kind::string;
    d->text = std::move(text);
    text.clear();
    return true;
  }

  bool on_number_part(json::string_view part, json::error_code&) {
    text.append(part.data(), part.size());
    return true;
  }

  bool on_int64(std::int64_t value, json::string_view, json::error_code& ec) {
    text.clear();
    auto* d = place(ec);
    if (d == nullptr)
      return false;
    d->is = document::kind::integer;
    d->integer = value;
    return true;
  }

  // Beyond int64: no field of ours is that large, so it is kept as a number that fits no integer field.
  bool on_uint64(std::uint64_t, json::string_view part, json::error_code& ec) { return on_real(part, ec); }

  bool on_double(double value, json::string_view part, json::error_code& ec) {
    return std::isfinite(value) ? on_real(part, ec) : refuse("a number is out of range", ec);
  }

  bool on_real(json::string_view part, json::error_code& ec) {
    text.append(part.data(), part.size());
    auto* d = place(ec);
    if (d == nullptr)
      return false;
    d->is = document::kind::real;
    d->text = std::move(text);
    text.clear();
    return true;
  }

  bool on_bool(bool value, json::error_code& ec) {
    auto* d = place(ec);
    if (d == nullptr)
      return false;
    d->is = document::kind::boolean;
    d->boolean = value;
    return true;
  }

  bool on_null(json::error_code& ec) { return place(ec) != nullptr; }

  bool on_comment_part(json::string_view, json::error_code&) { return true; }

  bool on_comment(json::string_view, json::error_code&) { return true; }
};

std::string explain(const json::error_code& ec) {
  if (ec == json::error::too_deep)
    return "it is nested too deeply";
  if (ec == json::error::incomplete)
    return "it ends too early";
  if (ec == json::error::extra_data)
    return "something follows the value";
  if (ec == json::error::key_too_large)
    return "a key is too long";
  if (ec == json::error::expected_utf16_escape || ec == json::error::illegal_leading_surrogate ||
      ec == json::error::illegal_trailing_surrogate)
    return "a \\u escape is half of a pair";
  if (ec == json::error::exponent_overflow)
    return "a number is out of range";
  return "it is not well-formed";
}

} // namespace

result<document> parse_json(std::string_view text, const json_limits& limits) {
  json::parse_options options;
  options.max_depth = limits.depth_max;
  json::basic_parser<tree_builder> parser{options};
  parser.handler().values_max = limits.values_max;
  parser.handler().keys_max = limits.keys_max;
  json::error_code ec;
  auto used = parser.write_some(false, text.data(), text.size(), ec);
  if (!ec && used < text.size())
    ec = json::error::extra_data;
  if (ec)
    return error{errc::bad_json, parser.handler().refused ? parser.handler().refused : explain(ec)};
  return std::move(parser.handler().root);
}

} // namespace sluice::codec
