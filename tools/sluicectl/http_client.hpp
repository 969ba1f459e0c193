// A small synchronous HTTP/1.1 client: one connection, one request at a time, every wait bounded.
#pragma once

#include "failure.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::ctl {

/// http://host[:port], the only kind of address a node has.
struct node_address {
  std::string host;
  std::string port;

  /// "http://127.0.0.1:8080"
  std::string text() const;
  bool is_loopback() const;
};

/// Empty when it is no such address.
std::optional<node_address> address_from(std::string_view url);

enum class verb { get, put, post, patch, delete_ };

struct http_request {
  verb method = verb::get;
  std::string target;
  std::string body;   // JSON
  std::string key;    // of the admin; empty: none
  std::chrono::milliseconds patience{30'000}; // for the whole answer
};

struct http_answer {
  unsigned status = 0;
  std::string body;
};

class http_client {
public:
  explicit http_client(node_address address) : address_{std::move(address)} {}

  const node_address& address() const { return address_; }

  /// Throws `failure` (unreachable, not_ready) when there is no answer. `waiting` is called ten times a second meanwhile.
  http_answer send(const http_request& request, const std::function<void()>& waiting = {});

private:
  using clock = std::chrono::steady_clock;

  void connect(clock::time_point until);
  http_answer exchange(const http_request& request, clock::time_point until);
  /// Runs until what was started is done; closes the connection and returns false at `until`.
  bool run(clock::time_point until);

  node_address address_;
  boost::asio::io_context context_;
  std::optional<boost::beast::tcp_stream> stream_;
  boost::beast::flat_buffer buffer_;
  std::function<void()> waiting_;
};

} // namespace sluice::ctl
