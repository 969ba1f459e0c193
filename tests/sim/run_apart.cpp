#include "run_apart.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

namespace sluice::simulation {

namespace {

constexpr unsigned hangs_after = 120; // s of real time; a run takes a few hundredths

constexpr std::string_view report_mark = "\nreport\t";

void on_stop(int) {
  std::fprintf(stderr, "%s0\t%llu\t%lld\t0\tstopped\t", report_mark.data(),
               static_cast<unsigned long long>(where().step), static_cast<long long>(where().virtual_time));
  std::_Exit(3);
}

[[noreturn]] void play(const run_options& options, planted bug) {
  for (auto signal : {SIGABRT, SIGSEGV, SIGALRM})
    std::signal(signal, on_stop);
  ::alarm(hangs_after);
#ifdef SLUICE_PLANTED_BUGS
  planted_now = bug;
#else
  static_cast<void>(bug);
#endif
  auto alone = options;
  alone.trace = nullptr;
  auto r = run(alone);
  std::fprintf(stderr, "%s%d\t%llu\t%lld\t%llu\t%s\t%s", report_mark.data(), r.ok ? 1 : 0,
               static_cast<unsigned long long>(r.step), static_cast<long long>(r.virtual_time),
               static_cast<unsigned long long>(r.fingerprint), r.checker.c_str(), r.what.c_str());
  std::_Exit(0);
}

run_report parse(const run_options& options, const std::string& text) {
  run_report r;
  r.seed = options.seed;
  r.ok = false;
  r.checker = "stopped";
  auto mark = text.rfind(report_mark);
  auto said = text.substr(0, mark);
  if (mark != std::string::npos) {
    std::istringstream fields{text.substr(mark + report_mark.size())};
    int ok = 0;
    fields >> ok >> r.step >> r.virtual_time >> r.fingerprint;
    r.ok = ok == 1;
    fields.ignore();
    std::getline(fields, r.checker, '\t');
    std::getline(fields, r.what, '\0');
  }
  if (!r.ok && r.what.empty()) { // it was stopped: the last it said is why
    said.resize(said.find_last_not_of('\n') + 1);
    r.what = said.substr(said.rfind('\n') + 1);
  }
  return r;
}

} // namespace

run_report run_apart(const run_options& options, planted bug) {
  int ends[2];
  if (::pipe(ends) != 0)
    return {options.seed, false, "host", "no pipe", 0, 0, 0, false, {}};
  std::fflush(nullptr);
  auto child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[0]);
    ::close(ends[1]);
    play(options, bug);
  }
  ::close(ends[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t n = 0; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(n));
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  return parse(options, text);
}

run_options shrink(run_options failing, planted bug, const std::function<void(const run_options&)>& told) {
  auto smallest = std::move(failing);
  auto attempt = [&](const run_options& smaller) {
    if (run_apart(smaller, bug).ok)
      return false;
    smallest = smaller;
    told(smallest);
    return true;
  };
  // First large steps, then smaller ones.
  auto lower = [&](auto limit, auto now, auto least) {
    bool any = false;
    for (int eighths : {2, 4, 7})
      while (now > least) {
        auto smaller = smallest;
        smaller.*limit = std::max<decltype(now)>(least, now * eighths / 8);
        if (!attempt(smaller))
          break;
        now = smallest.*limit;
        any = true;
      }
    return any;
  };
  for (bool any = true; any;) {
    any = false;
    auto now = plan::of(smallest);
    for (std::size_t f = 0; f < now.faults.size(); ++f) {
      auto smaller = smallest;
      smaller.without.set(f);
      any = (now.faults[f] && attempt(smaller)) || any;
    }
    any |= lower(&run_options::storm_max, now.storm, 1 * second);
    any |= lower(&run_options::nodes_max, now.nodes, std::uint32_t{1});
    any |= lower(&run_options::users_max, now.users, std::uint32_t{1});
    any |= lower(&run_options::events_max, now.events, std::uint32_t{1});
    any |= lower(&run_options::partitions_max, now.partitions, std::uint32_t{1});
  }
  return smallest;
}

catch_report hunt(planted bug, std::uint64_t first, std::uint64_t seeds_max) {
  catch_report report;
  run_options options;
  options.seed = first;
  for (; report.seeds < seeds_max && !report.caught; ++options.seed) {
    report.last = run_apart(options, bug);
    report.caught = !report.last.ok;
    ++report.seeds;
  }
  return report;
}

} // namespace sluice::simulation
