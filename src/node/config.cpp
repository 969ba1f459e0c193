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
  std::string role = "member";
  CLI::App app{"sluiced: a node of Sluice. A waiting line in front, seats and stock behind it, payment at the end."};
  app.set_version_flag("--version", SLUICE_VERSION);
  app.set_config("--config", "", "read options from this file (TOML)");
  app.add_option("--data", c.data, "folder for everything the node keeps")->capture_default_str();
  app.add_option("--listen", c.listen, "address and port for HTTP")->capture_default_str();
  auto* certificate = app.add_option("--tls-cert", c.tls_certificate,
                                     "serve HTTPS with this certificate chain (PEM); read "
                                     "again on SIGHUP");
  app.add_option("--tls-key", c.tls_key, "its key (PEM)")->needs(certificate);
  certificate->needs("--tls-key");
  app.add_flag("--insecure-admin", c.insecure_admin, "let other machines use the admin API over plain HTTP");
  app.add_option("--payment-provider", c.payment_provider, "address and port of the payment provider")
      ->capture_default_str();
  app.add_option("--partitions", c.partitions, "logs to spread events over; fixed at the first start")
      ->capture_default_str()
      ->check(CLI::Range(1u, 256u));
  app.add_option("--name", c.name, "this node's name in the cluster, as in its certificate")->capture_default_str();
  app.add_option("--role", role, "member: holds replicas; bridge: only serves HTTP")
      ->capture_default_str()
      ->check(CLI::IsMember({"member", "bridge"}));
  app.add_option("--peer-listen", c.peer_listen, "address and port for the other nodes; port 0: any free one")
      ->capture_default_str();
  app.add_option("--peer-address", c.peer_address, "where the other nodes reach it, if not at --peer-listen");
  app.add_option("--http-address", c.http_address, "where clients reach it, if not at --listen; for operators to see");
  app.add_option("--join", c.join, "peer address of any node of the cluster to join; needed only once");
  app.add_option("--join-token", c.join_token, "what `sluicectl cluster token` said; needed only once");
  app.add_option(
         "--memory-limit-mib", c.memory_limit_mib,
         "0: none; at 80 % of it idle sessions are passivated, at 95 % and until below 90 % again new joins to the lines it keeps are refused with 503")
      ->capture_default_str();
  app.add_option("--recover-unsafe", c.recover_unsafe,
                 "after the majority is lost for good: make what this node has the whole cluster, and end; takes the "
                 "cluster's id as a confirmation. What only the lost nodes had is gone");
  app.add_option("--backups", c.backup_folder,
                 "folder for backups made by this node, if not backups/ in the data folder");
  app.add_option("--restore", c.restore, "begin a cluster from this backup, in an empty data folder");
  app.add_option("--cluster-ca", c.cluster_tls.ca, "the cluster's own CA; with this, nodes speak TLS");
  app.add_option("--cluster-cert", c.cluster_tls.certificate, "this node's certificate for other nodes");
  app.add_option("--cluster-key", c.cluster_tls.key, "its key");
  app.add_flag("--insecure-peers", c.insecure_peers, "let nodes talk in the clear beyond loopback");
  app.add_option("--io-threads", c.io_threads, "threads for HTTP; 0: half the cores")->capture_default_str();
  app.add_option("--workers", c.workers, "threads for actors; 0: one less than there are cores")->capture_default_str();
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
  app.add_option("--max-connections-per-address", c.limits.connections_per_address_max, "loopback addresses are exempt")
      ->capture_default_str();
  app.add_option("--max-requests-in-flight", c.limits.in_flight_max, "beyond: 503")->capture_default_str();
  app.allow_config_extras(CLI::config_extras_mode::error); // a misspelled option must not be taken for its default
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    std::exit(app.exit(e));
  }
  c.bridge = role == "bridge";
  return c;
}

} // namespace sluice::node
