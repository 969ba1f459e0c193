// The subcommands. Each adds itself to the command line and leaves behind what to run.
#pragma once

#include <functional>

namespace CLI {
class App;
} // namespace CLI

namespace sluice::bench {

/// What the command line chose; gives the exit status.
using chosen_run = std::function<int()>;

void add_join(CLI::App& app, chosen_run& chosen);
void add_hold(CLI::App& app, chosen_run& chosen);
void add_poll(CLI::App& app, chosen_run& chosen);
void add_journey(CLI::App& app, chosen_run& chosen);
void add_sellout(CLI::App& app, chosen_run& chosen);
void add_in_process(CLI::App& app, chosen_run& chosen);
void add_restart(CLI::App& in_process, chosen_run& chosen);
void add_checkpoint(CLI::App& in_process, chosen_run& chosen);
void add_cluster(CLI::App& in_process, chosen_run& chosen);
void add_profile(CLI::App& app, chosen_run& chosen);
void add_yardstick(CLI::App& app, chosen_run& chosen);
void add_compare(CLI::App& app, chosen_run& chosen);

} // namespace sluice::bench
