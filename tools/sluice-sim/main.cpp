// sluice-sim: runs seeds of the simulation of whole clusters, prints what broke and how to see it again, and ends with one line
// of JSON.
#include "ledger.hpp"
#include "run_apart.hpp"
#include "run_text.hpp"
#include "simulation.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

using namespace sluice;
using namespace sluice::simulation;

constexpr std::uint64_t hunt_seeds_max = 5'000;
constexpr std::uint64_t range_of_ledger = 250; // seeds a line

struct arguments {
  run_options base;
  std::uint64_t first = 1, last = 100;
  std::string corpus;
  std::string ledger, commit;
  bool summary = false, speed = false;
  planted bug = planted::none;
  bool all_bugs = false;
  bool trace = false, keep_going = false, shrink = false, json = false;
  double minutes = 0; // 0: no limit
};

int usage() {
  std::puts(
      "sluice-sim [--seed N | --seeds A..B | --corpus DIR] [--trace] [--keep-going] [--shrink] [--minutes REAL]\n"
      "           [--json] [--bug NAME | --bugs] [--ledger FILE [--commit ID] [--summary]] [--speed]\n"
      "  --seed N, --seeds A..B  which runs (1..100)\n"
      "  --corpus DIR            every *.seed file in it\n"
      "  --trace                 every event as a line\n"
      "  --keep-going            not only to the first violation\n"
      "  --shrink                the smallest command that still fails\n"
      "  --minutes REAL          begin no new seed after that\n"
      "  --json                  nothing but violations and the last line\n"
      "  --bug NAME              with this planted bug; --bugs: seeds to catch each of them\n"
      "  --ledger FILE           a line per 250 finished seeds of --commit ID; those that are in it are not run again\n"
      "  --summary               adds up the ledger\n"
      "  --speed                 three nodes in peace, 1 000 commands a second: how fast is it? (--crowd N: N, in bursts)\n"
      "  --without A,B           fault classes left out\n"
      "  --crowd N               so many commands a second of a crowd at one event; else one seed in ten has one\n"
      "  --users N, --events N, --partitions N, --nodes N, --storm MS  at most\n\nfault classes:");
  for (auto name : fault_names)
    std::printf("  %.*s", static_cast<int>(name.size()), name.data());
  std::puts("\n\nplanted bugs (in a build with -DSLUICE_PLANTED_BUGS=ON):");
  for (const auto& p : planted_names)
    std::printf("  %.*s\n", static_cast<int>(p.name.size()), p.name.data());
  return 2;
}

bool set_flag(arguments& a, std::string_view name) {
  struct flag {
    std::string_view name;
    bool arguments::*value;
  };

  constexpr flag flags[] = {{"trace", &arguments::trace},     {"keep-going", &arguments::keep_going},
                            {"shrink", &arguments::shrink},   {"json", &arguments::json},
                            {"summary", &arguments::summary}, {"speed", &arguments::speed},
                            {"bugs", &arguments::all_bugs}};
  for (const auto& f : flags)
    if (f.name == name)
      return a.*f.value = true;
  return false;
}

bool set_value(arguments& a, std::string_view name, const char* value) {
  if (name == "seeds") {
    const auto* dots = std::strstr(value, "..");
    a.first = std::strtoull(value, nullptr, 10);
    a.last = dots != nullptr ? std::strtoull(dots + 2, nullptr, 10) : a.first;
    return a.first <= a.last;
  }
  if (name == "bug") {
    auto bug = planted_by_name(value);
    a.bug = bug.value_or(planted::none);
    return bug.has_value();
  }
  if (name == "corpus") {
    a.corpus = value;
    return std::filesystem::is_directory(a.corpus);
  }
  if (name == "ledger" || name == "commit") {
    (name == "ledger" ? a.ledger : a.commit) = value;
    return true;
  }
  if (name == "minutes")
    return (a.minutes = std::strtod(value, nullptr)) > 0;
  if (!set_option(a.base, name, value))
    return false;
  if (name == "seed")
    a.first = a.last = a.base.seed;
  return true;
}

