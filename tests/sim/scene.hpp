// What everything in one run shares: its plan, its dice, its clock, and the verdict on it.
#pragma once

#include "agenda.hpp"
#include "plan.hpp"
#include "tally.hpp"

#include "core/ids.hpp"
#include "core/time.hpp"

#include <cstdio>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace sluice::simulation {

struct violation {
  std::string checker;
  std::string what;
};

/// Owned by one run; single-threaded.
class scene {
public:
  explicit scene(const run_options& run)
      : options{run}, settings{plan::of(run)}, dice{mix(run.seed ^ 0xD1CE)}, time{mix(run.seed ^ 0x71E)} {}

  const run_options& options;
  const plan settings;
  chance dice;
  agenda time;
  tally counts;
  bool stormy = true;                                // faults strike
  std::set<std::pair<node_id, partition_id>> untrue; // replicas whose state is not what their log says
  std::int64_t wall_offset_ms = 0;                   // of everybody
  std::map<node_id, std::int64_t> node_offsets_ms;   // of one node's clock, beside that

  wall_time wall() const { return wall_time_from_ms(1'750'000'000'000 + wall_offset_ms + time.now() / ms); }

  wall_time wall(node_id node) const {
    auto known = node_offsets_ms.find(node);
    return wall() + milliseconds{known == node_offsets_ms.end() ? 0 : known->second};
  }

  /// The first violation stands and ends the run.
  void fail(std::string_view checker, std::string what) {
    if (violated_)
      return;
    say("VIOLATION " + std::string{checker} + ": " + what);
    violated_ = violation{std::string{checker}, std::move(what)};
  }

  bool failed() const { return violated_.has_value(); }

  const std::optional<violation>& violated() const { return violated_; }

  bool telling() const { return static_cast<bool>(options.trace); }

  /// Callers ask `telling()` before they put a line together.
  void say(const std::string& what) {
    if (!telling())
      return;
    char at[32];
    std::snprintf(at, sizeof at, "%11.6f ", static_cast<double>(time.now()) / 1e6);
    options.trace(at + what);
  }

  /// Strikes with the given chance, counted; never in the calm after the storm.
  bool strikes(fault f, std::uint64_t permille) {
    if (!stormy || !dice.permille(permille))
      return false;
    ++counts[f];
    return true;
  }

private:
  std::optional<violation> violated_;
};

} // namespace sluice::simulation
