#include "storage/durable_mark.hpp"

#include "core/assert.hpp"
#include "core/hash.hpp"

#include <chrono>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <unistd.h>

namespace sluice::storage {

namespace {

std::int64_t steady_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

} // namespace

durable_mark::durable_mark(const std::filesystem::path& file) : file_{file} {
  fd_ = ::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd_ < 0)
    fail_stop("storage: can not open " + file_.string() + ": " + std::strerror(errno), __FILE__, __LINE__);
  auto size = std::filesystem::file_size(file_);
  std::string bytes(size, '\0');
  if (size >= 8 && ::pread(fd_, bytes.data(), size, 0) == static_cast<ssize_t>(size)) {
    std::uint64_t sum = 0;
    std::memcpy(&sum, bytes.data(), 8);
    // A mark torn by a power cut is no mark: it only ever adds suspicion, it never removes any.
    if (sum == hash_of(std::string_view{bytes}.substr(8))) {
      marks_.resize((size - 8) / 8);
      std::memcpy(marks_.data(), bytes.data() + 8, marks_.size() * 8);
    }
  }
}

durable_mark::~durable_mark() {
  if (fd_ < 0)
    return;
  save();
  ::fdatasync(fd_);
  ::close(fd_);
}

log_index durable_mark::of(partition_id partition) const {
  std::lock_guard lock{lock_};
  return partition.value < marks_.size() ? marks_[partition.value] : 0;
}

void durable_mark::set(partition_id partition, log_index durable) {
  std::lock_guard lock{lock_};
  if (partition.value >= marks_.size())
    marks_.resize(partition.value + 1);
  if (marks_[partition.value] == durable)
    return;
  marks_[partition.value] = durable;
  changed_ = true;
}

void durable_mark::save() {
  std::lock_guard lock{lock_};
  if (!changed_)
    return;
  write();
  if (steady_ms() - synced_ms_ >= 1000)
    sync();
}

void durable_mark::save_synced() {
  std::lock_guard lock{lock_};
  write();
  sync();
}

void durable_mark::write() {
  changed_ = false;
  std::string bytes(8 + marks_.size() * 8, '\0');
  std::memcpy(bytes.data() + 8, marks_.data(), marks_.size() * 8);
  auto sum = hash_of(std::string_view{bytes}.substr(8));
  std::memcpy(bytes.data(), &sum, 8);
  if (::pwrite(fd_, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    fail_stop("storage: can not write " + file_.string() + ": " + std::strerror(errno), __FILE__, __LINE__);
}

void durable_mark::sync() {
  synced_ms_ = steady_ms();
  if (::fdatasync(fd_) != 0)
    fail_stop("storage: can not sync " + file_.string() + ": " + std::strerror(errno), __FILE__, __LINE__);
}

} // namespace sluice::storage
