// What a node can be told, and its defaults.
#pragma once

#include "cluster/link/links.hpp"
#include "http/limits.hpp"

#include <cstdint>
#include <filesystem>
#include <string>

namespace sluice::node {

struct config {
  std::filesystem::path data = "var";
  std::string listen = "127.0.0.1:8080";           // HTTP; port 0 takes any free one
  std::string payment_provider = "127.0.0.1:8090"; // the sandbox, or what speaks like it
  std::uint32_t partitions = 16;                   // fixed when the cluster is founded

  std::string name = "node-1";             // in the cluster; as in the node's certificate
  bool bridge = false;                     // holds no replica, only serves HTTP
  std::string peer_listen = "127.0.0.1:0"; // for the other nodes; port 0: any free one, the same after a restart
  std::string peer_address;                // where the others reach it; empty: peer_listen
  std::string http_address;                // told to operators; empty: listen
  std::string join;                        // peer address of any node of the cluster to join
  std::string join_token;
  std::size_t memory_limit_mib = 0; // 0: none. At 80 % of it sessions go to sleep, at 95 % no new joins
  std::string recover_unsafe;       // the cluster's id, typed as a confirmation
  std::string backup_folder;        // empty: backups/ in the data folder
  std::string restore;              // a backup to begin with, in an empty data folder
  link::tls_files cluster_tls;
  bool insecure_peers = false; // beyond loopback without TLS

  unsigned io_threads = 0; // 0: by the number of cores
  unsigned workers = 0;    // of the actors; 0: by the number of cores
  std::string log_level = "info";
  std::size_t checkpoint_log_mib = 24;        // a partition takes a checkpoint after this much log
  std::size_t active_sessions_max = 50'000;   // per partition; idle ones beyond are passivated
  std::size_t checkpoint_mib_per_second = 48; // pace of writing checkpoints
  std::string tls_certificate;                // for clients; empty: plain HTTP
  std::string tls_key;
  bool insecure_admin = false; // the admin API answers plain HTTP from other machines
  http::server_limits limits;
};

/// Reads the command line (and a file named by --config); prints help or mistakes and exits by itself.
config read_command_line(int argc, char** argv);

} // namespace sluice::node
