// YAML text to document: the YAML 1.2 core schema, read strictly. Also JSON text with its lines.
#pragma once

#include "codec/document.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace sluice::ctl {

struct text_limits {
  std::size_t depth_max = 32;
  std::size_t values_max = 4'000'000; // what aliases repeat counts, too: no small file becomes a large document
};

/// Where a text stopped being a document, and why.
struct text_error {
  int line = 0;
  std::string detail;
};

/// Reads one YAML document. Integers stay integers, a key may stand once, tags are refused; "yes" and "012" are strings,
/// since half of the world's readers disagree about them.
std::optional<text_error> parse_yaml(std::string_view text, codec::document& to, const text_limits& limits = {});

/// Reads JSON and gives every value its line.
std::optional<text_error> parse_json_with_lines(std::string_view text, codec::document& to,
                                                const text_limits& limits = {});

} // namespace sluice::ctl
