// The node a run measures: one that is there already, or one of its own.
#pragma once

#include "sluice-bench/child_process.hpp"
#include "sluice-bench/options.hpp"
#include "sluice-bench/plain_client.hpp"

#include <filesystem>
#include <memory>
#include <string>

namespace sluice::bench {

/// A node and a sandbox provider, each a child with a data folder under one temporary folder.
class own_node {
public:
  /// Starts nothing yet.
  explicit own_node(const options& o, bool with_provider = false);
  ~own_node();

  /// Starts the node on `data()`, waits until it is ready, and says how many seconds that took.
  double start(const std::vector<std::string>& further_words = {});
  void stop();
  void kill();

  std::filesystem::path data() const { return folder_.path() / "node"; }

  std::filesystem::path folder() const { return folder_.path(); }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

  const std::string& provider_address() const { return provider_address_; }

  std::string admin_key() const;

  pid_t pid() const { return node_.pid(); }

private:
  void start_provider();
  std::string last_words() const;

  const options& options_;
  temporary_folder folder_;
  child_process provider_;
  child_process node_;
  std::string provider_address_ = "127.0.0.1:1"; // nobody
  std::uint16_t port_ = 0;
};

class node_under_test {
public:
  /// With --start: starts one. Else looks whether the one at --url is ready. Throws with a word on what to do if not.
  explicit node_under_test(const options& o, bool with_provider = false);
  /// The same with a node that the caller set up.
  node_under_test(const options& o, std::unique_ptr<own_node> started);

  const target& to() const { return to_; }

  /// With the admin key. Throws if there is none.
  plain_client& admin();

  own_node* own() { return own_.get(); }

private:
  const options& options_;
  std::unique_ptr<own_node> own_;
  target to_;
  std::unique_ptr<plain_client> admin_;
};

} // namespace sluice::bench
