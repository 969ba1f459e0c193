#include "sluice-bench/options.hpp"

#include <CLI/CLI.hpp>

namespace sluice::bench {

void add_run_options(CLI::App& app, options& o) {
  app.add_option("--node", o.node_program, "program of the node; default: sluiced beside this one");
  app.add_option("--provider", o.provider_program,
                 "program of the payment provider; default: sandbox-provider beside this one");
  app.add_option("--node-option", o.node_words,
                 "a further word for the command line of a node that is started, such as --workers=2")
      ->allow_extra_args(false);
  app.add_option("--folder", o.folder, "where temporary folders are made: a disk whose syncs are to be measured");
  app.add_flag("--keep-folder", o.keep_folder, "leave the temporary folder behind");
  app.add_option("--json", o.json_file, "write all figures to this file as JSON; - for standard output");
}

void add_node_options(CLI::App& app, options& o) {
  auto* url = app.add_option("--url", o.url, "the node to measure")->capture_default_str();
  app.add_flag("--start", o.start, "start a node of its own in a temporary folder, and stop it at the end")
      ->excludes(url);
  app.add_option("--admin-key-file", o.admin_key_file, "with --url: admin.key in the node's data folder");
  add_run_options(app, o);
}

void add_load_options(CLI::App& app, options& o) {
  app.add_option("-c,--connections", o.connections, "kept alive")
      ->capture_default_str()
      ->check(CLI::Range(1u, 60'000u));
  app.add_option("-t,--threads", o.threads, "of the client")->capture_default_str()->check(CLI::Range(1u, 64u));
  app.add_option("-s,--seconds", o.seconds, "measured")->capture_default_str()->check(CLI::Range(0.1, 1e6));
  app.add_option("--warm-up", o.warm_up, "seconds before that")->capture_default_str()->check(CLI::Range(0.0, 1e4));
  app.add_option("-r,--rate", o.rate,
                 "arrivals a second on a fixed schedule (open loop: latency counts from when each was due); "
                 "0: closed loop")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--events-per-run", o.events_per_run, "events the load is spread over")
      ->capture_default_str()
      ->check(CLI::Range(1u, 10'000u));
}

} // namespace sluice::bench
