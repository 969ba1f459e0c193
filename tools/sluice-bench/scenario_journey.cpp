// journey: the whole way from the line to a paid seat.
#include "sluice-bench/scenarios.hpp"
#include "sluice-bench/stages.hpp"

#include <CLI/CLI.hpp>

#include <mutex>

namespace sluice::bench {

stage_report journey_stage(node_under_test& node, const stage_settings& s, const journey_wish& w,
                           const std::string& name) {
  auto wish = open_house();
  if (w.free_of_charge)
    wish.price = 0;
  if (w.seats > 0)
    set_seats(wish, w.seats);
  auto events = make_events(node, wish, w.events);
  std::vector<std::string> seat_ids;
  if (w.seats > 0)
    seat_ids = read_stock(node.admin(), events.front()).seats;
  std::atomic<std::uint64_t> next{0};
  std::atomic<std::uint64_t> next_seat{0};
  visit_plan plan;
  plan.host = node.to().host;
  plan.events = events;
  plan.until = visit_goal::booking;
  plan.user_prefix = fresh_name("j") + "-";
  plan.next_user = &next;
  plan.think = w.think;
  plan.free_of_charge = w.free_of_charge;
  plan.poll_at_most = std::chrono::milliseconds{200};
  std::mutex lock;
  std::vector<std::unique_ptr<seat_source>> sources;
  return measured(name, s, [&](unsigned t) {
    std::lock_guard guard{lock};
    if (w.seats > 0)
      sources.push_back(std::make_unique<row_source>(seat_ids, next_seat));
    else
      sources.push_back(std::make_unique<area_source>("floor", 1));
    return std::make_unique<visitor>(plan, sources.back().get(), t);
  });
}

void add_journey(CLI::App& app, chosen_run& chosen) {
  struct wish {
    options all;
    journey_wish way;
    double think_ms = 0;
  };

  auto* sub = app.add_subcommand(
      "journey", "join, claim the turn, hold, pay, confirmed; with --start the sandbox provider runs beside");
  auto w = std::make_shared<wish>();
  add_node_options(*sub, w->all);
  add_load_options(*sub, w->all);
  sub->add_option("--seats", w->way.seats, "book one seat each, of so many; 0: a place in an area")
      ->check(CLI::Range(0u, 200'000u));
  sub->add_flag("--free", w->way.free_of_charge, "seats cost nothing, and no provider is asked");
  sub->add_option("--think-ms", w->think_ms, "pause of a user before each request, on average")
      ->check(CLI::NonNegativeNumber);
  sub->callback([w, &chosen] {
    chosen = [w] {
      report r{"journey", w->all.json_file};
      node_under_test node{w->all, !w->way.free_of_charge};
      w->way.events = w->all.events_per_run;
      w->way.think = options::in_nanoseconds(w->think_ms / 1e3);
      auto s = journey_stage(node, settings_for(w->all, node.to()), w->way, "journey");
      judge_errors(r, s);
      auto rate = s.units_per_second();
      r.add(std::move(s));
      r.add("journeysPerSecond", rate, "/s");
      return r.finish();
    };
  });
}

} // namespace sluice::bench
