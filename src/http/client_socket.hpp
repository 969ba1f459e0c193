// A client's socket, with or without TLS. TLS works on the descriptor itself: no bytes are copied through a reactor's
// buffers, and a stream can take the socket to another thread.
#pragma once

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

struct ssl_st;
struct ssl_ctx_st;

namespace sluice::http {

namespace asio = boost::asio;

/// A plain executor instead of the type-erased default: one virtual call less per operation.
using tcp_socket = asio::basic_stream_socket<asio::ip::tcp, asio::io_context::executor_type>;

/// The certificate the edge shows, replaceable while it serves: connections keep the one they began with. Thread-safe.
class edge_tls {
public:
  /// Throws std::runtime_error that names the file at fault.
  edge_tls(std::string certificate, std::string key);
  /// Reads the files again. On a mistake the certificate in use stays, and what is wrong is returned; else empty.
  std::string reload();

  std::shared_ptr<ssl_ctx_st> current() const;

private:
  std::shared_ptr<ssl_ctx_st> load() const;

  std::string certificate_;
  std::string key_;
  mutable std::mutex lock_;
  std::shared_ptr<ssl_ctx_st> context_;
};

/// All calls on the thread that runs its context. Non-blocking. At most one asynchronous read and one write at a time, and
/// it must not be moved while one is under way.
class client_socket {
public:
  /// `tls` null: plain.
  client_socket(tcp_socket socket, const std::shared_ptr<ssl_ctx_st>& tls);

  bool is_secure() const { return ssl_ != nullptr; }

  /// would_block when nothing can be written right now.
  std::size_t write_some(asio::const_buffer data, boost::system::error_code& ec);

  template <class Handler>
  void async_read_some(asio::mutable_buffer into, Handler handler) {
    if (!ssl_)
      return socket_.async_read_some(into, std::move(handler));
    boost::system::error_code ec;
    auto size = read_some(into, ec);
    if (ec != asio::error::would_block) {
      asio::post(socket_.get_executor(), [handler = std::move(handler), ec, size]() mutable { handler(ec, size); });
      return;
    }
    socket_.async_wait(wanted_,
                       [this, into, handler = std::move(handler)](const boost::system::error_code& failed) mutable {
                         if (failed)
                           return handler(failed, std::size_t{0});
                         async_read_some(into, std::move(handler));
                       });
  }

  /// After write_some said would_block: calls back when it is worth another try.
  template <class Handler>
  void async_wait_writable(Handler handler) {
    socket_.async_wait(ssl_ ? wanted_ : tcp_socket::wait_write, std::move(handler));
  }

  /// Nothing more will be written.
  void shutdown_send();
  void close();

  tcp_socket& next_layer() { return socket_; }

  tcp_socket::executor_type get_executor() { return socket_.get_executor(); }

  /// Takes the connection to another context. Not while anything is under way.
  static client_socket moved_to(asio::io_context& context, asio::ip::tcp protocol, int handle,
                                std::shared_ptr<ssl_st> ssl);
  std::pair<int, std::shared_ptr<ssl_st>> release(boost::system::error_code& ec);

private:
  client_socket(tcp_socket socket, std::shared_ptr<ssl_st> ssl);

  std::size_t read_some(asio::mutable_buffer into, boost::system::error_code& ec);
  boost::system::error_code why(int result);

  tcp_socket socket_;
  std::shared_ptr<ssl_st> ssl_;
  tcp_socket::wait_type wanted_ = tcp_socket::wait_read; // by the last operation that could not go on
};

} // namespace sluice::http