bool parse(int argc, char** argv, arguments& a) {
  for (int i = 1; i < argc; ++i) {
    std::string_view name = argv[i];
    if (!name.starts_with("--"))
      return false;
    name.remove_prefix(2);
    if (set_flag(a, name))
      continue;
    if (i + 1 == argc || !set_value(a, name, argv[++i]))
      return false;
  }
  return true;
}

run_options running; // for the handler

/// A broken invariant stops the process: say which run it was.
void on_abort(int) {
  std::fprintf(stderr, "step=%llu at=%.6f: stopped; again: sluice-sim %s --trace\n",
               static_cast<unsigned long long>(where().step), static_cast<double>(where().virtual_time) / 1e6,
               command_line(running).c_str());
  std::_Exit(3);
}

/// Runs until the first violation, the last seed or the end of the time, and adds up.
class session {
public:
  explicit session(const arguments& a) : arguments_{a} {}

  int finish() {
    if (!arguments_.json)
      std::printf("%llu seeds, %llu violations, %llu thin, %.1f virtual hours in %.1f s: %.0f times real time\n",
                  whole(seeds_), whole(violations_), whole(thin_), hours(), seconds(), hours() * 3600 / seconds());
    std::printf("{\"seeds\":%llu,\"violations\":%llu,\"thin\":%llu,\"virtual_hours\":%.2f,\"real_seconds\":%.2f,"
                "\"steps\":%llu,\"commits\":%llu,\"commands\":%llu,\"deeds\":",
                whole(seeds_), whole(violations_), whole(thin_), hours(), seconds(), whole(steps_),
                whole(counts_.entries), whole(counts_.commands));
    print_counts(deed_names, counts_.deeds);
    std::fputs(",\"faults\":", stdout);
    print_counts(fault_names, counts_.faults);
    std::puts("}");
    return violations_ > 0 ? 1 : 0;
  }

  void one(const run_options& options) {
    running = options;
    auto traced = options;
    if (arguments_.trace)
      traced.trace = [](const std::string& line) { std::puts(line.c_str()); };
    auto report = arguments_.bug == planted::none ? run(traced) : run_with_bug(traced);
    ++seeds_;
    counts_ += report.counts;
    virtual_time_ += static_cast<double>(report.virtual_time);
    steps_ += report.step;
    thin_ += report.thin ? 1 : 0;
    if (report.ok)
      return;
    ++violations_;
    std::printf("seed=%llu step=%llu at=%.6f %s: %s\nagain: sluice-sim %s --trace\n", whole(report.seed),
                whole(report.step), static_cast<double>(report.virtual_time) / 1e6, report.checker.c_str(),
                report.what.c_str(), command_line(options, arguments_.bug).c_str());
    if (arguments_.shrink)
      make_smaller(options);
  }

  bool over() const {
    return (violations_ > 0 && !arguments_.keep_going) ||
           (arguments_.minutes > 0 && seconds() > arguments_.minutes * 60);
  }

  void seeds() {
    auto options = arguments_.base;
    for (options.seed = arguments_.first; options.seed <= arguments_.last && !over(); ++options.seed)
      one(options);
  }

  /// False: the ledger can not be written.
  bool seeds_for_the_ledger() {
    ledger book{arguments_.ledger};
    for (auto first = arguments_.first; first <= arguments_.last && !over(); first += range_of_ledger) {
      auto last = std::min(first + range_of_ledger - 1, arguments_.last);
      if (book.has(first, last, arguments_.commit, arguments_.base.crowd))
        continue;
      session range{arguments_};
      range.begun_ = begun_; // the time is for all of them
      auto options = arguments_.base;
      for (options.seed = first; options.seed <= last && !range.over(); ++options.seed)
        range.one(options);
      take(range);
      if (range.seeds_ < last - first + 1)
        return true; // not finished: it will be run again
      if (!book.append({first, last, arguments_.commit, range.seeds_, range.violations_, range.steps_, range.hours(),
                        range.counts_, arguments_.base.crowd}))
        return false;
    }
    return true;
  }

