// A stage over several threads: each runs an engine of its own, and the figures are added up.
#include "sluice-bench/engine.hpp"

#include <algorithm>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <thread>

#include <netdb.h>
#include <sys/socket.h>

namespace sluice::bench {

target target_from(const std::string& url) {
  std::string_view text = url;
  if (text.starts_with("http://"))
    text.remove_prefix(7);
  text = text.substr(0, text.find('/'));
  auto colon = text.rfind(':');
  std::string host{text.substr(0, colon)};
  std::string port{colon == std::string_view::npos ? std::string_view{"80"} : text.substr(colon + 1)};
  addrinfo wanted{};
  wanted.ai_family = AF_INET;
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (auto error = getaddrinfo(host.c_str(), port.c_str(), &wanted, &found); error != 0)
    throw std::runtime_error{"'" + url + "' leads nowhere: " + gai_strerror(error)};
  target t;
  std::memcpy(&t.at, found->ai_addr, sizeof(t.at));
  freeaddrinfo(found);
  t.host = host + ":" + port;
  return t;
}

void stage_figures::merge(const stage_figures& other) {
  seconds = std::max(seconds, other.seconds);
  requests += other.requests;
  finished += other.finished;
  failed += other.failed;
  unanswered += other.unanswered;
  timeouts += other.timeouts;
  broken += other.broken;
  connects += other.connects;
  late += other.late;
  cpu_seconds += other.cpu_seconds;
  if (kinds.empty())
    kinds.resize(other.kinds.size());
  for (std::size_t k = 0; k < kinds.size() && k < other.kinds.size(); ++k) {
    kinds[k].name = other.kinds[k].name;
    kinds[k].latency.merge(other.kinds[k].latency);
  }
  if (other.units.max() > units.max())
    slowest_at = other.slowest_at;
  units.merge(other.units);
  for (const auto& [status, count] : other.statuses)
    statuses[status] += count;
  for (const auto& [code, count] : other.codes)
    codes[code] += count;
}

std::uint64_t stage_figures::errors() const {
  auto sum = unanswered + timeouts + broken;
  for (const auto& [status, count] : statuses)
    if (status >= 400)
      sum += count;
  return sum;
}

stage_figures run_stage(const stage_settings& settings, workload& work) {
  return run_part(settings, settings.plan, settings.connections, work);
}

stage_figures run_stage(const stage_settings& settings,
                        const std::function<std::unique_ptr<workload>(unsigned)>& make) {
  auto threads = std::max(1u, std::min<unsigned>(settings.threads, settings.connections));
  std::vector<stage_figures> parts(threads);
  std::vector<std::exception_ptr> failures(threads);
  auto run = [&](unsigned t) {
    try {
      auto work = make(t);
      auto plan = settings.plan ? std::optional{settings.plan->part(t, threads)} : std::nullopt;
      auto lanes = settings.connections / threads + (t < settings.connections % threads ? 1 : 0);
      parts[t] = run_part(settings, plan, lanes, *work);
    } catch (...) {
      failures[t] = std::current_exception();
    }
  };
  std::vector<std::thread> others;
  for (unsigned t = 1; t < threads; ++t)
    others.emplace_back(run, t);
  run(0);
  for (auto& o : others)
    o.join();
  stage_figures all;
  for (unsigned t = 0; t < threads; ++t) {
    if (failures[t])
      std::rethrow_exception(failures[t]);
    all.merge(parts[t]);
  }
  return all;
}

} // namespace sluice::bench
