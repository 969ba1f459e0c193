// inprocess journeys, memory and flat: a node in this process, without HTTP.
#include "sluice-bench/in_process.hpp"
#include "sluice-bench/journey_script.hpp"
#include "sluice-bench/scenarios.hpp"
#include "sluice-bench/stages.hpp"

#include <CLI/CLI.hpp>

#include <malloc.h>
#include <thread>

namespace sluice::bench {

namespace {

using namespace std::chrono_literals;

std::string new_event(in_process_node& node, event_wish wish) {
  wish.id = fresh_name(wish.id);
  make_event(node.admin(), wish);
  return wish.id;
}

// ---- journeys -------------------------------------------------------------------------------------------------------

struct journeys_wish {
  options all;
  std::uint32_t lanes = 1024;
  bool with_provider = false;
};

int journeys(const journeys_wish& w) {
  report r{"inprocess journeys", w.all.json_file};
  own_node beside{w.all, w.with_provider}; // for its folder, and the provider
  in_process_node node{beside.data(), beside.provider_address()};
  auto wish = open_house();
  wish.price = w.with_provider ? 2'500 : 0;
  std::vector<event_number> events;
  for (std::uint32_t i = 0; i < w.all.events_per_run; ++i)
    events.push_back(node.number_of(new_event(node, wish)));
  command_pump pump{node};
  journey_script warm{events, fresh_name("a"), w.with_provider};
  pump.run(warm, w.lanes, w.all.warm_up_length());
  journey_script measured_ones{events, fresh_name("b"), w.with_provider};
  auto f = pump.run(measured_ones, w.lanes, w.all.length());
  r.add("journeysPerSecond", static_cast<double>(f.finished) / f.seconds, "/s");
  r.add("cpuMicrosecondsPerJourney", 1e6 * f.cpu_seconds / static_cast<double>(f.finished), "us");
  r.add("p50Ms", static_cast<double>(f.units.at(0.5).count()) / 1e6, "ms");
  r.add("p99Ms", static_cast<double>(f.units.at(0.99).count()) / 1e6, "ms");
  if (f.failed > 0)
    r.set_failed(std::to_string(f.failed) + " journeys failed");
  return r.finish();
}

// ---- memory ---------------------------------------------------------------------------------------------------------

struct memory_wish {
  options all;
  std::uint64_t from = 1'000'000;
  std::uint64_t to = 2'000'000;
};

double metric(in_process_node& node, const std::string& name) {
  return read_metrics(node.admin().must("GET", "/metrics").body)[name];
}

double resident() {
  malloc_trim(0); // what was freed is nobody's
  return static_cast<double>(look_at(getpid()).resident_bytes);
}

/// Memory with the line as it is. The store's memtables fill and empty all the time: users who are in the line already
/// join again, which writes log but changes nothing, and the figure is the mean over whole turns of the memtable.
double settled_memory(in_process_node& node, command_pump& pump, event_number event, const std::string& prefix) {
  constexpr double turn_bytes = 64.0 * 1024 * 1024; // of the log's memtable
  constexpr double turns = 3;
  constexpr std::uint64_t step = 20'000;
  auto checkpoint = metric(node, "sluice_checkpoint_index");
  auto begun_at = metric(node, "sluice_log_bytes_total");
  while (metric(node, "sluice_checkpoint_index") == checkpoint ||
         metric(node, "sluice_log_bytes_total") < begun_at + turn_bytes)
    fill_line(pump, event, prefix, 0, step);
  begun_at = metric(node, "sluice_log_bytes_total");
  std::vector<double> samples;
  while (metric(node, "sluice_log_bytes_total") < begun_at + turns * turn_bytes) {
    fill_line(pump, event, prefix, 0, step);
    samples.push_back(resident());
  }
  double sum = 0;
  for (auto s : samples)
    sum += s;
  return sum / static_cast<double>(samples.size());
}

int memory(const memory_wish& w) {
  report r{"inprocess memory", w.all.json_file};
  own_node beside{w.all};
  in_process_node node{beside.data()};
  auto event = node.number_of(new_event(node, closed_room()));
  command_pump pump{node};
  auto prefix = fresh_name("m") + "-";
  auto id_bytes = static_cast<double>(visitor::user_name(prefix, 0).size());
  fill_line(pump, event, prefix, 0, w.from);
  auto before = settled_memory(node, pump, event, prefix);
  r.say("RSS with " + grouped(static_cast<double>(w.from)) + " waiting: " + in_bytes(before));
  fill_line(pump, event, prefix, w.from, w.to - w.from);
  auto after = settled_memory(node, pump, event, prefix);
  r.say("RSS with " + grouped(static_cast<double>(w.to)) + " waiting: " + in_bytes(after));
  auto each = (after - before) / static_cast<double>(w.to - w.from);
  r.add("bytesPerWaitingUser", each, "B");
  r.add("userIdBytes", id_bytes, "B");
  r.add("bytesBeyondUserId", each - id_bytes, "B");
  return r.finish();
}

// ---- flat -----------------------------------------------------------------------------------------------------------

int flat(const options& all, std::uint64_t most) {
  report r{"inprocess flat", all.json_file};
  own_node beside{all};
  in_process_node node{beside.data()};
  command_pump pump{node};
  auto prefix = fresh_name("f") + "-";
  // Few waiting: one short line after another, so that there is something to measure.
  constexpr std::uint64_t few = 1'000;
  constexpr std::uint64_t lines = 40;
  pump_figures small;
  for (std::uint64_t n = 0; n <= lines; ++n) {
    auto event = node.number_of(new_event(node, closed_room()));
    fill_line(pump, event, prefix, 0, few);
    auto f = fill_line(pump, event, prefix, few, 2 * few, 512);
    if (n == 0)
      continue; // everything is cold
    small.seconds += f.seconds;
    small.cpu_seconds += f.cpu_seconds;
    small.finished += f.finished;
  }
  double least = 0;
  double cost_at_most = 0;
  auto tell = [&](std::uint64_t waiting, const pump_figures& f) {
    auto cpu = 1e6 * f.cpu_seconds / static_cast<double>(f.finished);
    auto wall = 1e6 * f.seconds / static_cast<double>(f.finished);
    r.say(grouped(static_cast<double>(waiting)) + " waiting: " + grouped(cpu) + " us CPU, " + grouped(wall) +
          " us wall a join");
    r.add("cpuMicrosecondsPerJoinAt" + std::to_string(waiting), cpu, "us");
    least = waiting == few ? cpu : least;
    cost_at_most = cpu;
  };
  tell(few, small);
  auto event = node.number_of(new_event(node, closed_room()));
  std::uint64_t waiting = 0;
  for (std::uint64_t at : {10'000ull, 100'000ull, 500'000ull, 1'000'000ull, 2'000'000ull}) {
    if (at > most)
      break;
    fill_line(pump, event, prefix, waiting, at - waiting);
    auto measured = std::clamp<std::uint64_t>(at / 10, 20'000, 100'000);
    auto f = fill_line(pump, event, prefix, at, measured, 512);
    waiting = at + measured;
    tell(at, f);
  }
  r.add("costRatio", cost_at_most / least, "x");
  return r.finish();
}

} // namespace

void add_in_process(CLI::App& app, chosen_run& chosen) {
  auto* sub = app.add_subcommand("inprocess", "a node in this process, without HTTP; and how it stores and starts");
  sub->require_subcommand(1);
  {
    auto* s = sub->add_subcommand("journeys", "join, claim, hold, pay, confirmed");
    auto w = std::make_shared<journeys_wish>();
    add_run_options(*s, w->all);
    s->add_option("-s,--seconds", w->all.seconds, "measured")->capture_default_str();
    s->add_option("--warm-up", w->all.warm_up, "seconds before that")->capture_default_str();
    s->add_option("--events-per-run", w->all.events_per_run, "events the load is spread over")->capture_default_str();
    s->add_option("--lanes", w->lanes, "users at a time")->capture_default_str()->check(CLI::Range(1u, 10'000u));
    s->add_flag("--with-provider", w->with_provider,
                "seats cost money, and the sandbox provider beside is asked for it");
    s->callback([w, &chosen] { chosen = [w] { return journeys(*w); }; });
  }
  {
    auto* s = sub->add_subcommand("memory", "bytes for each waiting user");
    auto w = std::make_shared<memory_wish>();
    add_run_options(*s, w->all);
    s->add_option("--from", w->from, "waiting at the first look")->capture_default_str();
    s->add_option("--to", w->to, "waiting at the second")->capture_default_str();
    s->callback([w, &chosen] { chosen = [w] { return memory(*w); }; });
  }
  {
    auto* s = sub->add_subcommand("flat", "cost of a join, from a thousand to two million waiting");
    auto all = std::make_shared<options>();
    auto most = std::make_shared<std::uint64_t>(2'000'000);
    add_run_options(*s, *all);
    s->add_option("--to", *most, "waiting at the end")->capture_default_str();
    s->callback([all, most, &chosen] { chosen = [all, most] { return flat(*all, *most); }; });
  }
  add_restart(*sub, chosen);
  add_checkpoint(*sub, chosen);
  add_cluster(*sub, chosen);
}

} // namespace sluice::bench
