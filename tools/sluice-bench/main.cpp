// sluice-bench: puts load on a node and says what came of it.
#include "sluice-bench/scenarios.hpp"

#include <CLI/CLI.hpp>

#include <csignal>
#include <cstdio>
#include <exception>

#include <sys/resource.h>

namespace {

/// Thousands of connections need thousands of descriptors.
void raise_descriptor_limit() {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

} // namespace

int main(int argc, char** argv) {
  using namespace sluice::bench;
  CLI::App app{"sluice-bench: a load client for Sluice. Each scenario has its own --help."};
  app.require_subcommand(1);
  app.footer("The quickest look:  sluice-bench compare --start");
  chosen_run chosen;
  add_join(app, chosen);
  add_hold(app, chosen);
  add_poll(app, chosen);
  add_journey(app, chosen);
  add_sellout(app, chosen);
  add_profile(app, chosen);
  add_in_process(app, chosen);
  add_yardstick(app, chosen);
  add_compare(app, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e);
  }
  std::signal(SIGPIPE, SIG_IGN);
  raise_descriptor_limit();
  try {
    return chosen();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "sluice-bench: %s\n", e.what());
    return 2;
  }
}
