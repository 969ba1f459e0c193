// What a run found, as a table for people or JSON for machines.
#pragma once

#include "codec/document.hpp"
#include "sluice-bench/engine.hpp"
#include "sluice-bench/server_figures.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sluice::bench {

/// One stage of a run: the client's figures, and what the node said meanwhile.
struct stage_report {
  std::string name;
  std::optional<double> wanted_rate; // of an open loop
  std::uint32_t connections = 0;
  stage_figures figures;
  std::vector<server_sample> server;

  double requests_per_second() const;
  double units_per_second() const;
  /// CPU time of the node. Samples begin before and end after the measured time, hence by rates; 0: unknown.
  double cpu_microseconds_per_unit() const;
};

/// Collects stages and single figures; printed once at the end, stages also as they come.
class report {
public:
  /// `json_file`: where `finish` writes everything as JSON; empty: nowhere, "-": standard output, and no table then.
  report(std::string command, std::string json_file)
      : command_{std::move(command)}, json_file_{std::move(json_file)}, quiet_{json_file_ == "-"} {}

  /// A line for people who wait.
  void say(const std::string& line) const;

  void add(stage_report stage);
  /// A single figure: "bytesPerWaitingUser" 61.2 "B".
  void add(const std::string& name, double value, const std::string& unit);
  void add(const std::string& name, const std::string& text);
  void set_failed(const std::string& why);

  bool failed() const { return !failures_.empty(); }

  /// Writes the JSON. The exit status of the program: 0, or 1 if something failed.
  int finish() const;

private:
  struct figure {
    std::string name;
    std::string text; // as JSON
    std::string shown;
  };

  std::string command_;
  std::string json_file_;
  bool quiet_;
  std::vector<stage_report> stages_;
  std::vector<figure> figures_;
  std::vector<std::string> failures_;
};

/// "12 345", "1.23 ms": numbers as people read them.
std::string grouped(double number);
std::string in_ms(nanoseconds t);
std::string in_bytes(double bytes);
/// JSON has no infinity: those become 0.
std::string json_number(double value);

double median(std::vector<double> values);

} // namespace sluice::bench
