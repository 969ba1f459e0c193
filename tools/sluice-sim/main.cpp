// sluice-sim: placeholder
#include "simulation.hpp"
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <csignal>
using namespace sluice::simulation;
static void on_abort(int) { std::fprintf(stderr, "ABORT seed=%llu step=%llu at=%.6f\n", (unsigned long long)where().seed, (unsigned long long)where().step, where().virtual_time/1e6); std::_Exit(3); }
int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  std::signal(SIGABRT, on_abort);
  std::uint64_t a = 1, b = 1; bool trace = false, keep=false;
  for (int i = 1; i < argc; ++i) {
    if (!std::strcmp(argv[i], "--trace")) trace = true;
    else if (!std::strcmp(argv[i], "--keep")) keep = true;
    else { a = std::strtoull(argv[i], nullptr, 10); const char* d = std::strstr(argv[i], ".."); b = d ? std::strtoull(d + 2, nullptr, 10) : a; }
  }
  auto t0 = std::chrono::steady_clock::now();
  tally sum; double vt = 0; unsigned thin = 0, bad = 0; std::uint64_t steps = 0;
  for (auto s = a; s <= b; ++s) {
    run_options o; o.seed = s;
    if (trace) o.trace = [](const std::string& l) { std::puts(l.c_str()); };
    auto r = run(o);
    sum += r.counts; vt += r.virtual_time / 1e6; thin += r.thin; steps += r.step;
    if (!r.ok) { ++bad; std::printf("seed=%llu step=%llu at=%.6f %s: %s\n", (unsigned long long)s, (unsigned long long)r.step, r.virtual_time/1e6, r.checker.c_str(), r.what.c_str()); if (!keep) break; }
  }
  double real = std::chrono::duration<double>(std::chrono::steady_clock::now() - t0).count();
  std::printf("bad %u thin %u virtual %.0f real %.2f steps %llu\n", bad, thin, vt, real, (unsigned long long)steps);
  for (size_t i = 0; i < deed_names.size(); ++i) std::printf("%s=%llu ", deed_names[i].data(), (unsigned long long)sum.deeds[i]);
  std::puts("");
  for (size_t i = 0; i < fault_names.size(); ++i) std::printf("%s=%llu ", fault_names[i].data(), (unsigned long long)sum.faults[i]);
  std::puts("");
}
