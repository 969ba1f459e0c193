#include "node/identity.hpp"

#include "core/assert.hpp"
#include "core/text_id.hpp"
#include "http/crypto.hpp"

#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sluice::node {

namespace {

[[noreturn]] void stop(const std::string& why) {
  fail_stop(why, __FILE__, __LINE__);
}

std::optional<std::string> read_secret(const std::filesystem::path& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0)
    return std::nullopt;
  if ((info.st_mode & 077) != 0)
    stop(file.string() + " can be read by others; run: chmod 600 " + file.string());
  std::ifstream in{file};
  std::ostringstream text;
  text << in.rdbuf();
  auto content = text.str();
  while (!content.empty() && (content.back() == '\n' || content.back() == '\r' || content.back() == ' '))
    content.pop_back();
  return content;
}

} // namespace

void write_secret(const std::filesystem::path& file, const std::string& text) {
  auto temporary = file.string() + ".new";
  int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0)
    stop("can not write " + temporary + ": " + std::strerror(errno));
  auto line = text + "\n";
  bool ok = ::write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size()) && ::fsync(fd) == 0;
  ::close(fd);
  if (!ok || ::rename(temporary.c_str(), file.c_str()) != 0)
    stop("can not write " + file.string() + ": " + std::strerror(errno));
  int folder = ::open(file.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    ::fsync(folder);
    ::close(folder);
  }
}

identity load_identity(storage::log_store& store, const std::filesystem::path& data, std::uint32_t partitions) {
  identity id;
  http::fill_random(&id.incarnation, sizeof(id.incarnation));
  id.founded = store.get_fact("founded").has_value();
  auto known = store.get_fact("partitions");
  if (!known) {
    store.put_fact("partitions", std::to_string(partitions));
    known = std::to_string(partitions);
  }
  id.partitions = static_cast<std::uint32_t>(std::stoul(*known));

  auto seal_file = data / "cluster.key";
  if (auto text = read_secret(seal_file)) {
    auto bytes = from_hex(*text);
    if (!bytes || bytes->size() != 32)
      stop(seal_file.string() + " is damaged; restore it from your backup");
    id.seal_key = std::move(*bytes);
  } else if (id.founded) {
    stop(seal_file.string() + " is missing; without it the signing keys can not be read: restore it from your backup");
  } else {
    auto bytes = http::random_bytes<32>();
    write_secret(seal_file, hex(bytes));
    id.seal_key.assign(bytes.begin(), bytes.end());
  }

  auto admin_file = data / "admin.key";
  if (auto text = read_secret(admin_file)) {
    id.admin_key = std::move(*text);
  } else if (!id.founded) {
    id.admin_key = "slk_" + base32(http::random_bytes<25>());
    write_secret(admin_file, id.admin_key);
  }
  return id;
}

void set_founded(storage::log_store& store) {
  store.put_fact("founded", "1");
}

} // namespace sluice::node
