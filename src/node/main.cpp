// sluiced: runs one node until it is told to stop.
#include "core/assert.hpp"
#include "node/backup.hpp"
#include "node/config.hpp"
#include "node/node.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <csignal>
#include <cstdlib>
#include <memory>
#include <thread>

#include <unistd.h>

int main(int argc, char** argv) {
  auto settings = sluice::node::read_command_line(argc, argv);
  spdlog::set_default_logger(spdlog::stderr_color_mt("sluiced"));
  spdlog::set_level(spdlog::level::from_str(settings.log_level));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %^%l%$ " + settings.name + " %v", spdlog::pattern_time_type::utc);

  sluice::name_for_fail_stop(settings.name);

  // Signals are waited for, not handled: every thread started from here on inherits the mask.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN); // a file that may not grow is an error of that write, told by the storage

  std::unique_ptr<sluice::node::node> node;
  try {
    node = std::make_unique<sluice::node::node>(settings);
  } catch (const sluice::node::finished& e) {
    spdlog::info("node.finished {}", e.what());
    return 0;
  } catch (const sluice::node::start_failure& e) {
    spdlog::error("node.can-not-start {}", e.what());
    return 1;
  }
  int received = 0;
  while (sigwait(&signals, &received) == 0 && received == SIGHUP)
    node->reload_certificate();
  spdlog::info("node.stopping signal={}", received);
  // Everything acknowledged is on disk: if a clean stop takes too long, a hard one loses nothing.
  std::thread{[] {
    std::this_thread::sleep_for(std::chrono::seconds{15});
    _exit(0);
  }}.detach();
  node->stop();
  _exit(0);
}
