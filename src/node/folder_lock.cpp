#include "node/folder_lock.hpp"

#include <cerrno>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace sluice::node {

folder_lock::folder_lock(const std::filesystem::path& folder) {
  std::error_code ec;
  std::filesystem::create_directories(folder, ec);
  if (ec)
    throw start_failure{"can not create the data folder " + folder.string() + ": " + ec.message()};
  folder_ = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_ < 0)
    throw start_failure{"can not open the data folder " + folder.string() + ": " + std::strerror(errno)};
  if (::flock(folder_, LOCK_EX | LOCK_NB) == 0)
    return;
  auto why = errno == EWOULDBLOCK ? std::string{"another node uses it"} : std::string{std::strerror(errno)};
  ::close(folder_);
  throw start_failure{"can not use the data folder " + folder.string() + ": " + why};
}

folder_lock::~folder_lock() {
  ::close(folder_);
}

} // namespace sluice::node
