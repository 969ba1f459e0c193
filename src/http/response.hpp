// One HTTP answer, and its bytes.
#pragma once

#include "core/errc.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::http {

struct response {
  unsigned status = 200;
  std::string_view content_type = "application/json"; // a literal
  std::string body;
  std::string fields;     // further header lines, each ending in \r\n
  bool close = false;     // the connection ends after it
  bool cacheable = false; // else Cache-Control: no-store

  response& field(std::string_view name, std::string_view value) {
    fields += name;
    fields += ": ";
    fields += value;
    fields += "\r\n";
    return *this;
  }
};

std::string_view reason_of(unsigned status);

/// Appends status line, header and (unless `head_only`) body. `date` is the value of the Date field.
void append_response(std::string& out, const response& r, std::string_view date, bool keep_alive, bool http11,
                     bool head_only);

/// The Date field for now, renewed once a second; one per thread.
std::string_view http_date();

// ---- errors ----------------------------------------------------------------------------------------------------------

/// The status each code is answered with: the one table.
unsigned status_of(errc e);

/// RFC 9457 problem+json. `extra` is JSON members to add, each starting with a comma, or empty.
response problem(errc why, std::string_view detail, std::string_view request_id, std::string_view instance,
                 std::string_view extra = {});

} // namespace sluice::http
