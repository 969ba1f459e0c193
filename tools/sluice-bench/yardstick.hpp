// What this machine can do at all: nginx with one worker answering "return 200".
#pragma once

#include "sluice-bench/child_process.hpp"
#include "sluice-bench/options.hpp"
#include "sluice-bench/report.hpp"

#include <cstdint>
#include <vector>

namespace sluice::bench {

/// nginx in a temporary folder, while this lives. Throws if it is not installed.
class nginx_server {
public:
  nginx_server();

  const target& to() const { return to_; }

  pid_t pid() const { return nginx_.pid(); }

private:
  temporary_folder folder_;
  child_process nginx_;
  target to_;
};

/// Requests per second by `wrk -t1`. Throws if it is not installed.
double wrk_rate(const target& to, unsigned connections, unsigned seconds);
/// The same by the bench's own engine.
stage_report own_rate(const target& to, unsigned connections, double seconds);

struct yardstick_figures {
  double per_second = 0;
  double cpu_microseconds = 0; // of nginx, for each request
};

/// Measures nginx with this many connections, by wrk or by our own client.
yardstick_figures yardstick(report& r, unsigned connections, unsigned seconds, bool own_client = false);

} // namespace sluice::bench
