// What people and scripts see: tables, amounts, progress. Nothing from a file or a node reaches a terminal unescaped.
#pragma once

#include "codec/document.hpp"
#include "failure.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::ctl {

/// Control characters become '?': names come from elsewhere, and a terminal obeys escape sequences.
std::string printable(std::string_view text);

/// Writes to standard output at once. Throws when nobody reads any more.
void put(std::string_view text);
void put_line(std::string_view text);

/// Writes a line to standard error.
void say(std::string_view text);

bool output_is_terminal();
bool messages_are_on_terminal();

/// Columns of the terminal behind standard output, 80 when unknown.
std::size_t terminal_width();
std::size_t terminal_height();

/// "1234567" or, for people only, "1,234,567".
std::string grouped(std::int64_t value);

/// Minor units as people write them: 4990 EUR is "49.90 EUR", 50000 KRW is "50000 KRW".
std::string money(std::int64_t minor_units, const std::string& currency, bool group = false);

/// Tenths, without a float: 12345 is "1234.5".
std::string tenths(std::int64_t value);

/// Columns as wide as their widest cell. Numbers, by their look, are set right.
class table {
public:
  explicit table(std::vector<std::string> heads) { rows_.push_back(std::move(heads)); }

  table& add(std::vector<std::string> cells);

  std::size_t size() const { return rows_.size() - 1; }

  /// One string per line, the heads first.
  std::vector<std::string> lines() const;
  void print() const;

private:
  std::vector<std::vector<std::string>> rows_;
};

/// A document as indented JSON.
std::string pretty(const codec::document& d);

/// One line on a terminal that says what is going on, gone when done. Silent anywhere else, and for what is over at once.
class progress {
public:
  explicit progress(bool wanted);
  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;

  ~progress() { clear(); }

  void show(std::string_view what);
  void clear();

private:
  bool wanted_;
  bool shown_ = false;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

/// Lines on a terminal that stay in their place: each drawing replaces the one before. What does not fit is cut off.
class screen {
public:
  void draw(const std::vector<std::string>& lines);

private:
  std::size_t drawn_ = 0;
};

/// Shows a failure: lines on standard error, or one JSON object there.
void report(const failure& why, bool as_json);

} // namespace sluice::ctl
