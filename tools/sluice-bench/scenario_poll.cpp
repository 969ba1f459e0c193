// poll: people in a long line look at their place.
#include "sluice-bench/in_process.hpp"
#include "sluice-bench/scenarios.hpp"
#include "sluice-bench/stages.hpp"

#include <CLI/CLI.hpp>

namespace sluice::bench {

namespace {

struct poll_wish {
  options all;
  std::uint64_t waiting = 100'000;
  std::uint64_t tokens = 4'096;
  bool over_http = false;
};

/// A node whose event has that many waiting, numbered 0 …; filled without HTTP, then started as a process of its own.
std::unique_ptr<own_node> filled_node(const poll_wish& w, report& r, const std::string& event,
                                      const std::string& prefix) {
  auto own = std::make_unique<own_node>(w.all);
  {
    in_process_node filler{own->data()};
    auto wish = closed_room();
    wish.id = event;
    make_event(filler.admin(), wish);
    command_pump pump{filler};
    auto figures = fill_line(pump, filler.number_of(event), prefix, 0, w.waiting);
    r.say(grouped(static_cast<double>(w.waiting)) + " joined in process, " +
          grouped(static_cast<double>(w.waiting) / figures.seconds) + "/s");
  }
  own->start();
  return own;
}

int poll(const poll_wish& w) {
  report r{"poll", w.all.json_file};
  auto prefix = fresh_name("w") + "-";
  std::vector<std::string> events{fresh_name("line")};
  std::unique_ptr<node_under_test> node;
  if (w.all.start && !w.over_http) {
    node = std::make_unique<node_under_test>(w.all, filled_node(w, r, events.front(), prefix));
  } else {
    node = std::make_unique<node_under_test>(w.all);
    events = make_events(*node, closed_room(), w.all.events_per_run);
    auto began = clock::now();
    collect_tokens(*node, events, visit_goal::ticket, w.waiting, prefix, 1);
    r.say(grouped(static_cast<double>(w.waiting)) + " joined over HTTP, " +
          grouped(static_cast<double>(w.waiting) / std::chrono::duration<double>(clock::now() - began).count()) + "/s");
  }
  auto users = std::min(w.tokens, w.waiting);
  auto stride = events.size() == 1 ? w.waiting / users : 1;
  auto tokens = collect_tokens(*node, events, visit_goal::ticket, users, prefix, stride);
  auto s =
      measured("poll with " + grouped(static_cast<double>(w.waiting)) + " waiting", settings_for(w.all, node->to()),
               [&](unsigned t) {
                 return std::make_unique<poll_load>(node->to().host, events, tokens, t * tokens.size() / w.all.threads);
               });
  judge_errors(r, s);
  r.add(std::move(s));
  return r.finish();
}

} // namespace

void add_poll(CLI::App& app, chosen_run& chosen) {
  auto* sub = app.add_subcommand("poll", "people in a line look at their place");
  auto w = std::make_shared<poll_wish>();
  add_node_options(*sub, w->all);
  add_load_options(*sub, w->all);
  sub->add_option("--waiting", w->waiting, "people in the line")
      ->capture_default_str()
      ->check(CLI::Range(1u, 10'000'000u));
  sub->add_option("--tokens", w->tokens, "how many of them look")
      ->capture_default_str()
      ->check(CLI::Range(1u, 1'000'000u));
  sub->add_flag("--fill-over-http", w->over_http,
                "make them join over HTTP; with --start the default is a node inside this process, which is quicker");
  sub->callback([w, &chosen] { chosen = [w] { return poll(*w); }; });
}

} // namespace sluice::bench
