// What a node says about itself while it is under load: memory, backlog, connections.
#pragma once

#include "sluice-bench/engine.hpp"
#include "sluice-bench/plain_client.hpp"

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <sys/types.h>

namespace sluice::bench {

/// The sum over all labels of each metric in a Prometheus text.
std::map<std::string, double> read_metrics(std::string_view text);

/// The process that listens on that port of this machine; empty if it is elsewhere or someone else's.
std::optional<pid_t> listener_of(const target& to);

struct process_figures {
  std::uint64_t resident_bytes = 0;
  std::uint64_t descriptors = 0;
  double cpu_seconds = 0;
};

process_figures look_at(pid_t pid);

struct server_sample {
  double at = 0; // seconds since the watch began
  double resident_bytes = 0;
  double log_backlog = 0; // commands and entries not applied yet, batches not synced yet
  double connections = 0;
  double descriptors = 0; // 0: unknown
  double checkpoints = 0;
  double cpu_seconds = 0;
  double fsyncs = 0;
};

/// Looks at a node now and then, on a thread of its own.
class server_watch {
public:
  explicit server_watch(const target& to, std::chrono::milliseconds every = std::chrono::milliseconds{500});
  ~server_watch();
  server_watch(const server_watch&) = delete;
  server_watch& operator=(const server_watch&) = delete;

  /// Ends the watch. Empty if the node has no metrics.
  std::vector<server_sample> stop();

private:
  target to_;
  std::chrono::milliseconds every_;
  std::atomic<bool> stopping_{false};
  std::vector<server_sample> samples_;
  std::thread thread_;
};

/// Least squares: by how much `y` rises per unit of `x`.
double slope(const std::vector<std::pair<double, double>>& points);

} // namespace sluice::bench
