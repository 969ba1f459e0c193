#include "node/config.hpp"

#include <CLI/CLI.hpp>

#include <cstdlib>
#include <iostream>

#ifndef SLUICE_VERSION
#define SLUICE_VERSION "dev"
#endif

namespace sluice::node {

config read_command_line(int argc, char** argv) {
  config c;
  CLI::App app{"sluiced: a node of Sluice. A waiting line in front, seats and stock behind it, payment at the end."};
  app.set_version_flag("--version", SLUICE_VERSION);
  app.set_config("--config", "", "read options from this file (TOML)");
  app.add_option("--data", c.data, "folder for everything the node keeps")->capture_default_str();
  app.add_option("--listen", c.listen, "address and port for HTTP")->capture_default_str();
  app.add_option("--payment-provider", c.payment_provider, "address and port of the payment provider")
      ->capture_default_str();
  app.add_option("--partitions", c.partitions, "logs to spread events over; fixed at the first start")
      ->capture_default_str()
      ->check(CLI::Range(1u, 256u));
  app.add_option("--io-threads", c.io_threads, "threads for HTTP; 0: half the cores")->capture_default_str();
  app.add_option("--workers", c.workers, "threads for actors; 0: one less than there are cores")
      ->capture_default_str();
  app.add_option("--log-level", c.log_level, "trace, debug, info, warn or error")
      ->capture_default_str()
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error"}));
  app.add_option("--checkpoint-log-mib", c.checkpoint_log_mib, "log of a partition between two checkpoints, in MiB")
      ->capture_default_str()
      ->check(CLI::Range(1u, 4096u));
  app.add_option("--active-sessions-max", c.active_sessions_max, "sessions kept in memory per partition")
      ->capture_default_str()
      ->check(CLI::Range(1u, 10'000'000u));
  app.add_option("--max-connections", c.limits.connections_max, "0: what the file descriptor limit allows")
      ->capture_default_str();
  app.add_option("--max-connections-per-address", c.limits.connections_per_address_max,
                 "loopback addresses are exempt")
      ->capture_default_str();
  app.add_option("--max-requests-in-flight", c.limits.in_flight_max, "beyond: 503")->capture_default_str();
  app.allow_config_extras(CLI::config_extras_mode::error); // a misspelled option must not be taken for its default
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    std::exit(app.exit(e));
  }
  return c;
}

} // namespace sluice::node
