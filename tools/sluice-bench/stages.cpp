#include "sluice-bench/stages.hpp"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <stdexcept>

namespace sluice::bench {

namespace {

constexpr unsigned holds_each = 16;            // a session takes up to 20 at once
constexpr double holds_per_second_most = 30e3; // how many users a closed loop is given

} // namespace

stage_settings settings_for(const options& o, const target& to) {
  stage_settings s;
  s.to = to;
  s.connections = o.connections;
  s.threads = o.threads;
  s.warm_up = o.warm_up_length();
  s.length = o.length();
  if (o.rate > 0)
    s.plan = schedule::constant(o.rate, s.warm_up + s.length);
  return s;
}

stage_report measured(const std::string& name, const stage_settings& s,
                      const std::function<std::unique_ptr<workload>(unsigned)>& make) {
  stage_report r;
  r.name = name;
  r.connections = s.connections;
  if (s.plan)
    r.wanted_rate = s.plan->mean_rate();
  server_watch watch{s.to};
  r.figures = run_stage(s, make);
  r.server = watch.stop();
  return r;
}

std::vector<std::string> make_events(node_under_test& node, const event_wish& wish, std::uint32_t count) {
  std::vector<std::string> events;
  for (std::uint32_t i = 0; i < count; ++i) {
    auto one = wish;
    one.id = fresh_name(wish.id);
    make_event(node.admin(), one);
    events.push_back(one.id);
  }
  return events;
}

event_wish closed_room() {
  event_wish wish;
  wish.id = "line";
  wish.area_capacity = 1'000;
  wish.users_per_minute = 1;
  wish.max_active_users = 1;
  return wish;
}

event_wish open_house() {
  event_wish wish;
  wish.id = "house";
  wish.area_capacity = 10'000'000;
  return wish;
}

std::vector<token_holder> collect_tokens(node_under_test& node, const std::vector<std::string>& events,
                                         visit_goal until, std::uint64_t users) {
  return collect_tokens(node, events, until, users, fresh_name("s") + "-", 1);
}

std::vector<token_holder> collect_tokens(node_under_test& node, const std::vector<std::string>& events,
                                         visit_goal until, std::uint64_t users, const std::string& prefix,
                                         std::uint64_t stride) {
  std::atomic<std::uint64_t> next{0};
  visit_plan plan;
  plan.host = node.to().host;
  plan.events = events;
  plan.until = until;
  plan.user_prefix = prefix;
  plan.stride = stride;
  plan.next_user = &next;
  plan.users_max = users;
  plan.poll_at_most = std::chrono::milliseconds{20};
  plan.keep_tokens = true;
  stage_settings s;
  s.to = node.to();
  s.connections = 128;
  visitor all{plan, nullptr};
  auto figures = run_stage(s, all);
  if (all.tokens().size() != users)
    throw std::runtime_error{"only " + std::to_string(all.tokens().size()) + " of " + std::to_string(users) +
                             " users got their tokens; failed requests: " + std::to_string(figures.errors())};
  return all.tokens();
}

stage_report join_stage(node_under_test& node, const options& o, const std::string& name) {
  std::atomic<std::uint64_t> next{0};
  visit_plan plan;
  plan.host = node.to().host;
  plan.events = o.event.empty() ? make_events(node, closed_room(), o.events_per_run) : std::vector{o.event};
  plan.until = visit_goal::ticket;
  plan.user_prefix = fresh_name("u") + "-";
  plan.next_user = &next;
  return measured(name, settings_for(o, node.to()),
                  [&](unsigned t) { return std::make_unique<visitor>(plan, nullptr, t); });
}

stage_report hold_stage(node_under_test& node, const options& o, const std::string& name, std::uint64_t seats) {
  auto wish = open_house();
  if (seats > 0)
    set_seats(wish, seats);
  auto events = make_events(node, wish, o.events_per_run);
  auto most = (o.rate > 0 ? o.rate : holds_per_second_most) * (o.seconds + o.warm_up);
  if (seats > 0)
    most = std::min(most, static_cast<double>(seats * events.size()));
  auto users = static_cast<std::uint64_t>(std::ceil(most / holds_each)) + events.size();
  auto tokens = collect_tokens(node, events, visit_goal::admission, users);
  std::vector<std::string> seat_ids;
  if (seats > 0)
    seat_ids = read_stock(node.admin(), events.front()).seats;
  std::atomic<std::uint64_t> next{0};
  std::atomic<std::uint64_t> next_seat{0};
  std::mutex lock;
  std::vector<std::unique_ptr<seat_source>> sources;
  return measured(name, settings_for(o, node.to()), [&](unsigned) {
    std::lock_guard guard{lock};
    if (seats > 0)
      sources.push_back(std::make_unique<row_source>(seat_ids, next_seat));
    else
      sources.push_back(std::make_unique<area_source>("floor", 1));
    return std::make_unique<hold_load>(node.to().host, events, tokens, holds_each, next, *sources.back());
  });
}

void set_seats(event_wish& wish, std::uint64_t seats) {
  wish.area_capacity = 0;
  auto blocks = (seats + 999) / 1000;
  wish.blocks = static_cast<std::uint32_t>(blocks);
  auto per_block = (seats + blocks - 1) / blocks;
  wish.seats_per_row = static_cast<std::uint32_t>(std::min<std::uint64_t>(per_block, 40));
  wish.rows = static_cast<std::uint32_t>((per_block + wish.seats_per_row - 1) / wish.seats_per_row);
}

void judge_errors(report& r, const stage_report& s) {
  if (s.figures.errors() > 0)
    r.set_failed(s.name + ": " + std::to_string(s.figures.errors()) + " requests were not answered well");
}

} // namespace sluice::bench
