#include "codec/document.hpp"

#include <algorithm>
#include <charconv>

namespace sluice::codec {

const document* document::find(std::string_view name) const {
  for (const auto& [key, value] : fields)
    if (key == name)
      return &value;
  return nullptr;
}

std::string_view name_of(document::kind kind) {
  switch (kind) {
  case document::kind::null:
    return "null";
  case document::kind::boolean:
    return "a boolean";
  case document::kind::integer:
    return "an integer";
  case document::kind::real:
    return "a number";
  case document::kind::string:
    return "a string";
  case document::kind::array:
    return "an array";
  case document::kind::object:
    return "an object";
  }
  return "unknown";
}

// ---- reading ---------------------------------------------------------------------------------------------------------

object_reader::object_reader(const document& object, std::string pointer, std::vector<document_error>& errors)
    : object_{object}, pointer_{std::move(pointer)}, errors_{errors}, used_(object.fields.size()) {
  if (object.is != document::kind::object)
    errors_.push_back({errc::bad_value, pointer_, "must be an object", object.line});
}

object_reader& object_reader::read(std::string_view name, std::string& to, bool required) {
  if (const auto* d = take(name, document::kind::string, required))
    to = d->text;
  return *this;
}

object_reader& object_reader::read(std::string_view name, bool& to, bool required) {
  if (const auto* d = take(name, document::kind::boolean, required))
    to = d->boolean;
  return *this;
}

const document* object_reader::take(std::string_view name) {
  for (std::size_t i = 0; i < object_.fields.size(); ++i)
    if (object_.fields[i].name == name) {
      used_[i] = true;
      return &object_.fields[i].value;
    }
  return nullptr;
}

const document* object_reader::take(std::string_view name, document::kind kind, bool required) {
  const auto* d = take(name);
  if (d == nullptr || d->is == document::kind::null) {
    if (required)
      errors_.push_back({errc::missing_field, pointer_to(name), "is required", object_.line});
    return nullptr;
  }
  if (d->is != kind) {
    errors_.push_back({errc::bad_value, pointer_to(name), "must be " + std::string{name_of(kind)}, d->line});
    return nullptr;
  }
  return d;
}

std::optional<std::int64_t> object_reader::integer(std::string_view name, std::int64_t least, std::int64_t most,
                                                   bool required) {
  const auto* d = take(name, document::kind::integer, required);
  if (d == nullptr)
    return std::nullopt;
  if (d->integer < least || d->integer > most) {
    errors_.push_back({errc::bad_value, pointer_to(name),
                       "must be between " + std::to_string(least) + " and " + std::to_string(most), d->line});
    return std::nullopt;
  }
  return d->integer;
}

void object_reader::fail(std::string_view name, std::string detail, errc code) {
  const auto* d = object_.find(name);
  errors_.push_back({code, pointer_to(name), std::move(detail), d ? d->line : object_.line});
}

std::string object_reader::pointer_to(std::string_view name) const {
  auto pointer = pointer_ + '/';
  for (char c : name)
    if (c == '~')
      pointer += "~0";
    else if (c == '/')
      pointer += "~1";
    else
      pointer += c;
  return pointer;
}

void object_reader::finish() {
  for (std::size_t i = 0; i < used_.size(); ++i)
    if (!used_[i])
      errors_.push_back({errc::unknown_field, pointer_to(object_.fields[i].name.substr(0, 64)), "is not known here",
                         object_.fields[i].value.line});
}

// ---- writing ---------------------------------------------------------------------------------------------------------

void append_json(std::string& out, std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  out += '"';
  std::size_t from = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\')
      continue;
    out.append(text, from, i - from);
    from = i + 1;
    out += '\\';
    switch (c) {
    case '"':
    case '\\':
      out += static_cast<char>(c);
      break;
    case '\n':
      out += 'n';
      break;
    case '\r':
      out += 'r';
      break;
    case '\t':
      out += 't';
      break;
    default:
      out += "u00";
      out += digits[c >> 4];
      out += digits[c & 15];
    }
  }
  out.append(text, from);
  out += '"';
}

json_writer& json_writer::integer(std::int64_t value) {
  char digits[24];
  auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  return raw({digits, static_cast<std::size_t>(end - digits)});
}

json_writer& json_writer::number(std::uint64_t value) {
  char digits[24];
  auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  return raw({digits, static_cast<std::size_t>(end - digits)});
}

namespace {

void write_canonical(const document& d, json_writer& out) {
  switch (d.is) {
  case document::kind::null:
    out.null();
    return;
  case document::kind::boolean:
    out.boolean(d.boolean);
    return;
  case document::kind::integer:
    out.integer(d.integer);
    return;
  case document::kind::real:
    out.raw(d.text);
    return;
  case document::kind::string:
    out.string(d.text);
    return;
  case document::kind::array:
    out.begin_array();
    for (const auto& item : d.items)
      write_canonical(item, out);
    out.end_array();
    return;
  case document::kind::object: {
    std::vector<const document_field*> sorted;
    for (const auto& field : d.fields)
      sorted.push_back(&field);
    std::sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
    out.begin_object();
    for (const auto* field : sorted) {
      out.key(field->name);
      write_canonical(field->value, out);
    }
    out.end_object();
    return;
  }
  }
}

} // namespace

std::string canonical_json(const document& d) {
  std::string text;
  json_writer out{text};
  write_canonical(d, out);
  return text;
}

} // namespace sluice::codec
