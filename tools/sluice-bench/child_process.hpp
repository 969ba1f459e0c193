// Programs a run starts and ends by itself: a node, the sandbox provider, nginx, wrk.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace sluice::bench {

/// A child that dies with its parent, and with this object.
class child_process {
public:
  struct output {
    std::filesystem::path out; // empty: /dev/null
    std::filesystem::path err; // empty: as ours
  };

  child_process() = default;
  /// Throws std::runtime_error if the program can not be started.
  explicit child_process(const std::vector<std::string>& command, const output& to = {});
  ~child_process();
  child_process(child_process&& other) noexcept;
  child_process& operator=(child_process&& other) noexcept;

  pid_t pid() const { return pid_; }

  bool running();
  /// Waits for its end; the exit status, 128 + n after signal n. Empty when it still runs.
  std::optional<int> wait(std::chrono::milliseconds patience);
  /// SIGTERM, and SIGKILL if that does not help.
  void stop();
  void kill();

private:
  pid_t pid_ = -1;
  std::optional<int> status_;
};

/// What a program wrote to its standard output. Throws if it can not be started.
std::string output_of(const std::vector<std::string>& command, std::chrono::milliseconds patience);

/// The line of `file` that starts with `prefix`, without it; waits until it is there. Empty if it never comes.
std::string wait_for_line(const std::filesystem::path& file, const std::string& prefix,
                          std::chrono::milliseconds patience);

/// A folder of its own, removed at the end.
class temporary_folder {
public:
  explicit temporary_folder(const std::filesystem::path& under = {});
  ~temporary_folder();
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;

  const std::filesystem::path& path() const { return path_; }

  void keep() { keep_ = true; }

private:
  std::filesystem::path path_;
  bool keep_ = false;
};

/// A TCP port of 127.0.0.1 that nobody listens on.
std::uint16_t free_port();

/// Beside this very program; just its name (for the search path) if it is not there.
std::string program_beside(const std::string& name);

/// In the search path, or where system programs live; empty if it is not installed.
std::string installed_program(const std::string& name);

} // namespace sluice::bench
