// One TCP connection between two nodes, with or without TLS, that carries frames.
#pragma once

#include "cluster/link/frame.hpp"

#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace sluice::link {

namespace asio = boost::asio;
using asio::ip::tcp;
using error_code = boost::system::error_code;

/// Certificates of a cluster's nodes. One CA for this cluster alone: whoever it signed is a node.
struct tls_files {
  std::string ca;
  std::string certificate;
  std::string key;

  bool empty() const { return ca.empty() && certificate.empty() && key.empty(); }
};

/// Mutual authentication, TLS 1.3. Throws std::runtime_error that names the file at fault.
std::shared_ptr<asio::ssl::context> make_tls(const tls_files& files);

/// All calls on the context's thread. Handlers are called once; after `close` with an error.
class channel {
public:
  using on_done = std::function<void(const error_code&)>;
  using on_frame = std::function<void(const error_code&, std::string body)>;

  channel(tcp::socket socket, std::shared_ptr<asio::ssl::context> tls);

  tcp::socket& socket();
  void handshake(bool as_client, on_done done);
  /// The common name in the other end's certificate; empty without TLS.
  std::string peer_name();

  /// One at a time. `body` stays as it is until `done`.
  void write(const std::string& body, on_done done);
  /// One at a time. A frame longer than `longest`, or with a wrong checksum, is an error.
  void read(std::size_t longest, on_frame done);

  void close();

private:
  void read_body(std::size_t longest, on_frame done);

  std::shared_ptr<asio::ssl::context> tls_context_;
  std::optional<tcp::socket> plain_;
  std::optional<asio::ssl::stream<tcp::socket>> tls_;
  frame_header out_header_{};
  frame_header in_header_{};
  frame_info in_info_;
  std::string in_body_;
};

} // namespace sluice::link
