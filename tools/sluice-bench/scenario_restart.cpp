// inprocess restart and checkpoint: a folder is filled in this process, and a node of its own is started on it.
#include "sluice-bench/journey_script.hpp"
#include "sluice-bench/scenarios.hpp"
#include "sluice-bench/stages.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>

namespace sluice::bench {

namespace {

struct fill_wish {
  options all;
  std::uint64_t waiting = 1'000'000;
  std::uint64_t reservations = 100'000;
};

/// People in a line, and paid places, each in an event of its own. Stopped as an operator would.
void fill(own_node& own, const fill_wish& w, report& r, const std::string& line) {
  auto began = clock::now();
  in_process_node node{own.data()};
  command_pump pump{node};
  if (w.waiting > 0) {
    auto room = closed_room();
    room.id = line;
    make_event(node.admin(), room);
    fill_line(pump, node.number_of(line), "w-", 0, w.waiting);
  }
  if (w.reservations > 0) {
    auto house = open_house();
    house.id = fresh_name("house");
    house.price = 0;
    make_event(node.admin(), house);
    journey_script all{{node.number_of(house.id)}, fresh_name("r"), false, w.reservations};
    auto f = pump.run(all, 1024);
    if (f.finished != w.reservations)
      throw std::runtime_error{std::to_string(f.failed) + " journeys failed while the folder was filled"};
  }
  node.stop();
  r.say(grouped(static_cast<double>(w.waiting)) + " waiting and " + grouped(static_cast<double>(w.reservations)) +
        " reservations made in " + grouped(std::chrono::duration<double>(clock::now() - began).count()) + " s");
}

int restart(const fill_wish& w) {
  report r{"inprocess restart", w.all.json_file};
  own_node own{w.all};
  auto line = fresh_name("line");
  fill(own, w, r, line);
  std::vector<double> clean;
  std::vector<double> crashed;
  for (int i = 0; i < 3; ++i) {
    clean.push_back(own.start());
    // A second of joins, then the plug is pulled: the next start has log to replay.
    auto o = w.all;
    o.seconds = 1;
    o.warm_up = 0;
    target to = target_from(own.url());
    std::atomic<std::uint64_t> next{0};
    visit_plan plan;
    plan.host = to.host;
    plan.events = {line};
    plan.until = visit_goal::ticket;
    plan.user_prefix = fresh_name("x") + "-";
    plan.next_user = &next;
    if (w.waiting > 0)
      measured("joins", settings_for(o, to), [&](unsigned t) { return std::make_unique<visitor>(plan, nullptr, t); });
    own.kill();
    crashed.push_back(own.start());
    own.stop();
  }
  r.add("restartSeconds", median(clean), "s");
  r.add("restartSecondsWorst", *std::max_element(clean.begin(), clean.end()), "s");
  r.add("restartAfterCrashSeconds", median(crashed), "s");
  r.add("restartAfterCrashSecondsWorst", *std::max_element(crashed.begin(), crashed.end()), "s");
  return r.finish();
}

struct checkpoint_wish {
  fill_wish folder;
  double rate = 5'000;
  unsigned rounds = 3;
};

/// The same load twice on the same folder: with a checkpoint in the middle, and with none.
int checkpoint(const checkpoint_wish& w) {
  report r{"inprocess checkpoint", w.folder.all.json_file};
  own_node own{w.folder.all};
  auto line = fresh_name("line");
  fill(own, w.folder, r, line);
  auto one_run = [&](bool with_checkpoint, unsigned round) {
    // Enough log for one or two checkpoints of the line's partition, or no checkpoint ever.
    own.start({with_checkpoint ? "--checkpoint-log-mib=1" : "--checkpoint-log-mib=4096"});
    auto to = target_from(own.url());
    std::atomic<std::uint64_t> next{0};
    visit_plan plan;
    plan.host = to.host;
    plan.events = {line};
    plan.until = visit_goal::ticket;
    plan.user_prefix = fresh_name("c") + "-";
    plan.next_user = &next;
    auto o = w.folder.all;
    o.rate = w.rate;
    auto s = measured(std::string{with_checkpoint ? "with" : "without"} + " checkpoint, round " + std::to_string(round),
                      settings_for(o, to), [&](unsigned t) { return std::make_unique<visitor>(plan, nullptr, t); });
    own.kill();
    auto written = s.server.empty() ? 0 : s.server.back().checkpoints - s.server.front().checkpoints;
    if (with_checkpoint == (written == 0))
      r.set_failed(with_checkpoint ? "no checkpoint was taken" : "a checkpoint was taken that should not be");
    auto worst = static_cast<double>(s.figures.units.max().count()) / 1e6;
    r.add(std::move(s));
    return worst;
  };
  std::vector<double> with;
  std::vector<double> without;
  for (unsigned round = 1; round <= w.rounds; ++round) {
    without.push_back(one_run(false, round));
    with.push_back(one_run(true, round));
  }
  r.add("worstWithoutMs", median(without), "ms");
  r.add("worstWithMs", median(with), "ms");
  r.add("checkpointAddsMs", median(with) - median(without), "ms");
  return r.finish();
}

void add_fill_options(CLI::App& app, fill_wish& w) {
  app.add_option("--waiting", w.waiting, "people in the line")->capture_default_str();
  app.add_option("--reservations", w.reservations, "paid places")->capture_default_str();
}

} // namespace

void add_restart(CLI::App& app, chosen_run& chosen) {
  auto* sub = app.add_subcommand("restart", "time until a filled node serves again: after a stop, and after a crash");
  auto w = std::make_shared<fill_wish>();
  add_run_options(*sub, w->all);
  add_fill_options(*sub, *w);
  sub->callback([w, &chosen] { chosen = [w] { return restart(*w); }; });
}

void add_checkpoint(CLI::App& app, chosen_run& chosen) {
  auto* sub = app.add_subcommand("checkpoint", "what a checkpoint adds to the worst request of the same load");
  auto w = std::make_shared<checkpoint_wish>();
  w->folder.reservations = 0;
  w->folder.all.connections = 64;
  w->folder.all.seconds = 8;
  add_run_options(*sub, w->folder.all);
  add_fill_options(*sub, w->folder);
  sub->add_option("-r,--rate", w->rate, "joins a second, open loop")->capture_default_str();
  sub->add_option("-s,--seconds", w->folder.all.seconds, "of each run")->capture_default_str();
  sub->add_option("--rounds", w->rounds, "runs of each kind; the medians count")->capture_default_str();
  sub->callback([w, &chosen] { chosen = [w] { return checkpoint(*w); }; });
}

} // namespace sluice::bench
