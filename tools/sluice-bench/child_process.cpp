#include "sluice-bench/child_process.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sluice::bench {

namespace {

using namespace std::chrono_literals;

void redirect(int to, const std::filesystem::path& file) {
  int fd = open(file.empty() ? "/dev/null" : file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (fd >= 0)
    dup2(fd, to);
}

} // namespace

child_process::child_process(const std::vector<std::string>& command, const output& to) {
  std::vector<char*> arguments;
  for (const auto& word : command)
    arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  int report[2];
  if (pipe2(report, O_CLOEXEC) != 0)
    throw std::runtime_error{"pipe2 failed"};
  auto parent = getpid();
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
      _exit(127);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    redirect(STDOUT_FILENO, to.out);
    if (!to.err.empty())
      redirect(STDERR_FILENO, to.err);
    execvp(arguments.front(), arguments.data());
    auto error = errno;
    static_cast<void>(!write(report[1], &error, sizeof(error)));
    _exit(127);
  }
  close(report[1]);
  int error = 0;
  auto told = pid_ < 0 ? sizeof(error) : static_cast<std::size_t>(read(report[0], &error, sizeof(error)));
  close(report[0]);
  if (told == sizeof(error)) {
    wait(1s);
    throw std::runtime_error{"can not start " + command.front() + ": " + std::strerror(error)};
  }
}

child_process::child_process(child_process&& other) noexcept
    : pid_{std::exchange(other.pid_, -1)}, status_{std::exchange(other.status_, std::nullopt)} {}

child_process& child_process::operator=(child_process&& other) noexcept {
  kill();
  pid_ = std::exchange(other.pid_, -1);
  status_ = std::exchange(other.status_, std::nullopt);
  return *this;
}

child_process::~child_process() {
  kill();
}

std::optional<int> child_process::wait(std::chrono::milliseconds patience) {
  auto until = std::chrono::steady_clock::now() + patience;
  while (pid_ > 0 && !status_) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      break;
    }
    if (std::chrono::steady_clock::now() >= until)
      break;
    std::this_thread::sleep_for(1ms);
  }
  return status_;
}

bool child_process::running() {
  return pid_ > 0 && !wait(0ms);
}

void child_process::stop() {
  if (!running())
    return;
  ::kill(pid_, SIGTERM);
  if (!wait(20s))
    kill();
}

void child_process::kill() {
  if (!running())
    return;
  ::kill(pid_, SIGKILL);
  wait(10s);
}

std::string output_of(const std::vector<std::string>& command, std::chrono::milliseconds patience) {
  temporary_folder folder;
  auto file = folder.path() / "out";
  child_process child{command, {file, {}}};
  if (!child.wait(patience))
    child.kill();
  std::ifstream in{file};
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string wait_for_line(const std::filesystem::path& file, const std::string& prefix,
                          std::chrono::milliseconds patience) {
  auto until = std::chrono::steady_clock::now() + patience;
  while (std::chrono::steady_clock::now() < until) {
    std::ifstream in{file};
    for (std::string line; std::getline(in, line) && !in.eof();)
      if (line.starts_with(prefix))
        return line.substr(prefix.size());
    std::this_thread::sleep_for(2ms);
  }
  return {};
}

temporary_folder::temporary_folder(const std::filesystem::path& under) {
  auto base = under.empty() ? std::filesystem::temp_directory_path() : under;
  std::filesystem::create_directories(base);
  auto name = (base / "sluice-bench-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr)
    throw std::runtime_error{"can not make a folder in " + base.string()};
  path_ = name;
}

temporary_folder::~temporary_folder() {
  std::error_code ignored;
  if (!keep_)
    std::filesystem::remove_all(path_, ignored);
}

std::uint16_t free_port() {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(at);
  bool bound = bind(fd, reinterpret_cast<sockaddr*>(&at), size) == 0 &&
               getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size) == 0;
  close(fd);
  if (!bound)
    throw std::runtime_error{"no port is free"};
  return ntohs(at.sin_port);
}

std::string program_beside(const std::string& name) {
  std::error_code ec;
  auto beside = std::filesystem::read_symlink("/proc/self/exe", ec).parent_path() / name;
  return std::filesystem::exists(beside, ec) ? beside.string() : name;
}

std::string installed_program(const std::string& name) {
  std::string folders = "/usr/sbin:/usr/local/sbin";
  if (const char* path = std::getenv("PATH"))
    folders = std::string{path} + ":" + folders;
  std::stringstream list{folders};
  for (std::string folder; std::getline(list, folder, ':');)
    if (auto file = std::filesystem::path{folder} / name; access(file.c_str(), X_OK) == 0)
      return file.string();
  return {};
}

} // namespace sluice::bench