  bool corpus() {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator{arguments_.corpus})
      if (entry.path().extension() == ".seed")
        files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    for (const auto& file : files) {
      std::ifstream in{file};
      auto seed = read_seed_file({std::istreambuf_iterator<char>{in}, {}});
      if (!seed) {
        std::fprintf(stderr, "%s does not parse\n", file.c_str());
        return false;
      }
      if (over())
        return true;
      one(seed->options);
    }
    return true;
  }

private:
  void take(const session& range) {
    counts_ += range.counts_;
    virtual_time_ += range.virtual_time_;
    seeds_ += range.seeds_;
    violations_ += range.violations_;
    thin_ += range.thin_;
    steps_ += range.steps_;
  }

  static unsigned long long whole(std::uint64_t n) { return n; }

  run_report run_with_bug(const run_options& options) {
#ifdef SLUICE_PLANTED_BUGS
    planted_now = arguments_.bug;
#endif
    return arguments_.trace ? run(options) : run_apart(options, arguments_.bug);
  }

  void make_smaller(const run_options& failing) {
    auto smallest = shrink(failing, arguments_.bug, [&](const run_options& o) {
      if (!arguments_.json)
        std::printf("  still fails: %s\n", command_line(o, arguments_.bug).c_str());
    });
    std::printf("smallest: sluice-sim %s --trace\n", command_line(smallest, arguments_.bug).c_str());
  }

  template <class Names, class Counts>
  void print_counts(const Names& names, const Counts& counts) {
    for (std::size_t i = 0; i < names.size(); ++i)
      std::printf("%s\"%.*s\":%llu", i == 0 ? "{" : ",", static_cast<int>(names[i].size()), names[i].data(),
                  whole(counts[i]));
    std::fputs("}", stdout);
  }

  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count();
  }

  double hours() const {
    return virtual_time_ / 1e6 / 3600;
  }

  const arguments& arguments_;
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
  tally counts_;
  double virtual_time_ = 0;
  std::uint64_t seeds_ = 0, violations_ = 0, thin_ = 0, steps_ = 0;
};

int hunt_all(const arguments& a) {
  unsigned missed = 0;
  std::vector<std::uint64_t> needed;
  for (const auto& p : planted_names) {
    auto report = hunt(p.bug, a.first, hunt_seeds_max);
    missed += report.caught ? 0 : 1;
    needed.push_back(report.seeds);
    std::printf("| %-18.*s | %5llu | %-9s | %s\n", static_cast<int>(p.name.size()), p.name.data(),
                static_cast<unsigned long long>(report.seeds), report.caught ? report.last.checker.c_str() : "MISSED",
                report.caught && !a.json ? report.last.what.substr(0, 110).c_str() : "");
    std::fflush(stdout);
  }
  std::nth_element(needed.begin(), needed.begin() + static_cast<std::ptrdiff_t>(needed.size() / 2), needed.end());
  std::printf("{\"bugs\":%zu,\"missed\":%u,\"median_seeds\":%llu}\n", needed.size(), missed,
              static_cast<unsigned long long>(needed[needed.size() / 2]));
  return missed > 0 ? 1 : 0;
}

} // namespace

int main(int argc, char** argv) {
  arguments a;
  if (!parse(argc, argv, a))
    return usage();
#ifndef SLUICE_PLANTED_BUGS
  if (a.bug != planted::none || a.all_bugs) {
    std::fputs("this build knows no planted bugs; configure with -DSLUICE_PLANTED_BUGS=ON\n", stderr);
    return 2;
  }
#endif
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  if (a.all_bugs)
    return hunt_all(a);
  if (a.summary) {
    std::fputs(ledger{a.ledger}.summary().c_str(), stdout);
    return 0;
  }
  std::signal(SIGABRT, on_abort);
  session s{a};
  if (a.speed) {
    a.base.speed = true;
    s.one(a.base);
    return s.finish();
  }
  if (!a.ledger.empty()) {
    if (!s.seeds_for_the_ledger()) {
      std::fprintf(stderr, "%s can not be written\n", a.ledger.c_str());
      return 2;
    }
    return s.finish();
  }
  if (a.corpus.empty())
    s.seeds();
  else if (!s.corpus())
    return 2;
  return s.finish();
}
