// A run in a process of its own, so that an invariant that stops the process is a report like any other; and what can be
// done with such runs: shrink a failure, hunt for a planted bug.
#pragma once

#include "simulation.hpp"

#include "core/planted.hpp"

#include <functional>

namespace sluice::simulation {

/// Without a trace and without counts. `bug` is planted in that process alone; only in a build that knows them.
run_report run_apart(const run_options& options, planted bug = planted::none);

/// The smallest run found that still fails: shorter, with fewer clients, and without the faults it does not need.
/// `told` hears of every step forward.
run_options shrink(run_options failing, planted bug, const std::function<void(const run_options&)>& told);

struct catch_report {
  bool caught = false;
  std::uint64_t seeds = 0; // run, the last one being the catch
  run_report last;
};

/// Runs seeds from `first` on until a checker sees the bug.
catch_report hunt(planted bug, std::uint64_t first, std::uint64_t seeds_max);

} // namespace sluice::simulation
