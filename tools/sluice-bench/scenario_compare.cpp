// yardstick and compare: the node beside nginx, in the same run and thus on the same machine in the same mood.
#include "sluice-bench/scenarios.hpp"
#include "sluice-bench/stages.hpp"
#include "sluice-bench/yardstick.hpp"

#include <CLI/CLI.hpp>

namespace sluice::bench {

namespace {

int compare(options o) {
  report r{"compare", o.json_file};
  constexpr unsigned yardstick_seconds = 4;
  auto at_64 = yardstick(r, 64, yardstick_seconds);
  auto before = yardstick(r, 256, yardstick_seconds);
  node_under_test node{o};
  struct line {
    std::string name;
    stage_report (*stage)(node_under_test&, const options&, const std::string&);
    double peak = 0;
    double p99_ms = 0;
  };
  auto hold = [](node_under_test& n, const options& all, const std::string& name) { return hold_stage(n, all, name); };
  line lines[] = {{"join", join_stage}, {"hold", hold}};
  for (auto& l : lines) {
    o.rate = 0;
    auto s = l.stage(node, o, l.name + ", peak");
    l.peak = s.units_per_second();
    judge_errors(r, s);
    r.add(std::move(s));
  }
  for (auto& l : lines) {
    o.rate = l.peak / 2;
    auto s = l.stage(node, o, l.name + ", half the peak");
    l.p99_ms = static_cast<double>(s.figures.units.at(0.99).count()) / 1e6;
    judge_errors(r, s);
    r.add(std::move(s));
  }
  auto after = yardstick(r, 256, yardstick_seconds);
  auto nginx = (before + after) / 2;
  r.say("");
  r.add("nginx64PerSecond", at_64, "/s");
  r.add("nginx256PerSecond", nginx, "/s");
  for (const auto& l : lines) {
    r.add(l.name + "PerSecond", l.peak, "/s");
    r.add(l.name + "ToNginx", 100 * l.peak / nginx, "%");
    r.add(l.name + "P99AtHalfPeakMs", l.p99_ms, "ms");
  }
  return r.finish();
}

} // namespace

void add_yardstick(CLI::App& app, chosen_run& chosen) {
  struct wish {
    std::string json_file;
    std::vector<unsigned> connections{64, 256};
    unsigned seconds = 5;
    bool own_client = false;
  };
  auto* sub = app.add_subcommand("yardstick", "nginx with one worker and \"return 200\", measured by wrk -t1");
  auto w = std::make_shared<wish>();
  sub->add_option("-c,--connections", w->connections, "one run for each number")->capture_default_str();
  sub->add_option("-s,--seconds", w->seconds)->capture_default_str()->check(CLI::Range(1u, 3600u));
  sub->add_flag("--own-client", w->own_client, "measure with this program's client instead of wrk");
  sub->add_option("--json", w->json_file, "write all figures to this file as JSON; - for standard output");
  sub->callback([w, &chosen] {
    chosen = [w] {
      report r{"yardstick", w->json_file};
      for (auto c : w->connections)
        r.add("nginx" + std::to_string(c) + "PerSecond", yardstick(r, c, w->seconds, w->own_client), "/s");
      return r.finish();
    };
  });
}

void add_compare(CLI::App& app, chosen_run& chosen) {
  auto* sub = app.add_subcommand(
      "compare", "nginx first and last, in between join and hold at their peak and at half of it (open loop)");
  auto o = std::make_shared<options>();
  add_node_options(*sub, *o);
  add_load_options(*sub, *o);
  sub->callback([o, &chosen] { chosen = [o] { return compare(*o); }; });
}

} // namespace sluice::bench
