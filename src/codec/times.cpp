#include "codec/times.hpp"

#include <absl/time/time.h>

namespace sluice::codec {

namespace {

absl::Time absl_time(wall_time t) {
  return absl::FromUnixMillis(to_ms(t));
}

void append_digits(std::string& out, unsigned value, unsigned width) {
  char digits[8];
  for (unsigned i = width; i > 0; --i, value /= 10)
    digits[i - 1] = static_cast<char>('0' + value % 10);
  out.append(digits, width);
}

} // namespace

void append_time(std::string& out, wall_time t) {
  auto day = std::chrono::floor<std::chrono::days>(t);
  std::chrono::year_month_day date{day};
  auto ms = static_cast<unsigned>((t - day).count());
  append_digits(out, static_cast<unsigned>(static_cast<int>(date.year())), 4);
  out += '-';
  append_digits(out, static_cast<unsigned>(date.month()), 2);
  out += '-';
  append_digits(out, static_cast<unsigned>(date.day()), 2);
  out += 'T';
  append_digits(out, ms / 3'600'000, 2);
  out += ':';
  append_digits(out, ms / 60'000 % 60, 2);
  out += ':';
  append_digits(out, ms / 1'000 % 60, 2);
  out += '.';
  append_digits(out, ms % 1'000, 3);
  out += 'Z';
}

std::string to_text(wall_time t) {
  std::string text;
  append_time(text, t);
  return text;
}

std::optional<wall_time> time_from(std::string_view text, const std::string& time_zone) {
  absl::TimeZone zone;
  if (!absl::LoadTimeZone(time_zone, &zone))
    return std::nullopt;
  absl::Time parsed;
  std::string error;
  absl::string_view input{text.data(), text.size()};
  for (const char* format : {"%Y-%m-%d%ET%H:%M:%E*S%Ez", "%Y-%m-%d%ET%H:%M%Ez", "%Y-%m-%d%ET%H:%M:%E*S",
                             "%Y-%m-%d%ET%H:%M", "%Y-%m-%d %H:%M:%E*S", "%Y-%m-%d %H:%M"})
    if (absl::ParseTime(format, input, zone, &parsed, &error))
      return wall_time_from_ms(absl::ToUnixMillis(parsed));
  return std::nullopt;
}

bool is_time_zone(const std::string& name) {
  absl::TimeZone zone;
  return absl::LoadTimeZone(name, &zone);
}

std::string local_date(wall_time t, const std::string& time_zone) {
  absl::TimeZone zone;
  if (!absl::LoadTimeZone(time_zone, &zone))
    zone = absl::UTCTimeZone();
  return absl::FormatTime("%Y-%m-%d", absl_time(t), zone);
}

} // namespace sluice::codec
