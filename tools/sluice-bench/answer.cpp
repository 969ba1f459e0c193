#include "sluice-bench/answer.hpp"

#include <charconv>
#include <cstring>

#include <strings.h>

namespace sluice::bench {

namespace {

std::size_t find(std::string_view text, std::string_view wanted) {
  const auto* at = memmem(text.data(), text.size(), wanted.data(), wanted.size());
  return at ? static_cast<std::size_t>(static_cast<const char*>(at) - text.data()) : std::string_view::npos;
}

bool starts_like(std::string_view line, std::string_view name) {
  return line.size() > name.size() && strncasecmp(line.data(), name.data(), name.size()) == 0;
}

/// Where the value of the member `name` begins; npos if there is none.
std::size_t value_at(std::string_view json, std::string_view name) {
  std::size_t from = 0;
  for (;;) {
    auto at = find(json.substr(from), name);
    if (at == std::string_view::npos)
      return at;
    at += from;
    auto end = at + name.size();
    if (at > 0 && json[at - 1] == '"' && end + 1 < json.size() && json[end] == '"' && json[end + 1] == ':')
      return end + 2;
    from = end;
  }
}

} // namespace

reading read_answer(std::string_view bytes, answer& a) {
  a = {};
  auto head_end = find(bytes, "\r\n\r\n");
  if (head_end == std::string_view::npos)
    return bytes.size() > 64 * 1024 ? reading::nonsense : reading::more;
  auto head = bytes.substr(0, head_end + 2);
  if (head.size() < 13 || !head.starts_with("HTTP/1."))
    return reading::nonsense;
  auto parsed = std::from_chars(head.data() + 9, head.data() + 12, a.status);
  if (parsed.ec != std::errc{} || a.status < 100)
    return reading::nonsense;
  a.head = head;
  std::size_t length = 0;
  for (auto at = head.find("\r\n") + 2; at < head.size();) {
    auto line = head.substr(at, head.find("\r\n", at) - at);
    at += line.size() + 2;
    if (starts_like(line, "content-length:")) {
      auto value = line.substr(15);
      while (value.starts_with(' '))
        value.remove_prefix(1);
      if (std::from_chars(value.data(), value.data() + value.size(), length).ec != std::errc{})
        return reading::nonsense;
    } else if (starts_like(line, "connection:")) {
      a.closes = line.find("close") != std::string_view::npos;
    } else if (starts_like(line, "transfer-encoding:")) {
      return reading::nonsense;
    }
  }
  a.size = head_end + 4 + length;
  if (bytes.size() < a.size)
    return reading::more;
  a.body = bytes.substr(head_end + 4, length);
  return reading::whole;
}

std::string_view text_field(std::string_view json, std::string_view name) {
  auto at = value_at(json, name);
  if (at >= json.size() || json[at] != '"')
    return {};
  auto end = json.find('"', at + 1);
  return end == std::string_view::npos ? std::string_view{} : json.substr(at + 1, end - at - 1);
}

std::optional<std::uint64_t> number_field(std::string_view json, std::string_view name) {
  auto at = value_at(json, name);
  if (at >= json.size())
    return std::nullopt;
  std::uint64_t value = 0;
  auto parsed = std::from_chars(json.data() + at, json.data() + json.size(), value);
  return parsed.ec == std::errc{} ? std::optional{value} : std::nullopt;
}

} // namespace sluice::bench
