// event import-plan: a pretix seating plan in, an event file out.
#include "codec/times.hpp"
#include "commands.hpp"
#include "event_text.hpp"

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

namespace sluice::ctl {

namespace {

/// NAME=AMOUNT, at the last '=': names may hold one.
std::pair<std::string, std::int64_t> price_from(const std::string& text) {
  auto equals = text.rfind('=');
  std::int64_t amount = -1;
  if (equals != std::string::npos && equals > 0 && equals + 1 < text.size()) {
    auto from = text.data() + equals + 1;
    auto end = text.data() + text.size();
    auto parsed = std::from_chars(from, end, amount);
    if (parsed.ec != std::errc{} || parsed.ptr != end)
      amount = -1;
  }
  if (amount < 0)
    throw failure{exit_code::usage, "--price wants NAME=AMOUNT, the amount in minor units as in an event file: "
                                    "--price 'Stalls=4990' is 49.90"};
  return {text.substr(0, equals), amount};
}

/// Written beside and moved over, so that a full disk or a Ctrl-C leaves no half file.
void write_file(const std::string& path, const std::string& text) {
  auto fail = [&](const std::string& what) {
    throw failure{exit_code::refused, "can not write " + what + ": " + std::strerror(errno)};
  };
  auto temporary = path + ".new";
  int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0)
    fail(temporary);
  std::size_t done = 0;
  while (done < text.size()) {
    auto wrote = ::write(fd, text.data() + done, text.size() - done);
    if (wrote < 0 && errno == EINTR)
      continue;
    if (wrote < 0) {
      auto why = errno;
      ::close(fd);
      ::unlink(temporary.c_str());
      errno = why;
      fail(temporary);
    }
    done += static_cast<std::size_t>(wrote);
  }
  ::close(fd);
  if (::rename(temporary.c_str(), path.c_str()) != 0)
    fail(path);
}

} // namespace

void import_plan_file(const settings& s, plan_command c) {
  using namespace std::chrono_literals;
  auto& o = c.options;
  for (const auto& price : c.prices)
    o.prices.insert(price_from(price));
  if (!codec::is_time_zone(o.time_zone))
    throw failure{exit_code::usage, "--time-zone wants an IANA name such as Europe/Berlin"};
  bool assumed_start = c.starts_at.empty();
  if (assumed_start) {
    auto today = std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now());
    o.starts_at = std::chrono::time_point_cast<milliseconds>(today + std::chrono::days{30} + 19h);
  } else {
    auto at = codec::time_from(c.starts_at, o.time_zone);
    if (!at)
      throw failure{exit_code::usage, "--starts-at wants a time such as 2026-12-24T19:30 (in --time-zone) or "
                                      "2026-12-24T19:30:00+01:00"};
    o.starts_at = *at;
  }
  progress shown{!s.json};
  shown.show("reading " + c.plan + " …");
  auto plan = parse_text(c.plan, read_text(c.plan));
  shown.show("importing …");
  auto made = import_plan(plan, o);
  if (!made.errors.empty()) {
    std::vector<mistake> mistakes;
    for (auto& e : made.errors)
      mistakes.push_back({c.plan, e.line, std::move(e.pointer), std::move(e.detail)});
    auto count = mistakes.size();
    throw failure{exit_code::refused,
                  std::to_string(count) + (count == 1 ? " mistake" : " mistakes") + " in the plan; nothing was written",
                  std::move(mistakes)};
  }
  const auto& d = made.definition;
  std::string heading = "# Made from a seating plan by sluicectl event import-plan.\n"
                        "# Prices are in minor units: 4990 is 49.90. Apply with: sluicectl event apply -f FILE\n";
  if (assumed_start)
    heading += "# startsAt was not given and is assumed: change it.\n";
  auto text = write_yaml(d, heading, made.unpriced);
  shown.clear();
  if (c.output == "-")
    put(text);
  else
    write_file(c.output, text);

  std::size_t blocks = 0;
  for (const auto& section : d.sections)
    blocks += section.blocks.size();
  if (s.json && c.output != "-") {
    std::string summary;
    codec::json_writer w{summary};
    w.begin_object().field("id", d.id).field("file", c.output).field("seats", d.capacity());
    w.field("sections", d.sections.size()).field("blocks", blocks).field("renamedSeats", made.renamed_seats);
    w.key("categories").begin_array();
    for (const auto& category : d.categories) {
      w.begin_object().field("id", category.id).field("name", category.name);
      if (!made.unpriced.contains(category.id))
        w.field("price", category.price);
      w.end_object();
    }
    w.end_array().end_object();
    return put_line(summary);
  }
  std::string prices;
  for (const auto& category : d.categories)
    prices += (prices.empty() ? "" : ", ") + category.name + " " +
              (made.unpriced.contains(category.id) ? "?" : money(category.price, d.currency));
  // Beside the file itself when that goes to standard output.
  auto tell = [&](const std::string& line) { c.output == "-" ? say(printable(line)) : put_line(printable(line)); };
  tell(d.id + ": " + grouped(static_cast<std::int64_t>(d.capacity())) + " seats in " + std::to_string(blocks) +
       (blocks == 1 ? " block" : " blocks") + " of " + std::to_string(d.sections.size()) +
       (d.sections.size() == 1 ? " section" : " sections") + (c.output == "-" ? "" : ", written to " + c.output));
  tell("prices: " + prices);
  if (!made.unpriced.empty())
    tell("categories without a price can not be applied: fill them in, or give --price and --default-price");
  if (made.renamed_seats > 0)
    tell(grouped(static_cast<std::int64_t>(made.renamed_seats)) +
         " seat ids differ from their seat_guid, which may hold A-Z a-z 0-9 . _ ~ - only");
  if (!made.unused_categories.empty())
    tell(std::to_string(made.unused_categories.size()) + " categories without a seat were left out");
  if (assumed_start)
    tell("startsAt is assumed, change it: " + codec::to_text(d.starts_at));
}

} // namespace sluice::ctl
