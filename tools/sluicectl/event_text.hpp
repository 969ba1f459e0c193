// Event files on disk: read by content, checked with the same code as the node, every mistake with its line.
#pragma once

#include "codec/document.hpp"
#include "domain/event_definition.hpp"
#include "failure.hpp"

#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace sluice::ctl {

constexpr std::size_t file_bytes_max = 48 * 1024 * 1024; // what a node takes

/// The whole file, "-" for standard input. Throws on anything that is not a readable text of bearable size.
std::string read_text(const std::string& path, std::size_t bytes_max = file_bytes_max);

/// JSON if it begins with '{' (and is not named .yaml), else YAML. Throws with path and line.
codec::document parse_text(const std::string& path, std::string_view text);

/// One event file, sound.
struct event_file {
  std::string path;
  codec::document document;
  domain::event_definition definition;

  /// What the node takes.
  std::string json() const { return codec::canonical_json(document); }
};

/// Reads and checks; mistakes go to `mistakes`, and the file is then not usable.
event_file read_event(const std::string& path, std::vector<mistake>& mistakes);

/// All of them, or a failure that lists every mistake of every file.
std::vector<event_file> read_events(const std::vector<std::string>& paths);

/// Adds file and line to mistakes a node found in what was sent.
std::vector<mistake> located(const event_file& file, std::vector<mistake> mistakes);

/// A definition as an event file for people: short forms where they say the same. Reading it back gives an equal
/// definition; `unpriced` categories are written without a price, which no node takes before somebody gives them one.
std::string write_yaml(const domain::event_definition& definition, const std::string& heading = {},
                       const std::set<std::string>& unpriced = {});

} // namespace sluice::ctl
