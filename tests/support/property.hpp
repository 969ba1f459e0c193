// Property tests: random command sequences against a naive model, shrunk when they fail.
#pragma once

#include <catch2/catch.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace sluice::test {

using rng = std::mt19937_64;

inline std::uint64_t below(rng& r, std::uint64_t most) {
  return most == 0 ? 0 : r() % most;
}

inline bool chance(rng& r, unsigned percent) {
  return below(r, 100) < percent;
}

/// Runs `run` on sequences made by `generate` for each seed. `run` returns what went wrong, if anything. A failing sequence
/// is cut down as long as it still fails, then printed with `show`, one line a command.
template <class Command>
void check_sequences(std::uint64_t first_seed, std::uint64_t seeds,
                     const std::function<std::vector<Command>(rng&)>& generate,
                     const std::function<std::optional<std::string>(const std::vector<Command>&)>& run,
                     const std::function<std::string(const Command&)>& show) {
  for (auto seed = first_seed; seed < first_seed + seeds; ++seed) {
    rng r{seed};
    auto commands = generate(r);
    auto why = run(commands);
    if (!why)
      continue;
    for (auto step = commands.size() / 2; step > 0; step /= 2)
      for (std::size_t from = 0; from + step <= commands.size();) {
        auto fewer = commands;
        fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(from),
                    fewer.begin() + static_cast<std::ptrdiff_t>(from + step));
        if (auto still = run(fewer)) {
          commands = std::move(fewer);
          why = std::move(still);
        } else {
          from += step;
        }
      }
    std::string story;
    for (const auto& c : commands)
      story += "\n  " + show(c);
    FAIL("seed=" << seed << ": " << *why << "\nshortest failing sequence:" << story);
  }
}

} // namespace sluice::test
