// sluicectl: sets events up, runs them, and looks inside a node.
#include "command_line.hpp"

#include <csignal>

int main(int argc, char** argv) {
  // A reader that goes away is an error of writing, not a sudden end in the middle of several files.
  std::signal(SIGPIPE, SIG_IGN);
  return static_cast<int>(sluice::ctl::run_command_line(argc, argv));
}
