#include "output.hpp"

#include "codec/document.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <sys/ioctl.h>
#include <unistd.h>

namespace sluice::ctl {

namespace {

constexpr std::size_t mistakes_shown_max = 50;

/// Characters, not bytes: enough to align the names people give.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

bool looks_numeric(std::string_view text) {
  return !text.empty() && (text.front() == '-' || (text.front() >= '0' && text.front() <= '9')) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || c == '.' || c == ',' || c == '-'; });
}

/// A line that wraps would push those above it out of their place.
std::string fitted(std::string line, std::size_t width) {
  std::size_t columns = 0;
  for (std::size_t i = 0; i < line.size(); ++i)
    if ((static_cast<unsigned char>(line[i]) & 0xC0) != 0x80 && ++columns > width) {
      line.resize(i);
      break;
    }
  return line;
}

winsize terminal_size() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
    size = {};
  return size;
}

std::string place_of(const mistake& m) {
  std::string text = m.file;
  if (m.line > 0)
    text += ":" + std::to_string(m.line);
  if (!text.empty())
    text += ": ";
  return m.pointer.empty() ? text : text + m.pointer + " ";
}

} // namespace

std::string printable(std::string_view text) {
  std::string safe{text};
  for (std::size_t i = 0; i < safe.size(); ++i) {
    auto c = static_cast<unsigned char>(safe[i]);
    if (c < 0x20 || c == 0x7F)
      safe[i] = '?';
    else if (c == 0xC2 && i + 1 < safe.size() && static_cast<unsigned char>(safe[i + 1]) < 0xA0)
      safe.replace(i, 2, "?"); // C1 controls
  }
  return safe;
}

void put(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0)
    return;
  // Whoever reads no more needs no message either.
  throw failure{exit_code::refused,
                errno == EPIPE ? std::string{} : std::string{"can not write the output: "} + std::strerror(errno)};
}

void put_line(std::string_view text) {
  put(std::string{text} + "\n");
}

