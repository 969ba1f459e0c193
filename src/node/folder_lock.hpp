// Keeps a second node out of a data folder. Held for the node's life; the kernel lets go of it even after kill -9.
#pragma once

#include <filesystem>
#include <stdexcept>

namespace sluice::node {

/// Why a node does not even begin: something an operator sets right, with nothing on disk touched.
struct start_failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class folder_lock {
public:
  /// Creates the folder if needed. Throws start_failure when it can not be had.
  explicit folder_lock(const std::filesystem::path& folder);
  ~folder_lock();
  folder_lock(const folder_lock&) = delete;
  folder_lock& operator=(const folder_lock&) = delete;

private:
  int folder_ = -1;
};

} // namespace sluice::node
