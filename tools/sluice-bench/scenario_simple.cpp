// join and hold: one kind of request.
#include "sluice-bench/scenarios.hpp"
#include "sluice-bench/stages.hpp"

#include <CLI/CLI.hpp>

namespace sluice::bench {

void add_join(CLI::App& app, chosen_run& chosen) {
  auto* sub = app.add_subcommand("join", "durable joins, each by a new user, into a line that only grows");
  auto o = std::make_shared<options>();
  add_node_options(*sub, *o);
  add_load_options(*sub, *o);
  sub->add_option("--event", o->event, "into the line of this one, which exists; else into those of new ones")
      ->excludes(sub->get_option("--start"))
      ->excludes(sub->get_option("--events-per-run"));
  sub->callback([o, &chosen] {
    chosen = [o] {
      report r{"join", o->json_file};
      node_under_test node{*o};
      auto s = join_stage(node, *o, "join");
      judge_errors(r, s);
      r.add(std::move(s));
      return r.finish();
    };
  });
}

void add_hold(CLI::App& app, chosen_run& chosen) {
  auto* sub = app.add_subcommand("hold", "durable holds by users who were let through before");
  auto o = std::make_shared<options>();
  auto seats = std::make_shared<std::uint64_t>(0);
  add_node_options(*sub, *o);
  add_load_options(*sub, *o);
  sub->add_option("--seats", *seats, "hold one seat each, of so many in each event; 0: a place in an area")
      ->check(CLI::Range(0u, 200'000u));
  sub->callback([o, seats, &chosen] {
    chosen = [o, seats] {
      report r{"hold", o->json_file};
      node_under_test node{*o};
      auto s = hold_stage(node, *o, *seats > 0 ? "hold seats" : "hold", *seats);
      judge_errors(r, s);
      r.add(std::move(s));
      return r.finish();
    };
  });
}

} // namespace sluice::bench
