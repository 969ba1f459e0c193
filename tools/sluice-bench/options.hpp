// What every scenario can be told, and its defaults.
#pragma once

#include "sluice-bench/schedule.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace CLI {
class App;
} // namespace CLI

namespace sluice::bench {

struct options {
  // the node
  std::string url = "http://127.0.0.1:8080";
  bool start = false;
  std::string admin_key_file;
  std::string node_program;            // empty: sluiced beside this program
  std::string provider_program;        // empty: sandbox-provider beside this program
  std::vector<std::string> node_words; // further ones for its command line
  std::filesystem::path folder;        // for temporary folders; empty: the system's
  bool keep_folder = false;

  // the load
  std::uint32_t connections = 256;
  unsigned threads = 1;
  double seconds = 5;
  double warm_up = 1;
  double rate = 0; // arrivals per second; 0: closed loop
  std::uint32_t events_per_run = 1;
  std::string event; // of join: one that exists; empty: new ones

  std::string json_file;

  nanoseconds length() const { return in_nanoseconds(seconds); }

  nanoseconds warm_up_length() const { return in_nanoseconds(warm_up); }

  static nanoseconds in_nanoseconds(double seconds) {
    return std::chrono::duration_cast<nanoseconds>(std::chrono::duration<double>(seconds));
  }
};

/// Options about the node: --url, --start, … and --json.
void add_node_options(CLI::App& app, options& o);
/// Options of runs that need no node beside: --folder, --json, ….
void add_run_options(CLI::App& app, options& o);
/// Options about the load: --connections, --rate, …
void add_load_options(CLI::App& app, options& o);

} // namespace sluice::bench
