// Runs as text: what the command line of sluice-sim and the files of the corpus say, and how to say it again.
#pragma once

#include "plan.hpp"

#include "core/planted.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace sluice::simulation {

/// Sets one option by its name on the command line, without dashes: seed, without, users, events, partitions, nodes,
/// crowd, storm (in ms). False: there is no such option, or the value makes no sense.
bool set_option(run_options& options, std::string_view name, std::string_view value);

/// The arguments that make this run again.
std::string command_line(const run_options& options, planted bug = planted::none);

struct seed_file {
  run_options options;
  planted catches = planted::none; // the bug this seed is kept for: with it, the run fails
};

/// A file of the corpus: an option and its value per line, `#` begins a comment. Empty: it does not parse.
std::optional<seed_file> read_seed_file(const std::string& text);

std::optional<planted> planted_by_name(std::string_view name);
std::string_view name_of(planted bug);

} // namespace sluice::simulation
