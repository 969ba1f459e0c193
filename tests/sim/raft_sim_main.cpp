// raft-sim: runs seeds, prints what broke and how to see it again, and ends with one line of JSON.
#include "raft_sim.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace {

using namespace sluice;

struct arguments {
  std::uint64_t first = 1, last = 100;
  raft::planted_bug bug = raft::planted_bug::none;
  std::string_view bug_name = "none";
  bool all_bugs = false; // a table of how many seeds each one takes
  bool trace = false;
  bool keep_going = false; // after a violation
  double hours = 0;        // virtual; 0: all seeds
  double minutes = 0;      // real; 0: no limit
};

int usage() {
  std::puts("raft-sim [--seed S | --seeds A..B] [--bug NAME | --bugs] [--hours VIRTUAL] [--minutes REAL] [--trace] "
            "[--keep-going]\n\nplanted bugs:");
  for (auto& b : raft::planted_bug_names)
    std::printf("  %.*s\n", static_cast<int>(b.name.size()), b.name.data());
  return 2;
}

std::optional<arguments> parse(int argc, char** argv) {
  arguments a;
  for (int i = 1; i < argc; ++i) {
    std::string_view name = argv[i];
    if (name == "--trace") {
      a.trace = true;
      continue;
    }
    if (name == "--bugs") {
      a.all_bugs = true;
      continue;
    }
    if (name == "--keep-going") {
      a.keep_going = true;
      continue;
    }
    if (++i == argc)
      return std::nullopt;
    const char* value = argv[i];
    if (name == "--seed") {
      a.first = a.last = std::strtoull(value, nullptr, 10);
    } else if (name == "--seeds") {
      const char* dots = std::strstr(value, "..");
      if (!dots)
        return std::nullopt;
      a.first = std::strtoull(value, nullptr, 10);
      a.last = std::strtoull(dots + 2, nullptr, 10);
    } else if (name == "--hours") {
      a.hours = std::strtod(value, nullptr);
    } else if (name == "--minutes") {
      a.minutes = std::strtod(value, nullptr);
    } else if (name == "--bug") {
      a.bug = raft::planted_bug::count_;
      for (auto& b : raft::planted_bug_names)
        if (b.name == value) {
          a.bug = b.bug;
          a.bug_name = b.name;
        }
      if (a.bug == raft::planted_bug::count_)
        return std::nullopt;
    } else {
      return std::nullopt;
    }
  }
  return a;
}

/// The last lines before the end, from a second run of the same seed.
void print_tail(const sim::raft_sim_options& options) {
  constexpr std::size_t lines_max = 60;
  std::deque<std::string> lines;
  auto again = options;
  again.trace = [&lines](const std::string& line) {
    lines.push_back(line);
    if (lines.size() > lines_max)
      lines.pop_front();
  };
  run_raft_sim(again);
  for (auto& line : lines)
    std::printf("  %s\n", line.c_str());
}

struct totals {
  std::uint64_t seeds = 0, failed = 0, repeated = 0;
  double virtual_hours = 0;
  std::int64_t leader_max = 0, gap_max = 0;
  sim::raft_sim_counts counts;
};

void print_json(const arguments& a, const totals& t, double real_seconds) {
  auto& c = t.counts;
  auto n = [](std::uint64_t x) { return static_cast<unsigned long long>(x); };
  std::printf(
      "{\"seeds\":%llu,\"first\":%llu,\"failed\":%llu,\"run_twice\":%llu,\"bug\":\"%.*s\",\"virtual_hours\":%.3f,"
      "\"real_seconds\":%.1f,\"speed\":%.0f,\"events\":%llu,\"events_per_second\":%.0f,",
      n(t.seeds), n(a.first), n(t.failed), n(t.repeated), static_cast<int>(a.bug_name.size()), a.bug_name.data(),
      t.virtual_hours, real_seconds, t.virtual_hours * 3600 / real_seconds, n(c.events),
      static_cast<double>(c.events) / real_seconds);
  std::printf(
      "\"messages\":%llu,\"lost\":%llu,\"duplicated\":%llu,\"proposed\":%llu,\"acknowledged\":%llu,"
      "\"committed\":%llu,\"reads\":%llu,\"truncated\":%llu,\"leaders\":%llu,\"crashes\":%llu,\"power_cuts\":%llu,"
      "\"writes_forgotten\":%llu,\"pauses\":%llu,\"splits\":%llu,\"slow_disks\":%llu,\"hints\":%llu,",
      n(c.messages), n(c.lost), n(c.duplicated), n(c.proposed), n(c.acknowledged), n(c.committed), n(c.reads),
      n(c.entries_truncated), n(c.leaders), n(c.crashes), n(c.power_cuts), n(c.writes_forgotten), n(c.pauses),
      n(c.splits), n(c.slow_disks), n(c.hints));
  std::printf(
      "\"wipes\":%llu,\"readmitted\":%llu,\"vacated\":%llu,\"transfers\":%llu,\"member_changes\":%llu,\"snapshots\":%llu,"
      "\"snapshots_offered\":%llu,\"snapshots_installed\":%llu,\"loads\":%llu,\"leader_max_ms\":%lld,"
      "\"gap_max_ms\":%lld}\n",
      n(c.wipes), n(c.readmitted), n(c.vacated), n(c.transfers), n(c.member_changes), n(c.snapshots),
      n(c.snapshots_offered), n(c.snapshots_installed), n(c.loads), static_cast<long long>(t.leader_max / 1000),
      static_cast<long long>(t.gap_max / 1000));
}

