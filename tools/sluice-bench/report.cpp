#include "sluice-bench/report.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <stdexcept>

namespace sluice::bench {

namespace {

std::string formatted(const char* pattern, double value) {
  char text[64];
  std::snprintf(text, sizeof(text), pattern, value);
  return text;
}

double greatest(const std::vector<server_sample>& samples, double server_sample::*what) {
  double most = 0;
  for (const auto& s : samples)
    most = std::max(most, s.*what);
  return most;
}

double change(const std::vector<server_sample>& samples, double server_sample::*what) {
  return samples.size() < 2 ? 0 : samples.back().*what - samples.front().*what;
}

double in_seconds(nanoseconds t) {
  return static_cast<double>(t.count()) / 1e9;
}

void write_latency(codec::json_writer& w, const histogram& h) {
  auto ms = [&](std::string_view name, nanoseconds t) { w.key(name).raw(json_number(in_seconds(t) * 1e3)); };
  w.begin_object().field("count", h.count());
  ms("minMs", h.min());
  ms("meanMs", h.mean());
  ms("p50Ms", h.at(0.5));
  ms("p95Ms", h.at(0.95));
  ms("p99Ms", h.at(0.99));
  ms("p999Ms", h.at(0.999));
  ms("maxMs", h.max());
  w.end_object();
}

void write_stage(codec::json_writer& w, const stage_report& s) {
  const auto& f = s.figures;
  w.begin_object().field("name", s.name).field("loop", s.wanted_rate ? "open" : "closed");
  if (s.wanted_rate)
    w.key("wantedRate").raw(json_number(*s.wanted_rate));
  w.field("connections", s.connections).key("seconds").raw(json_number(f.seconds));
  w.key("requestsPerSecond").raw(json_number(s.requests_per_second()));
  w.key("unitsPerSecond").raw(json_number(s.units_per_second()));
  w.field("requests", f.requests).field("finished", f.finished).field("failed", f.failed);
  w.field("unanswered", f.unanswered).field("timeouts", f.timeouts).field("broken", f.broken);
  w.field("connects", f.connects).field("late", f.late);
  w.key("clientCpuSeconds").raw(json_number(f.cpu_seconds));
  w.key("slowestAtSeconds").raw(json_number(f.slowest_at));
  w.key("unit");
  write_latency(w, f.units);
  w.key("kinds").begin_object();
  for (const auto& k : f.kinds)
    if (k.latency.count() > 0) {
      w.key(k.name);
      write_latency(w, k.latency);
    }
  w.end_object().key("statuses").begin_object();
  for (const auto& [status, count] : f.statuses)
    w.field(std::to_string(status), count);
  w.end_object().key("codes").begin_object();
  for (const auto& [code, count] : f.codes)
    w.field(code, count);
  w.end_object();
  if (!s.server.empty()) {
    w.key("server").begin_object();
    w.key("residentBytes").raw(json_number(s.server.back().resident_bytes));
    w.key("residentBytesMax").raw(json_number(greatest(s.server, &server_sample::resident_bytes)));
    w.key("logBacklogMax").raw(json_number(greatest(s.server, &server_sample::log_backlog)));
    w.key("connectionsMax").raw(json_number(greatest(s.server, &server_sample::connections)));
    w.key("cpuSeconds").raw(json_number(change(s.server, &server_sample::cpu_seconds)));
    w.key("cpuMicrosecondsPerUnit").raw(json_number(s.cpu_microseconds_per_unit()));
    w.key("fsyncs").raw(json_number(change(s.server, &server_sample::fsyncs)));
    w.end_object();
  }
  w.end_object();
}

void print_latency(const std::string& name, const histogram& h, double seconds) {
  std::printf("  %-14s %12s/s  p50 %9s  p95 %9s  p99 %9s  p99.9 %9s  max %9s\n", name.c_str(),
              grouped(seconds > 0 ? static_cast<double>(h.count()) / seconds : 0).c_str(), in_ms(h.at(0.5)).c_str(),
              in_ms(h.at(0.95)).c_str(), in_ms(h.at(0.99)).c_str(), in_ms(h.at(0.999)).c_str(), in_ms(h.max()).c_str());
}

std::string loop_of(const stage_report& s) {
  if (!s.wanted_rate)
    return "closed loop";
  return *s.wanted_rate > 0 ? "open loop at " + grouped(*s.wanted_rate) + "/s" : "all at once";
}

void print_stage(const stage_report& s) {
  const auto& f = s.figures;
  std::printf("%s: %u connections, %s, %.1f s\n", s.name.c_str(), s.connections, loop_of(s).c_str(), f.seconds);
  for (const auto& k : f.kinds)
    if (k.latency.count() > 0)
      print_latency(k.name, k.latency, f.seconds);
  bool is_journey = f.kinds.size() > 1;
  if (is_journey && f.units.count() > 0)
    print_latency("whole", f.units, f.seconds);
  std::printf("  answers");
  for (const auto& [status, count] : f.statuses)
    std::printf("  %u: %s", status, grouped(static_cast<double>(count)).c_str());
  for (const auto& [code, count] : f.codes)
    std::printf("  %s: %s", code.empty() ? "?" : code.c_str(), grouped(static_cast<double>(count)).c_str());
  if (f.timeouts + f.broken + f.unanswered > 0)
    std::printf("  timeouts: %llu  broken: %llu  unanswered: %llu", static_cast<unsigned long long>(f.timeouts),
                static_cast<unsigned long long>(f.broken), static_cast<unsigned long long>(f.unanswered));
  if (f.units.count() > 0)
    std::printf("  slowest at %.1f s", f.slowest_at);
  if (f.late > 0)
    std::printf("  found all connections busy: %s", grouped(static_cast<double>(f.late)).c_str());
  std::printf("\n");
  if (!s.server.empty())
    std::printf("  server   RSS %s (most %s), log backlog at most %s, CPU %.1f s (%.0f us a unit), client CPU %.1f s\n",
                in_bytes(s.server.back().resident_bytes).c_str(),
                in_bytes(greatest(s.server, &server_sample::resident_bytes)).c_str(),
                grouped(greatest(s.server, &server_sample::log_backlog)).c_str(),
                change(s.server, &server_sample::cpu_seconds), s.cpu_microseconds_per_unit(), f.cpu_seconds);
  std::fflush(stdout);
}

} // namespace

double stage_report::requests_per_second() const {
  return figures.seconds > 0 ? static_cast<double>(figures.requests) / figures.seconds : 0;
}

double stage_report::units_per_second() const {
  return figures.seconds > 0 ? static_cast<double>(figures.finished) / figures.seconds : 0;
}

double stage_report::cpu_microseconds_per_unit() const {
  auto rate = units_per_second();
  if (server.size() < 2 || rate == 0)
    return 0;
  return 1e6 * change(server, &server_sample::cpu_seconds) / change(server, &server_sample::at) / rate;
}

void report::say(const std::string& line) const {
  if (quiet_)
    return;
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

void report::add(stage_report stage) {
  if (!quiet_)
    print_stage(stage);
  stages_.push_back(std::move(stage));
}

void report::add(const std::string& name, double value, const std::string& unit) {
  auto shown = (std::abs(value) < 1000 ? formatted("%.3g", value) : grouped(value)) + " " + unit;
  if (!quiet_)
    say("  " + name + ": " + shown);
  figures_.push_back({name, json_number(value), shown});
}

void report::add(const std::string& name, const std::string& text) {
  std::string quoted;
  codec::append_json(quoted, text);
  say("  " + name + ": " + text);
  figures_.push_back({name, std::move(quoted), text});
}

void report::set_failed(const std::string& why) {
  say("FAILED: " + why);
  failures_.push_back(why);
}

int report::finish() const {
  if (!json_file_.empty()) {
    std::string text;
    codec::json_writer w{text};
    w.begin_object().field("command", command_).field("ok", failures_.empty());
    w.key("failures").begin_array();
    for (const auto& f : failures_)
      w.string(f);
    w.end_array().key("figures").begin_object();
    for (const auto& f : figures_)
      w.key(f.name).raw(f.text);
    w.end_object().key("stages").begin_array();
    for (const auto& s : stages_)
      write_stage(w, s);
    w.end_array().end_object();
    text += '\n';
    if (quiet_)
      std::fputs(text.c_str(), stdout);
    else if (!(std::ofstream{json_file_} << text))
      throw std::runtime_error{"can not write " + json_file_};
  }
  return failures_.empty() ? 0 : 1;
}

std::string grouped(double number) {
  if (std::abs(number) < 100 && number != std::floor(number))
    return formatted("%.1f", number);
  auto digits = formatted("%.0f", number);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > (digits[0] == '-' ? 1 : 0); at -= 3)
    digits.insert(static_cast<std::size_t>(at), " ");
  return digits;
}

std::string in_ms(nanoseconds t) {
  auto ms = in_seconds(t) * 1e3;
  return formatted(ms < 10 ? "%.2f ms" : ms < 1000 ? "%.1f ms" : "%.0f ms", ms);
}

std::string in_bytes(double bytes) {
  if (std::abs(bytes) < 1024.0 * 1024)
    return formatted("%.0f KiB", bytes / 1024);
  return formatted("%.0f MiB", bytes / 1024 / 1024);
}

std::string json_number(double value) {
  if (!std::isfinite(value))
    return "0";
  if (value == std::floor(value) && std::abs(value) < 1e15)
    return formatted("%.0f", value);
  return formatted("%.6g", value);
}

double median(std::vector<double> values) {
  if (values.empty())
    return 0;
  std::sort(values.begin(), values.end());
  auto middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

} // namespace sluice::bench
