// The first node of a cluster: founded with nothing, from a backup, or by a survivor of a lost majority. sluiced does it;
// this finds it and hands over.
#include "commands.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iterator>

#include <unistd.h>

namespace sluice::ctl {

namespace {

/// Beside this program.
std::filesystem::path daemon_path() {
  std::error_code failed;
  auto self = std::filesystem::read_symlink("/proc/self/exe", failed);
  return failed ? std::filesystem::path{"sluiced"} : self.parent_path() / "sluiced";
}

} // namespace

void become_sluiced(std::vector<std::string> words, const std::vector<std::string>& more) {
  auto program = daemon_path().string();
  words.insert(words.begin(), program);
  words.insert(words.end(), more.begin(), more.end());
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (auto& w : words)
    arguments.push_back(w.data());
  arguments.push_back(nullptr);
  ::execv(program.c_str(), arguments.data());
  throw failure{exit_code::refused, "can not run " + program + ": " + std::strerror(errno)};
}

void init_cluster(const std::filesystem::path& data, const std::vector<std::string>& options) {
  if (std::filesystem::exists(data) && !std::filesystem::is_empty(data))
    throw failure{exit_code::refused,
                  data.string() + " is not empty; a node that was there before is started with: sluiced --data " +
                      data.string()};
  say("sluicectl: founding a cluster with this node as its first; others join it with: sluicectl cluster token");
  become_sluiced({"--data", data.string()}, options);
}

void recover_cluster(const std::filesystem::path& data, const std::string& cluster, bool unsafe) {
  if (!unsafe)
    throw failure{exit_code::usage,
                  "what only the lost nodes had is lost for good with this, and one of them that comes back is turned "
                  "away: if they are gone for good, say so with --unsafe"};
  if (!std::filesystem::exists(data / "rocks"))
    throw failure{exit_code::refused, data.string() + " is no node's data folder"};
  become_sluiced({"--data", data.string(), "--recover-unsafe", cluster}, {});
}

} // namespace sluice::ctl
