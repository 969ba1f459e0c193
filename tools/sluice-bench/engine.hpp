// Keep-alive connections on one epoll loop per thread: as little work per request as the kernel allows, since the server
// measured lives on the same cores.
#pragma once

#include "sluice-bench/histogram.hpp"
#include "sluice-bench/schedule.hpp"
#include "sluice-bench/workload.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <netinet/in.h>

namespace sluice::bench {

struct target {
  sockaddr_in at{};
  std::string host; // for the Host field
};

/// From "http://127.0.0.1:8080" (or without the scheme). Throws std::runtime_error.
target target_from(const std::string& url);

struct stage_settings {
  target to;
  std::uint32_t connections = 64;
  unsigned threads = 1;
  nanoseconds warm_up{};        // not measured
  nanoseconds length{};         // measured; 0: until every lane retired
  std::optional<schedule> plan; // set: open loop, warm-up included; else closed loop
  nanoseconds timeout = std::chrono::seconds{15};
  nanoseconds patience = std::chrono::seconds{10}; // for answers still out at the end
  const std::atomic<bool>* stop = nullptr;         // ends the stage early
};

struct kind_figures {
  std::string name;
  histogram latency;
};

struct stage_figures {
  double seconds = 0;         // measured
  std::uint64_t requests = 0; // answered in the measured time
  std::uint64_t finished = 0; // units of work
  std::uint64_t failed = 0;
  std::uint64_t unanswered = 0; // given up: charged with the time waited
  std::uint64_t timeouts = 0;
  std::uint64_t broken = 0; // connections lost under a request
  std::uint64_t connects = 0;
  std::uint64_t late = 0; // open loop: arrivals that found every lane busy
  double cpu_seconds = 0; // of the client's threads
  double slowest_at = 0;  // when the slowest unit ended, in seconds of the measured time
  std::vector<kind_figures> kinds;
  histogram units; // from when a unit was due until it finished
  std::map<unsigned, std::uint64_t> statuses;
  std::map<std::string, std::uint64_t> codes; // of errors

  void merge(const stage_figures& other);
  std::uint64_t errors() const; // answers of 400 and above, and requests without an answer
};

/// One thread's share of a stage.
stage_figures run_part(const stage_settings& settings, const std::optional<schedule>& plan, std::uint32_t lanes,
                       workload& work);
/// Runs one stage; `make(thread)` supplies each thread's workload, of which `connections / threads` lanes are served.
stage_figures run_stage(const stage_settings& settings, const std::function<std::unique_ptr<workload>(unsigned)>& make);
/// The same with one thread and a workload of the caller's.
stage_figures run_stage(const stage_settings& settings, workload& work);

} // namespace sluice::bench
