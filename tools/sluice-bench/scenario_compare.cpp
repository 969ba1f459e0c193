// yardstick and compare: the node beside nginx, in the same run and thus on the same machine in the same mood.
#include "sluice-bench/scenarios.hpp"
#include "sluice-bench/stages.hpp"
#include "sluice-bench/yardstick.hpp"

#include <CLI/CLI.hpp>

namespace sluice::bench {

namespace {

struct line {
  std::string name;
  stage_report (*stage)(node_under_test&, const options&, const std::string&);
  std::vector<double> peaks;
  std::vector<double> ratios; // to nginx right before
  std::vector<double> p99_ms;
  std::vector<double> cpu_microseconds;
};

int compare(options o, unsigned rounds) {
  report r{"compare", o.json_file};
  constexpr unsigned yardstick_seconds = 3;
  auto hold = [](node_under_test& n, const options& all, const std::string& name) { return hold_stage(n, all, name); };
  line lines[] = {{"join", join_stage, {}, {}, {}, {}}, {"hold", hold, {}, {}, {}, {}}};
  std::vector<double> nginx_rates;
  std::vector<double> nginx_cpu;
  auto at_64 = yardstick(r, 64, yardstick_seconds).per_second;
  for (unsigned round = 0; round < rounds; ++round)
    for (auto& l : lines) {
      // Close together in time: whatever else runs on this machine then runs beside both.
      auto nginx = yardstick(r, 256, yardstick_seconds);
      nginx_rates.push_back(nginx.per_second);
      nginx_cpu.push_back(nginx.cpu_microseconds);
      node_under_test node{o};
      o.rate = 0;
      auto s = l.stage(node, o, l.name + ", peak");
      l.peaks.push_back(s.units_per_second());
      l.ratios.push_back(100 * s.units_per_second() / nginx.per_second);
      l.cpu_microseconds.push_back(s.cpu_microseconds_per_unit());
      judge_errors(r, s);
      r.add(std::move(s));
      o.rate = l.peaks.back() / 2;
      auto half = l.stage(node, o, l.name + ", half the peak");
      l.p99_ms.push_back(static_cast<double>(half.figures.units.at(0.99).count()) / 1e6);
      judge_errors(r, half);
      r.add(std::move(half));
    }
  r.say("");
  r.add("nginx64PerSecond", at_64, "/s");
  r.add("nginx256PerSecond", median(nginx_rates), "/s");
  r.add("nginxCpuMicroseconds", median(nginx_cpu), "us");
  for (const auto& l : lines) {
    r.add(l.name + "PerSecond", median(l.peaks), "/s");
    r.add(l.name + "ToNginx", median(l.ratios), "%");
    r.add(l.name + "CpuMicroseconds", median(l.cpu_microseconds), "us");
    r.add(l.name + "P99AtHalfPeakMs", median(l.p99_ms), "ms");
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
        r.add("nginx" + std::to_string(c) + "PerSecond", yardstick(r, c, w->seconds, w->own_client).per_second, "/s");
      return r.finish();
    };
  });
}

void add_compare(CLI::App& app, chosen_run& chosen) {
  auto* sub = app.add_subcommand(
      "compare", "nginx, then join at its peak and at half of it (open loop) on a fresh node; the same with hold");
  auto o = std::make_shared<options>();
  auto rounds = std::make_shared<unsigned>(1);
  add_node_options(*sub, *o);
  add_load_options(*sub, *o);
  sub->add_option("--rounds", *rounds, "of everything; the medians count")
      ->capture_default_str()
      ->check(CLI::Range(1u, 1'000u));
  sub->callback([o, rounds, &chosen] { chosen = [o, rounds] { return compare(*o, *rounds); }; });
}

} // namespace sluice::bench
