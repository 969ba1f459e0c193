// cluster status: nodes and partitions as tables, and what is wrong in words. Watched, on a terminal, it stays in its
// place.
#include "cluster_text.hpp"
#include "commands.hpp"
#include "fields.hpp"

#include <algorithm>
#include <thread>

namespace sluice::ctl {

namespace {

using clock = std::chrono::steady_clock;

std::vector<std::string> lines_of(const codec::document& cluster) {
  auto lines = cluster_lines(cluster);
  lines.emplace_back();
  auto troubles = cluster_troubles(cluster);
  for (const auto& text : troubles)
    lines.push_back("! " + text);
  for (const auto& text : cluster_notes(cluster))
    lines.push_back("- " + text);
  if (troubles.empty())
    lines.emplace_back("all is well");
  return lines;
}

void print(const settings& s, const admin_api::answer& got) {
  std::string text;
  if (s.json) {
    codec::json_writer w{text};
    w.begin_object().key("cluster").raw(got.text);
    w.key("troubles").begin_array();
    for (const auto& trouble : cluster_troubles(got.body))
      w.string(trouble);
    w.end_array().key("notes").begin_array();
    for (const auto& note : cluster_notes(got.body))
      w.string(note);
    w.end_array().end_object();
    text += '\n';
  } else {
    for (const auto& line : lines_of(got.body))
      text += line + "\n";
  }
  put(text);
}

void watch(const settings& s, const cluster_watch& options) {
  admin_api api{s};
  bool in_place = !s.json && output_is_terminal();
  screen shown;
  auto draw = [&](std::vector<std::string> lines) {
    lines.insert(lines.begin(), api.address().text() + "  (Ctrl-C ends this, not the cluster)");
    shown.draw(lines);
  };
  auto next = clock::now();
  std::optional<failure> lost;
  for (std::uint64_t tick = 1;; ++tick) {
    try {
      auto got = api.get("/admin/v1/cluster");
      lost.reset();
      if (in_place)
        draw(lines_of(got.body));
      else
        print(s, got);
    } catch (const failure& why) {
      // At the very beginning it is a mistake of the caller's; later it is news.
      if (tick == 1 || (why.code() != exit_code::unreachable && why.code() != exit_code::not_ready))
        throw;
      lost = why;
      if (in_place)
        draw({printable(why.message()), "trying again …"});
      else
        report(why, s.json);
    }
    if (options.count != 0 && tick >= options.count)
      break;
    next = std::max(next + std::chrono::milliseconds{options.interval_ms}, clock::now());
    std::this_thread::sleep_until(next);
  }
  if (lost)
    throw *lost;
}

} // namespace

void show_cluster(const settings& s, const cluster_watch& options) {
  if (options.watch)
    return watch(s, options);
  admin_api api{s};
  auto got = api.get("/admin/v1/cluster");
  print(s, got);
  auto troubles = cluster_troubles(got.body).size();
  if (troubles > 0)
    throw failure{exit_code::refused,
                  troubles == 1 ? "one thing is wrong" : std::to_string(troubles) + " things are wrong"};
}

} // namespace sluice::ctl
