// event watch: what is going on, once a second. On a terminal one table that stays in its place; else a line per event
// and tick that a script can read. A node that goes away and comes back does not end it.
#include "commands.hpp"
#include "fields.hpp"

#include <algorithm>
#include <map>
#include <thread>

namespace sluice::ctl {

namespace {

using clock = std::chrono::steady_clock;

/// One event at one tick.
struct sample {
  std::string id;
  codec::document stats;
  std::int64_t admitted_tenths = 0; // per second, times ten
};

class watcher {
public:
  watcher(const settings& s, const watch_options& options) : settings_{s}, options_{options}, api_{s} {}

  void run() {
    bool drawn_in_place = !settings_.json && output_is_terminal();
    std::optional<failure> lost;
    auto next = clock::now();
    for (std::uint64_t tick = 1;; ++tick) {
      try {
        auto samples = look();
        lost.reset();
        if (drawn_in_place)
          draw(samples, {});
        else
          print(samples);
      } catch (const failure& why) {
        // At the very beginning it is a mistake of the caller's; later it is news.
        if (tick == 1 || (why.code() != exit_code::unreachable && why.code() != exit_code::not_ready))
          throw;
        lost = why;
        rates_.clear();
        if (drawn_in_place)
          draw({}, why.message());
        else
          report(why, settings_.json);
      }
      if (options_.count != 0 && tick >= options_.count)
        break;
      next = std::max(next + std::chrono::milliseconds{options_.interval_ms}, clock::now());
      std::this_thread::sleep_until(next);
    }
    if (lost)
      throw *lost;
  }

private:
  struct rate {
    std::int64_t admitted = 0;
    clock::time_point at;
  };

  std::vector<sample> look() {
    auto ids = options_.events;
    if (ids.empty()) {
      auto all = api_.get("/api/v1/events");
      for (const auto& e : list_in(all.body, "events"))
        ids.push_back(text_in(e, "id"));
    }
    std::vector<sample> samples;
    for (const auto& id : ids) {
      admin_api::answer got;
      try {
        got = api_.get("/admin/v1/events/" + url_part(id) + "/stats");
      } catch (const failure& why) {
        // Deleted between the list and the look.
        if (options_.events.empty() && why.problem().find("EVENT_UNKNOWN") != std::string::npos)
          continue;
        throw;
      }
      samples.push_back({id, std::move(got.body), 0});
      auto& s = samples.back();
      auto now = clock::now();
      auto admitted = number_in(s.stats, "admittedTotal");
      auto before = rates_.find(id);
      auto passed = before == rates_.end()
                        ? std::int64_t{0}
                        : std::chrono::duration_cast<std::chrono::milliseconds>(now - before->second.at).count();
      // The first look has nothing to compare with, and a deleted event may come back from nothing.
      if (passed > 0 && admitted >= before->second.admitted)
        s.admitted_tenths = ((admitted - before->second.admitted) * 10'000 + passed / 2) / passed;
      else
        s.admitted_tenths = number_in(s.stats, "admittedLastMinute") / 6;
      rates_[id] = {admitted, now};
    }
    return samples;
  }

  void print(const std::vector<sample>& samples) {
    std::string text;
    for (const auto& s : samples) {
      if (settings_.json) {
        codec::json_writer w{text};
        w.begin_object().field("id", s.id).field("phase", text_in(s.stats, "phase"));
        for (const char* name : {"waitingUsers", "activeUsers"})
          w.field(name, number_in(s.stats, name));
        w.key("admittedPerSecond").raw(tenths(s.admitted_tenths));
        for (const char* name : {"admittedTotal", "available", "held", "confirmed", "capacity", "revenue"})
          w.field(name, number_in(s.stats, name));
        w.field("currency", text_in(s.stats, "currency")).field("asOf", text_in(s.stats, "asOf")).end_object();
      } else {
        text += text_in(s.stats, "asOf") + ' ' + printable(s.id) + " phase=" + text_in(s.stats, "phase");
        text += " waiting=" + figure_in(s.stats, "waitingUsers") + " active=" + figure_in(s.stats, "activeUsers");
        text += " admitted/s=" + tenths(s.admitted_tenths) + " held=" + figure_in(s.stats, "held");
        text += " confirmed=" + figure_in(s.stats, "confirmed") +
                " revenue=" + printable(money(number_in(s.stats, "revenue"), text_in(s.stats, "currency")));
      }
      text += '\n';
    }
    if (samples.empty() && !settings_.json)
      text = "no events\n";
    put(text);
  }

  void draw(const std::vector<sample>& samples, const std::string& trouble) {
    table t{{"EVENT", "PHASE", "WAITING", "ACTIVE", "ADMITTED/S", "HELD", "CONFIRMED", "REVENUE"}};
    auto room = std::max<std::size_t>(terminal_height(), 6) - 4;
    for (std::size_t i = 0; i < samples.size() && i < room; ++i) {
      const auto& stats = samples[i].stats;
      auto count = [&](std::string_view name) { return grouped(number_in(stats, name)); };
      t.add({samples[i].id, text_in(stats, "phase"), count("waitingUsers"), count("activeUsers"),
             tenths(samples[i].admitted_tenths), count("held"), count("confirmed"),
             money(number_in(stats, "revenue"), text_in(stats, "currency"), true)});
    }
    std::vector<std::string> lines{api_.address().text() + "  (Ctrl-C ends this, not the node)"};
    if (trouble.empty()) {
      auto rows = t.lines();
      lines.insert(lines.end(), rows.begin(), rows.end());
      if (samples.size() > room)
        lines.push_back("… and " + std::to_string(samples.size() - room) + " more events");
      if (samples.empty())
        lines.emplace_back("no events yet");
    } else {
      lines.push_back(printable(trouble));
      lines.emplace_back("trying again …");
    }
    screen_.draw(lines);
  }

  settings settings_;
  watch_options options_;
  admin_api api_;
  std::map<std::string, rate> rates_;
  screen screen_;
};

} // namespace

void watch_events(const settings& s, const watch_options& options) {
  watcher{s, options}.run();
}

} // namespace sluice::ctl