/// The first seed that catches each planted bug, and by which checker.
int print_bugs(const arguments& a) {
#ifndef SLUICE_PLANTED_BUGS
  static_cast<void>(a);
  std::puts("raft-sim: this build has no planted bugs; configure one with -DSLUICE_PLANTED_BUGS=ON");
  return 2;
#else
  unsigned missed = 0;
  std::puts("| planted | seeds | caught as |\n|---|---|---|");
  for (const auto& planted : raft::planted_bug_names) {
    if (planted.bug == raft::planted_bug::none)
      continue;
    sim::raft_sim_options options;
    options.bug = planted.bug;
    sim::raft_sim_report report;
    for (options.seed = a.first; options.seed <= a.last && report.ok; ++options.seed)
      report = run_raft_sim(options);
    missed += report.ok ? 1 : 0;
    std::printf("| %.*s | %s | %s |\n", static_cast<int>(planted.name.size()), planted.name.data(),
                report.ok ? "not caught" : std::to_string(options.seed - a.first).c_str(), report.violation.c_str());
  }
  return missed == 0 ? 0 : 1;
#endif
}

} // namespace

int main(int argc, char** argv) {
  auto a = parse(argc, argv);
  if (!a)
    return usage();
  if (a->all_bugs)
    return print_bugs(*a);
  auto began = std::chrono::steady_clock::now();
  auto elapsed = [began] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count(); };
  totals t;
  for (auto seed = a->first; seed <= a->last; ++seed) {
    if ((a->hours > 0 && t.virtual_hours >= a->hours) || (a->minutes > 0 && elapsed() >= a->minutes * 60))
      break;
    sim::raft_sim_options options;
    options.seed = seed;
    options.bug = a->bug;
    if (a->trace)
      options.trace = [](const std::string& line) { std::puts(line.c_str()); };
    auto report = run_raft_sim(options);
    // The same seed is the same run, or no failure could be looked at twice.
    if (seed % 20 == 0 && !a->trace) {
      ++t.repeated;
      auto second = run_raft_sim(options);
      if (second.trace_hash != report.trace_hash && report.ok) {
        report.ok = false;
        report.violation = "two runs of one seed differ";
      }
    }
    ++t.seeds;
    t.virtual_hours += static_cast<double>(report.virtual_us) / 3.6e9;
    t.leader_max = std::max(t.leader_max, report.leader_us);
    t.gap_max = std::max(t.gap_max, report.longest_gap_us);
    t.counts += report.counts;
    if (report.ok)
      continue;
    ++t.failed;
    std::printf("seed=%llu step=%llu t=%.3fs %s\n", static_cast<unsigned long long>(seed),
                static_cast<unsigned long long>(report.step), static_cast<double>(report.virtual_us) / 1e6,
                report.violation.c_str());
    if (!a->keep_going) {
      if (!a->trace && a->bug == raft::planted_bug::none)
        print_tail(options);
      std::printf("again: raft-sim --seed %llu%s%.*s --trace\n", static_cast<unsigned long long>(seed),
                  a->bug == raft::planted_bug::none ? "" : " --bug ",
                  a->bug == raft::planted_bug::none ? 0 : static_cast<int>(a->bug_name.size()), a->bug_name.data());
      break;
    }
  }
  print_json(*a, t, elapsed());
  return t.failed == 0 ? 0 : 1;
}
