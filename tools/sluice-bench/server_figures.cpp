#include "sluice-bench/server_figures.hpp"

#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <arpa/inet.h>
#include <unistd.h>

namespace sluice::bench {

namespace {

/// The inode of the socket that listens on that port, from the kernel's table.
std::string listening_inode(std::uint16_t port, const char* table) {
  std::ifstream in{table};
  std::string line;
  std::getline(in, line);
  while (std::getline(in, line)) {
    std::istringstream words{line};
    std::string number, local, remote, state, queues, timer, retransmits, user, timeout, inode;
    words >> number >> local >> remote >> state >> queues >> timer >> retransmits >> user >> timeout >> inode;
    auto colon = local.rfind(':');
    if (state == "0A" && colon != std::string::npos && std::strtoul(local.c_str() + colon + 1, nullptr, 16) == port)
      return inode;
  }
  return {};
}

bool has_socket(const std::filesystem::path& process, const std::string& wanted) {
  std::error_code ec;
  for (const auto& fd : std::filesystem::directory_iterator{process / "fd", ec}) {
    auto leads_to = std::filesystem::read_symlink(fd.path(), ec);
    if (leads_to == wanted)
      return true;
  }
  return false;
}

} // namespace

std::map<std::string, double> read_metrics(std::string_view text) {
  std::map<std::string, double> sums;
  while (!text.empty()) {
    auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.empty() || line.starts_with('#'))
      continue;
    auto name = line.substr(0, line.find_first_of("{ "));
    auto space = line.rfind(' ');
    double value = 0;
    if (space != std::string_view::npos)
      std::from_chars(line.data() + space + 1, line.data() + line.size(), value);
    sums[std::string{name}] += value;
  }
  return sums;
}

std::optional<pid_t> listener_of(const target& to) {
  auto port = ntohs(to.at.sin_port);
  auto inode = listening_inode(port, "/proc/net/tcp");
  if (inode.empty())
    inode = listening_inode(port, "/proc/net/tcp6");
  if (inode.empty() || (ntohl(to.at.sin_addr.s_addr) >> 24) != 127)
    return std::nullopt;
  std::error_code ec;
  for (const auto& process : std::filesystem::directory_iterator{"/proc", ec}) {
    auto name = process.path().filename().string();
    if (name.find_first_not_of("0123456789") == std::string::npos &&
        has_socket(process.path(), "socket:[" + inode + "]"))
      return static_cast<pid_t>(std::stol(name));
  }
  return std::nullopt;
}

process_figures look_at(pid_t pid) {
  process_figures f;
  auto folder = "/proc/" + std::to_string(pid);
  std::ifstream statm{folder + "/statm"};
  std::uint64_t size = 0;
  statm >> size >> f.resident_bytes;
  f.resident_bytes *= static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  std::error_code ec;
  for ([[maybe_unused]] const auto& fd : std::filesystem::directory_iterator{folder + "/fd", ec})
    ++f.descriptors;
  std::ifstream stat{folder + "/stat"};
  std::stringstream text;
  text << stat.rdbuf();
  auto all = text.str();
  auto behind_name = all.rfind(')');
  if (behind_name == std::string::npos)
    return f;
  std::istringstream words{all.substr(behind_name + 2)};
  std::string word;
  for (int i = 0; i < 11; ++i)
    words >> word;
  double user = 0;
  double system = 0;
  words >> user >> system;
  f.cpu_seconds = (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
  return f;
}

server_watch::server_watch(const target& to, std::chrono::milliseconds every) : to_{to}, every_{every} {
  thread_ = std::thread{[this] {
    plain_client client{to_, std::chrono::seconds{5}};
    auto pid = listener_of(to_);
    auto began = clock::now();
    while (!stopping_) {
      auto told = client.get("/metrics");
      if (told.status != 200)
        return;
      auto m = read_metrics(told.body);
      server_sample s;
      s.at = std::chrono::duration<double>(clock::now() - began).count();
      s.resident_bytes = m["process_resident_memory_bytes"];
      s.log_backlog = m["sluice_log_backlog"] + m["sluice_commands_waiting"] + m["sluice_log_writer_backlog"];
      s.connections = m["sluice_http_connections"];
      s.checkpoints = m["sluice_checkpoint_bytes_total"];
      s.fsyncs = m["sluice_fsync_total"];
      if (pid) {
        auto f = look_at(*pid);
        s.resident_bytes = static_cast<double>(f.resident_bytes);
        s.descriptors = static_cast<double>(f.descriptors);
        s.cpu_seconds = f.cpu_seconds;
      }
      samples_.push_back(s);
      for (auto until = clock::now() + every_; !stopping_ && clock::now() < until;)
        std::this_thread::sleep_for(std::chrono::milliseconds{20});
    }
  }};
}

server_watch::~server_watch() {
  stop();
}

std::vector<server_sample> server_watch::stop() {
  stopping_ = true;
  if (thread_.joinable())
    thread_.join();
  return samples_;
}

double slope(const std::vector<std::pair<double, double>>& points) {
  if (points.size() < 2)
    return 0;
  double n = static_cast<double>(points.size());
  double sx = 0, sy = 0, sxx = 0, sxy = 0;
  for (auto [x, y] : points) {
    sx += x;
    sy += y;
    sxx += x * x;
    sxy += x * y;
  }
  auto spread = n * sxx - sx * sx;
  return spread == 0 ? 0 : (n * sxy - sx * sy) / spread;
}

} // namespace sluice::bench
