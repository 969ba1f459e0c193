#include "sandbox-provider/ledger_file.hpp"

#include "core/assert.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <utility>

#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sluice::sandbox {

namespace {

[[noreturn]] void give_up(const std::string& what) {
  fail_stop("sandbox-provider: " + what + ": " + std::strerror(errno), __FILE__, __LINE__);
}

} // namespace

ledger_file::ledger_file(const std::filesystem::path& folder) : path_{folder / "ledger.ndjson"} {
  auto refuse = [&](const std::string& what) {
    auto why = what + ": " + std::strerror(errno);
    if (file_ >= 0)
      close(file_);
    throw std::runtime_error{why};
  };
  std::filesystem::create_directories(folder);
  file_ = open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file_ < 0)
    refuse("can not open " + path_.string());
  if (flock(file_, LOCK_EX | LOCK_NB) != 0)
    refuse("another provider uses " + folder.string());
  // The file's name must survive a power cut as well.
  int directory = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0 || fsync(directory) != 0)
    give_up("can not sync " + folder.string());
  close(directory);
}

ledger_file::~ledger_file() {
  stop();
  close(file_);
}

void ledger_file::replay(const std::function<void(const entry&)>& each) {
  std::ifstream in{path_, std::ios::binary};
  std::string line;
  std::uint64_t good = 0;
  std::uint64_t at = 0;
  bool torn = false;
  while (std::getline(in, line)) {
    bool whole = !in.eof();
    auto e = whole ? entry_from(line) : std::nullopt;
    at += line.size() + (whole ? 1 : 0);
    if (!e) {
      torn = true;
      continue;
    }
    // Only the end can be torn: an entry behind nonsense means that the file was damaged.
    if (torn)
      fail_stop("sandbox-provider: " + path_.string() + " is damaged before its end", __FILE__, __LINE__);
    good = at;
    each(*e);
  }
  if (torn) {
    std::fprintf(stderr, "ledger.cut bytes=%llu\n", static_cast<unsigned long long>(at - good));
    if (ftruncate(file_, static_cast<off_t>(good)) != 0 || fdatasync(file_) != 0)
      give_up("can not cut the torn end of " + path_.string());
  }
  durable_bytes_ = good;
}

void ledger_file::start(std::function<void(std::uint64_t)> durable) {
  durable_ = std::move(durable);
  thread_ = std::thread{[this] { run(); }};
}

void ledger_file::append(std::string_view line, std::uint64_t sequence) {
  bool first = false;
  {
    std::lock_guard lock{lock_};
    first = waiting_.empty();
    waiting_ += line;
    waiting_sequence_ = sequence;
  }
  if (first)
    wake_.notify_one();
}

void ledger_file::stop() {
  if (!thread_.joinable())
    return;
  {
    std::lock_guard lock{lock_};
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

std::uint64_t ledger_file::durable_bytes() const {
  std::lock_guard lock{lock_};
  return durable_bytes_;
}

void ledger_file::run() {
  pthread_setname_np(pthread_self(), "ledger");
  std::string batch;
  for (;;) {
    std::uint64_t sequence = 0;
    {
      std::unique_lock lock{lock_};
      wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (waiting_.empty())
        return;
      batch.clear();
      batch.swap(waiting_);
      sequence = waiting_sequence_;
    }
    write(batch);
    if (fdatasync(file_) != 0)
      give_up("can not sync " + path_.string());
    {
      std::lock_guard lock{lock_};
      durable_bytes_ += batch.size();
    }
    durable_(sequence);
  }
}

void ledger_file::write(std::string_view bytes) {
  while (!bytes.empty()) {
    auto done = ::write(file_, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR)
      continue;
    if (done < 0)
      give_up("can not write " + path_.string());
    bytes.remove_prefix(static_cast<std::size_t>(done));
  }
}

} // namespace sluice::sandbox
