// The files of the web page, embedded in the program.
#pragma once

#include <span>
#include <string_view>

namespace sluice::http {

struct embedded_file {
  std::string_view name; // "index.html"
  std::string_view bytes;
  std::string_view content_type;
  std::string_view etag; // quoted
};

/// Every file of src/http/pages; made by tools/cmake/embed.cmake.
std::span<const embedded_file> embedded_files();

} // namespace sluice::http
