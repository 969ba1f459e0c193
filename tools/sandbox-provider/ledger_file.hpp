// The ledger on disk: append-only, one JSON line per effect. Lines that gather while a sync runs go into the next one.
#pragma once

#include "sandbox-provider/ledger.hpp"

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace sluice::sandbox {

/// An I/O error stops the process: nobody was told of what is not on disk.
class ledger_file {
public:
  /// Takes the folder for itself; throws if it can not, or if another provider has it.
  explicit ledger_file(const std::filesystem::path& folder);
  ~ledger_file();
  ledger_file(const ledger_file&) = delete;
  ledger_file& operator=(const ledger_file&) = delete;

  /// Every entry there is, in order. A torn end is cut off. Before `start`.
  void replay(const std::function<void(const entry&)>& each);

  /// `durable(sequence)`: everything up to there is on disk. Called from the writer's thread.
  void start(std::function<void(std::uint64_t)> durable);
  void append(std::string_view line, std::uint64_t sequence);
  /// Writes what was appended, then ends the thread.
  void stop();

  const std::filesystem::path& path() const { return path_; }

  /// How much of the file is durable.
  std::uint64_t durable_bytes() const;

private:
  void run();
  void write(std::string_view bytes);

  std::filesystem::path path_;
  int file_ = -1;
  std::function<void(std::uint64_t)> durable_;
  mutable std::mutex lock_;
  std::condition_variable wake_;
  std::string waiting_;
  std::uint64_t waiting_sequence_ = 0;
  std::uint64_t durable_bytes_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

} // namespace sluice::sandbox
