// The steps scenarios are made of: events, users with tokens, and measured stages.
#pragma once

#include "sluice-bench/node_under_test.hpp"
#include "sluice-bench/report.hpp"
#include "sluice-bench/setup.hpp"
#include "sluice-bench/token_loads.hpp"
#include "sluice-bench/visitor.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace sluice::bench {

/// Settings of a stage as the options say; open loop if there is a rate.
stage_settings settings_for(const options& o, const target& to);

/// Runs a stage and watches the node meanwhile.
stage_report measured(const std::string& name, const stage_settings& s,
                      const std::function<std::unique_ptr<workload>(unsigned)>& make);

/// So many events of that shape, each with a fresh name.
std::vector<std::string> make_events(node_under_test& node, const event_wish& wish, std::uint32_t count);

/// Nobody gets through but the first: for lines that only grow.
event_wish closed_room();
/// Everybody gets through at once, to an area of ten million places.
event_wish open_house();

/// Makes `users` join (and claim, for admission tokens), and gives their tokens. Throws if one of them fails.
std::vector<token_holder> collect_tokens(node_under_test& node, const std::vector<std::string>& events,
                                         visit_goal until, std::uint64_t users);
/// The same for users of a line that was filled before: those numbered 0, stride, 2 × stride, ….
std::vector<token_holder> collect_tokens(node_under_test& node, const std::vector<std::string>& events,
                                         visit_goal until, std::uint64_t users, const std::string& prefix,
                                         std::uint64_t stride);

// ---- one stage each, on events of its own ----

stage_report join_stage(node_under_test& node, const options& o, const std::string& name);
/// `seats` 0: places of an area.
stage_report hold_stage(node_under_test& node, const options& o, const std::string& name, std::uint64_t seats = 0);

struct journey_wish {
  std::uint64_t seats = 0; // 0: places of an area
  bool free_of_charge = false;
  nanoseconds think{};
  std::uint32_t events = 1;
};

stage_report journey_stage(node_under_test& node, const stage_settings& s, const journey_wish& w,
                           const std::string& name);

/// An event hall of at least that many seats, in blocks of up to 1 000.
void set_seats(event_wish& wish, std::uint64_t seats);

/// Adds "not everything was answered well" to the report's failures if that is so.
void judge_errors(report& r, const stage_report& s);

} // namespace sluice::bench
