// Times as people write them.
#pragma once

#include "core/time.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace sluice::codec {

/// RFC 3339 UTC with milliseconds: "2026-12-24T18:30:00.000Z".
std::string to_text(wall_time t);
void append_time(std::string& out, wall_time t);

/// RFC 3339 with an offset, or a local time without one in `time_zone` ("2026-12-24T19:30" and "2026-12-24 19:30:00" too).
/// Empty when it is neither, or the zone is unknown.
std::optional<wall_time> time_from(std::string_view text, const std::string& time_zone);

bool is_time_zone(const std::string& name);

/// YYYY-MM-DD of `t` in that zone.
std::string local_date(wall_time t, const std::string& time_zone);

} // namespace sluice::codec
