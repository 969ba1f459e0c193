// One seed, one run: nodes with their partitions under storm, then calm, then the reckoning.
#pragma once

#include "plan.hpp"
#include "tally.hpp"

#include <cstdint>
#include <string>

namespace sluice::simulation {

struct run_report {
  std::uint64_t seed = 0;
  bool ok = true;
  std::string checker; // that failed
  std::string what;
  std::uint64_t step = 0;
  micros virtual_time = 0;
  std::uint64_t fingerprint = 0;
  bool thin = false; // too little of the main operations succeeded to mean anything
  tally counts;
};

run_report run(const run_options& options);

/// Where the run under way stands, for whoever has to report that the process was stopped by a broken invariant.
struct standing {
  std::uint64_t seed = 0;
  std::uint64_t step = 0;
  micros virtual_time = 0;
};

const standing& where();

} // namespace sluice::simulation