void say(std::string_view text) {
  auto line = std::string{text} + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

bool output_is_terminal() {
  const char* term = std::getenv("TERM");
  return isatty(STDOUT_FILENO) == 1 && term != nullptr && std::string_view{term} != "dumb";
}

bool messages_are_on_terminal() {
  const char* term = std::getenv("TERM");
  return isatty(STDERR_FILENO) == 1 && term != nullptr && std::string_view{term} != "dumb";
}

std::size_t terminal_width() {
  auto size = terminal_size();
  return size.ws_col > 0 ? size.ws_col : 80;
}

std::size_t terminal_height() {
  auto size = terminal_size();
  return size.ws_row > 0 ? size.ws_row : 24;
}

std::string grouped(std::int64_t value) {
  auto digits = std::to_string(value);
  auto first = digits.front() == '-' ? std::size_t{1} : std::size_t{0};
  for (auto at = digits.size(); at > first + 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

std::string money(std::int64_t minor_units, const std::string& currency, bool group) {
  // ISO 4217: those whose minor unit is not a hundredth.
  constexpr std::string_view whole = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
  constexpr std::string_view thousandths = "BHD IQD JOD KWD LYD OMR TND";
  auto digits = std::size_t{2};
  if (currency.size() == 3 && whole.find(currency) != std::string_view::npos)
    digits = 0;
  else if (currency.size() == 3 && thousandths.find(currency) != std::string_view::npos)
    digits = 3;
  auto unit = digits == 0 ? 1 : digits == 2 ? 100 : 1000;
  auto major = minor_units / unit;
  auto text = group ? grouped(major) : std::to_string(major);
  if (minor_units < 0 && major == 0)
    text.insert(0, 1, '-');
  if (digits > 0) {
    auto rest = std::to_string(minor_units < 0 ? -(minor_units % unit) : minor_units % unit);
    text += '.' + std::string(digits - rest.size(), '0') + rest;
  }
  return text + ' ' + currency;
}

std::string tenths(std::int64_t value) {
  return std::to_string(value / 10) + '.' + std::to_string(value % 10);
}

table& table::add(std::vector<std::string> cells) {
  for (auto& cell : cells)
    cell = printable(cell);
  rows_.push_back(std::move(cells));
  return *this;
}

std::vector<std::string> table::lines() const {
  std::vector<std::size_t> widths(rows_.front().size());
  std::vector<bool> right(widths.size(), rows_.size() > 1);
  for (std::size_t r = 0; r < rows_.size(); ++r)
    for (std::size_t i = 0; i < rows_[r].size() && i < widths.size(); ++i) {
      widths[i] = std::max(widths[i], width_of(rows_[r][i]));
      if (r > 0 && !rows_[r][i].empty())
        right[i] = right[i] && looks_numeric(rows_[r][i]);
    }
  std::vector<std::string> lines;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size() && i < widths.size(); ++i) {
      std::string padding(widths[i] - width_of(row[i]), ' ');
      line += i > 0 ? "  " : "";
      line += right[i] ? padding + row[i] : row[i] + padding;
    }
    while (line.ends_with(' '))
      line.pop_back();
    lines.push_back(std::move(line));
  }
  return lines;
}

void table::print() const {
  std::string text;
  for (const auto& line : lines())
    text += line + "\n";
  put(text);
}

namespace {

void write_pretty(const codec::document& d, std::string& out, std::size_t depth) {
  using kind = codec::document::kind;
  auto line = [&](std::size_t at) { out += '\n' + std::string(at * 2, ' '); };
  bool is_list = d.is == kind::array;
  if ((is_list && !d.items.empty()) || (d.is == kind::object && !d.fields.empty())) {
    out += is_list ? '[' : '{';
    auto count = is_list ? d.items.size() : d.fields.size();
    for (std::size_t i = 0; i < count; ++i) {
      line(depth + 1);
      if (!is_list) {
        codec::append_json(out, d.fields[i].name);
        out += ": ";
      }
      write_pretty(is_list ? d.items[i] : d.fields[i].value, out, depth + 1);
      if (i + 1 < count)
        out += ',';
    }
    line(depth);
    out += is_list ? ']' : '}';
    return;
  }
  out += codec::canonical_json(d);
}

} // namespace

std::string pretty(const codec::document& d) {
  std::string text;
  write_pretty(d, text, 0);
  return text;
}

progress::progress(bool wanted) : wanted_{wanted && messages_are_on_terminal()} {}

void progress::show(std::string_view what) {
  using namespace std::chrono_literals;
  if (!wanted_ || std::chrono::steady_clock::now() - began_ < 300ms)
    return;
  auto line = "\r\x1b[2K" + printable(what);
  std::fwrite(line.data(), 1, line.size(), stderr);
  shown_ = true;
}

void progress::clear() {
  if (shown_)
    std::fputs("\r\x1b[2K", stderr);
  shown_ = false;
}

void screen::draw(const std::vector<std::string>& lines) {
  std::string text;
  if (drawn_ > 0)
    text += "\x1b[" + std::to_string(drawn_) + "A\r";
  // The last line of the terminal stays free: writing it would push the first one out of its place.
  auto room = std::max<std::size_t>(terminal_height(), 3) - 1;
  auto width = terminal_width();
  drawn_ = std::min(lines.size(), room);
  for (std::size_t i = 0; i < drawn_; ++i) {
    bool cut = i + 1 == drawn_ && lines.size() > room;
    text +=
        "\x1b[2K" + fitted(cut ? "… and " + std::to_string(lines.size() - i) + " more lines" : lines[i], width) + "\n";
  }
  text += "\x1b[J";
  put(text);
}

void report(const failure& why, bool as_json) {
  if (why.message().empty() && why.mistakes().empty())
    return;
  if (as_json) {
    std::string text;
    codec::json_writer w{text};
    w.begin_object().key("error").begin_object();
    w.field("exitCode", static_cast<int>(why.code())).field("message", why.message()).key("errors").begin_array();
    for (const auto& m : why.mistakes()) {
      w.begin_object();
      if (!m.file.empty())
        w.field("file", m.file);
      if (m.line > 0)
        w.field("line", m.line);
      w.field("pointer", m.pointer).field("detail", m.detail).end_object();
    }
    w.end_array();
    if (!why.problem().empty())
      w.key("problem").raw(why.problem());
    w.end_object().end_object();
    say(text);
    return;
  }
  for (std::size_t i = 0; i < why.mistakes().size() && i < mistakes_shown_max; ++i)
    say(printable(place_of(why.mistakes()[i]) + why.mistakes()[i].detail));
  if (why.mistakes().size() > mistakes_shown_max)
    say("… and " + std::to_string(why.mistakes().size() - mistakes_shown_max) + " more");
  if (!why.message().empty())
    say("sluicectl: " + printable(why.message()));
}

} // namespace sluice::ctl
