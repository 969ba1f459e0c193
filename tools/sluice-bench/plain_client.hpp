// One blocking request at a time: for setting events up, reading figures and checking results. Never for load.
#pragma once

#include "codec/document.hpp"
#include "sluice-bench/engine.hpp"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::bench {

struct plain_answer {
  unsigned status = 0; // 0: none came
  std::string head;
  std::string body;

  /// The body as JSON; throws if it is none.
  codec::document json() const;
  std::string text(std::string_view field) const;
};

class plain_client {
public:
  explicit plain_client(target to, std::chrono::milliseconds timeout = std::chrono::seconds{30});
  ~plain_client();
  plain_client(const plain_client&) = delete;
  plain_client& operator=(const plain_client&) = delete;

  /// Sent as "Authorization: Bearer <key>" from now on.
  void set_key(std::string key) { key_ = std::move(key); }

  /// `fields`: further header lines, each ending in \r\n.
  plain_answer call(std::string_view method, std::string_view path, std::string_view body = {},
                    std::string_view fields = {});

  plain_answer get(std::string_view path) { return call("GET", path); }

  /// Like `call`; throws std::runtime_error naming the request unless the status is below 300.
  plain_answer must(std::string_view method, std::string_view path, std::string_view body = {},
                    std::string_view fields = {});

  /// Sends bytes as they are and gives back what comes until the other side closes or `timeout` passes.
  std::string raw(std::string_view bytes);

  void close();

private:
  bool open();
  bool send_all(std::string_view bytes);

  target to_;
  std::chrono::milliseconds timeout_;
  std::string key_;
  std::string in_;
  int fd_ = -1;
};

/// Polls `path` until it answers 200; false if it does not within `patience`.
bool wait_until_up(const target& to, std::string_view path, std::chrono::milliseconds patience);

} // namespace sluice::bench
