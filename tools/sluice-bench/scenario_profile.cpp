// profile: journeys under loads as they come in life.
#include "sluice-bench/scenarios.hpp"
#include "sluice-bench/stages.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>

namespace sluice::bench {

namespace {

struct profile_wish {
  options all;
  journey_wish way;
  double think_ms = 2'000;
  std::vector<std::uint32_t> users{1'000, 5'000, 10'000}; // ramp
  std::uint64_t burst = 5'000;                            // spike
  double depth = 0.8;                                     // wave
  double period = 10;
};

struct prepared {
  report r;
  node_under_test node;
  stage_settings settings;

  prepared(const std::string& name, profile_wish& w)
      : r{"profile " + name, w.all.json_file}, node{w.all, !w.way.free_of_charge}, settings{
                                                                                       settings_for(w.all, node.to())} {
    w.way.events = w.all.events_per_run;
  }

  stage_report stage(const profile_wish& w, const std::string& name) {
    auto s = journey_stage(node, settings, w.way, name);
    judge_errors(r, s);
    r.add(s);
    return s;
  }
};

double p99_ms(const stage_report& s) {
  return static_cast<double>(s.figures.units.at(0.99).count()) / 1e6;
}

/// More users in each stage, each with a connection and time to think.
int ramp(profile_wish w) {
  prepared p{"ramp", w};
  w.way.think = options::in_nanoseconds(w.think_ms / 1e3);
  p.settings.plan.reset();
  for (auto users : w.users) {
    p.settings.connections = users;
    // Everybody has begun at some other moment once a whole journey has passed.
    p.settings.warm_up = options::in_nanoseconds(std::max(w.all.warm_up, 3 * w.think_ms / 1e3));
    auto s = p.stage(w, grouped(users) + " users");
    p.r.add("journeysPerSecondAt" + std::to_string(users), s.units_per_second(), "/s");
  }
  return p.r.finish();
}

/// A calm rate, then very many at once, then the calm rate again.
int spike(profile_wish w) {
  prepared p{"spike", w};
  auto calm = [&](const std::string& name) {
    p.settings.plan = schedule::constant(w.all.rate, p.settings.warm_up + p.settings.length);
    return p.stage(w, name);
  };
  auto before = calm("before");
  auto settings = p.settings;
  p.settings.plan = schedule::burst(w.burst);
  p.settings.warm_up = {};
  p.settings.length = std::chrono::seconds{1};
  p.settings.patience = std::chrono::seconds{60};
  auto peak = p.stage(w, grouped(static_cast<double>(w.burst)) + " at once");
  p.settings = settings;
  auto after = calm("after");
  p.r.add("spikeServedSeconds", static_cast<double>(peak.figures.units.max().count()) / 1e9, "s");
  p.r.add("p99MsBefore", p99_ms(before), "ms");
  p.r.add("p99MsAfter", p99_ms(after), "ms");
  return p.r.finish();
}

int wave(profile_wish w) {
  prepared p{"wave", w};
  p.settings.plan =
      schedule::wave(w.all.rate, w.depth, options::in_nanoseconds(w.period), p.settings.warm_up + p.settings.length);
  p.stage(w, "wave");
  return p.r.finish();
}

/// One rate for long, in pieces, to see whether anything creeps up.
int soak(profile_wish w) {
  prepared p{"soak", w};
  auto pieces = std::max(3, static_cast<int>(w.all.seconds / 60));
  auto whole = p.settings.length;
  p.settings.length = whole / pieces;
  std::vector<std::pair<double, double>> memory;
  std::vector<std::pair<double, double>> descriptors;
  std::vector<std::pair<double, double>> latency;
  for (int i = 0; i < pieces; ++i) {
    p.settings.plan = schedule::constant(w.all.rate, p.settings.warm_up + p.settings.length);
    auto s = p.stage(w, "piece " + std::to_string(i + 1) + " of " + std::to_string(pieces));
    auto hours = i * std::chrono::duration<double>(p.settings.length).count() / 3600;
    if (!s.server.empty()) {
      memory.emplace_back(hours, s.server.back().resident_bytes / 1024 / 1024);
      descriptors.emplace_back(hours, s.server.back().descriptors);
    }
    latency.emplace_back(hours, p99_ms(s));
  }
  p.r.add("residentMiBPerHour", slope(memory), "MiB/h");
  p.r.add("descriptorsPerHour", slope(descriptors), "/h");
  p.r.add("p99MsFirst", latency.front().second, "ms");
  p.r.add("p99MsLast", latency.back().second, "ms");
  return p.r.finish();
}

} // namespace

void add_profile(CLI::App& app, chosen_run& chosen) {
  auto* sub = app.add_subcommand("profile", "whole journeys under loads as they come in life");
  sub->require_subcommand(1);
  auto add = [&](const char* name, const char* what, int (*run)(profile_wish), double rate, double seconds) {
    auto* s = sub->add_subcommand(name, what);
    auto w = std::make_shared<profile_wish>();
    w->all.rate = rate;
    w->all.seconds = seconds;
    add_node_options(*s, w->all);
    add_load_options(*s, w->all);
    s->add_flag("--free", w->way.free_of_charge, "seats cost nothing, and no provider is asked");
    s->callback([w, run, &chosen] { chosen = [w, run] { return run(*w); }; });
    return std::make_pair(s, w);
  };
  {
    auto [s, w] = add("ramp", "1 000, 5 000 and 10 000 users who think between requests", ramp, 0, 10);
    s->add_option("--users", w->users, "users of each stage")->capture_default_str();
    s->add_option("--think-ms", w->think_ms, "pause before each request, on average")->capture_default_str();
  }
  {
    auto [s, w] = add("spike", "a calm rate, very many at once, and the calm rate again", spike, 200, 5);
    s->add_option("--burst", w->burst, "how many at once")->capture_default_str();
  }
  {
    auto [s, w] = add("wave", "a rate that swings", wave, 500, 30);
    s->add_option("--depth", w->depth, "of the swing; 1 reaches down to nothing")
        ->capture_default_str()
        ->check(CLI::Range(0.0, 1.0));
    s->add_option("--period", w->period, "seconds from peak to peak")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
  }
  add("soak", "one rate for long; what creeps up is shown by the hour", soak, 200, 180);
}

} // namespace sluice::bench
