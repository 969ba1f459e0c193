// A small synchronous HTTP/1.1 client: one connection, one request at a time, every wait bounded.
#pragma once

#include "failure.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::ctl {

/// http://host[:port], or https:// of a node that has a certificate.
struct node_address {
  std::string host;
  std::string port;
  bool is_secure = false;

  /// "http://127.0.0.1:8080"
  std::string text() const;
  /// "127.0.0.1:8080"
  std::string host_and_port() const;
  bool is_loopback() const;
};

/// Empty when it is no such address.
std::optional<node_address> address_from(std::string_view url);

/// Whom to believe over https.
struct tls_trust {
  std::filesystem::path authority; // PEM; empty: those this machine trusts
  std::string name;                // what the certificate must be made out to; empty: the host of the address
};

enum class verb { get, put, post, patch, delete_ };

struct http_request {
  verb method = verb::get;
  std::string target;
  std::string body;                           // JSON
  std::string key;                            // of the admin; empty: none
  std::chrono::milliseconds patience{30'000}; // for the whole answer
};

struct http_answer {
  unsigned status = 0;
  std::string body;
};

class http_client {
public:
  explicit http_client(node_address address, tls_trust trust = {})
      : address_{std::move(address)}, trust_{std::move(trust)} {}

  const node_address& address() const { return address_; }

  /// Throws `failure` (unreachable, not_ready) when there is no answer. `waiting` is called ten times a second meanwhile.
  http_answer send(const http_request& request, const std::function<void()>& waiting = {});

private:
  using clock = std::chrono::steady_clock;

  void connect(clock::time_point until);
  void secure(clock::time_point until);
  void disconnect();
  /// With the stream that requests and answers go over.
  template <class What>
  void over_stream(What what);
  http_answer exchange(const http_request& request, clock::time_point until);
  /// Runs until what was started is done; closes the connection and returns false at `until`.
  bool run(clock::time_point until);

  node_address address_;
  tls_trust trust_;
  boost::asio::io_context context_;
  std::optional<boost::beast::tcp_stream> stream_;
  std::optional<boost::asio::ssl::stream<boost::beast::tcp_stream&>> tls_; // over it
  boost::beast::flat_buffer buffer_;
  std::function<void()> waiting_;
};

} // namespace sluice::ctl
