#include "event_text.hpp"

#include "codec/event_file.hpp"
#include "core/text_id.hpp"
#include "yaml.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

namespace sluice::ctl {

namespace {

using codec::document;
using kind = document::kind;

/// The value a pointer leads to; if it leads nowhere, the innermost one on the way.
const document& value_at(const document& root, std::string_view pointer, bool& whole_way) {
  const auto* at = &root;
  while (pointer.starts_with('/')) {
    pointer.remove_prefix(1);
    auto end = std::min(pointer.find('/'), pointer.size());
    std::string name;
    for (std::size_t i = 0; i < end; ++i) {
      bool escaped = pointer[i] == '~' && i + 1 < end && (pointer[i + 1] == '0' || pointer[i + 1] == '1');
      name += escaped ? (pointer[i + 1] == '1' ? '/' : '~') : pointer[i];
      i += escaped ? 1 : 0;
    }
    pointer.remove_prefix(end);
    const document* next = nullptr;
    if (at->is == kind::object) {
      next = at->find(name);
    } else if (at->is == kind::array) {
      std::size_t index = 0;
      auto parsed = std::from_chars(name.data(), name.data() + name.size(), index);
      if (parsed.ec == std::errc{} && index < at->items.size())
        next = &at->items[index];
    }
    if (next == nullptr) {
      whole_way = false;
      return *at;
    }
    at = next;
  }
  whole_way = true;
  return *at;
}

mistake locate(const std::string& path, const document& root, std::string pointer, std::string detail, int line) {
  bool whole_way = false;
  const auto& value = value_at(root, pointer, whole_way);
  if (line == 0)
    line = value.line;
  // The usual slip: a row or a seat number without quotes.
  if (whole_way && detail == "must be a string" && value.is == kind::integer)
    detail += ": put it in quotes, \"" + std::to_string(value.integer) + "\"";
  else if (whole_way && detail == "must be a string" && value.is != kind::array && value.is != kind::object)
    detail += ": put it in quotes";
  return {path == "-" ? "standard input" : path, line, std::move(pointer), std::move(detail)};
}

[[noreturn]] void can_not_read(const std::string& path, const std::string& why) {
  throw failure{exit_code::refused, "can not read " + path + ": " + why};
}

} // namespace

std::string read_text(const std::string& path, std::size_t bytes_max) {
  bool is_input = path == "-";
  auto name = is_input ? std::string{"standard input"} : path;
  int fd = is_input ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    can_not_read(name, std::strerror(errno));
  std::string text;
  std::string chunk(256 * 1024, '\0');
  int error = 0;
  while (text.size() <= bytes_max) {
    auto got = ::read(fd, chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0) {
      error = got < 0 ? errno : 0;
      break;
    }
    text.append(chunk, 0, static_cast<std::size_t>(got));
  }
  if (!is_input)
    ::close(fd);
  if (error != 0)
    can_not_read(name, std::strerror(error));
  if (text.size() > bytes_max)
    can_not_read(name, "it is larger than " + std::to_string(bytes_max / 1024 / 1024) + " MiB");
  if (text.starts_with("\xEF\xBB\xBF"))
    text.erase(0, 3); // a byte-order mark says nothing in UTF-8
  auto is_odd = [](char c) {
    auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\n' && c != '\r' && c != '\t') || byte == 0x7F;
  };
  auto odd = std::find_if(text.begin(), text.end(), is_odd);
  if (odd != text.end() || !is_utf8(text)) {
    auto line = 1 + std::count(text.begin(), odd, '\n');
    can_not_read(odd == text.end() ? name : name + ":" + std::to_string(line), "it is not a text in UTF-8");
  }
  return text;
}

document parse_text(const std::string& path, std::string_view text) {
  auto first = text.find_first_not_of(" \t\r\n");
  bool is_json =
      first != std::string_view::npos && text[first] == '{' && !path.ends_with(".yaml") && !path.ends_with(".yml");
  document d;
  if (auto why = is_json ? parse_json_with_lines(text, d) : parse_yaml(text, d))
    throw failure{exit_code::refused,
                  "1 mistake; nothing was done",
                  {{path == "-" ? "standard input" : path, why->line, {}, std::move(why->detail)}}};
  return d;
}

event_file read_event(const std::string& path, std::vector<mistake>& mistakes) {
  event_file file{path, parse_text(path, read_text(path)), {}};
  std::vector<codec::document_error> errors;
  file.definition = codec::read_event_file(file.document, errors);
  std::vector<mistake> found;
  for (auto& e : errors)
    found.push_back(locate(path, file.document, std::move(e.pointer), std::move(e.detail), e.line));
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.line < b.line; });
  mistakes.insert(mistakes.end(), found.begin(), found.end());
  return file;
}

std::vector<event_file> read_events(const std::vector<std::string>& paths) {
  std::vector<event_file> files;
  std::vector<mistake> mistakes;
  std::size_t bad = 0;
  for (const auto& path : paths) {
    auto before = mistakes.size();
    try {
      files.push_back(read_event(path, mistakes));
    } catch (const failure& why) {
      if (why.mistakes().empty())
        mistakes.push_back({{}, 0, {}, why.message()});
      mistakes.insert(mistakes.end(), why.mistakes().begin(), why.mistakes().end());
    }
    bad += mistakes.size() > before ? 1 : 0;
  }
  for (std::size_t i = 0; i < files.size() && bad == 0; ++i)
    for (std::size_t k = 0; k < i; ++k)
      if (files[k].definition.id == files[i].definition.id)
        mistakes.push_back(locate(files[i].path, files[i].document, "/id", "is also the id of " + files[k].path, 0));
  if (!mistakes.empty())
    throw failure{exit_code::refused,
                  std::to_string(mistakes.size()) + (mistakes.size() == 1 ? " mistake" : " mistakes") +
                      "; nothing was done",
                  std::move(mistakes)};
  return files;
}

std::vector<mistake> located(const event_file& file, std::vector<mistake> mistakes) {
  for (auto& m : mistakes)
    m = locate(file.path, file.document, std::move(m.pointer), std::move(m.detail), 0);
  return mistakes;
}

} // namespace sluice::ctl
