// For what ends the process.
#pragma once

#include "support/temp_folder.hpp"

#include <catch2/catch.hpp>

#include <csignal>
#include <cstdlib>
#include <functional>
#include <string>
#include <utility>

#include <sys/wait.h>
#include <unistd.h>

namespace sluice::test {

/// Runs `act` in a child process; what it printed to standard error, and whether it was aborted. RocksDB's background
/// threads do not follow into a child: it must not flush.
inline std::pair<std::string, bool> in_child(const std::function<void()>& act) {
  temp_folder scratch; // an aborted child does not clean up behind itself
  int pipe_ends[2];
  REQUIRE(::pipe(pipe_ends) == 0);
  auto child = ::fork();
  if (child == 0) {
    ::setenv("TMPDIR", scratch.path().c_str(), 1);
    ::dup2(pipe_ends[1], 2);
    ::signal(SIGABRT, SIG_DFL); // Catch would report it as its own
    ::alarm(60);                // one that hangs ends, too
    act();
    ::_exit(0);
  }
  ::close(pipe_ends[1]);
  std::string text;
  char buffer[512];
  for (ssize_t n = 0; (n = ::read(pipe_ends[0], buffer, sizeof(buffer))) > 0;)
    text.append(buffer, static_cast<std::size_t>(n));
  ::close(pipe_ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  return {text, WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT};
}

} // namespace sluice::test
