#include "http/client_socket.hpp"

#include <boost/asio/error.hpp>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <climits>
#include <stdexcept>

namespace sluice::http {

// ---- the certificate -------------------------------------------------------------------------------------------------

edge_tls::edge_tls(std::string certificate, std::string key)
    : certificate_{std::move(certificate)}, key_{std::move(key)}, context_{load()} {}

std::shared_ptr<ssl_ctx_st> edge_tls::load() const {
  std::shared_ptr<SSL_CTX> context{SSL_CTX_new(TLS_server_method()), &SSL_CTX_free};
  if (!context)
    throw std::runtime_error{"TLS can not be set up"};
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(context.get(), certificate_.c_str()) != 1)
    throw std::runtime_error{"can not read the certificate in " + certificate_};
  if (SSL_CTX_use_PrivateKey_file(context.get(), key_.c_str(), SSL_FILETYPE_PEM) != 1) {
    if (ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH)
      throw std::runtime_error{"the key in " + key_ + " is not that of the certificate in " + certificate_};
    throw std::runtime_error{"can not read the key in " + key_};
  }
  return context;
}

std::string edge_tls::reload() {
  try {
    auto fresh = load();
    std::lock_guard lock{lock_};
    context_ = std::move(fresh);
    return {};
  } catch (const std::runtime_error& e) {
    ERR_clear_error();
    return e.what();
  }
}

std::shared_ptr<ssl_ctx_st> edge_tls::current() const {
  std::lock_guard lock{lock_};
  return context_;
}

// ---- the socket ------------------------------------------------------------------------------------------------------

client_socket::client_socket(tcp_socket socket, const std::shared_ptr<ssl_ctx_st>& tls) : socket_{std::move(socket)} {
  boost::system::error_code ignored;
  socket_.non_blocking(true, ignored);
  if (!tls)
    return;
  ssl_ = std::shared_ptr<SSL>{SSL_new(tls.get()), &SSL_free};
  SSL_set_fd(ssl_.get(), socket_.native_handle());
  SSL_set_accept_state(ssl_.get()); // the first read or write does the handshake
}

client_socket::client_socket(tcp_socket socket, std::shared_ptr<ssl_st> ssl)
    : socket_{std::move(socket)}, ssl_{std::move(ssl)} {
  boost::system::error_code ignored;
  socket_.non_blocking(true, ignored);
}

client_socket client_socket::moved_to(asio::io_context& context, asio::ip::tcp protocol, int handle,
                                      std::shared_ptr<ssl_st> ssl) {
  return {tcp_socket{context, protocol, handle}, std::move(ssl)}; // the descriptor, which TLS works on, stays the same
}

std::pair<int, std::shared_ptr<ssl_st>> client_socket::release(boost::system::error_code& ec) {
  return {socket_.release(ec), std::move(ssl_)};
}

boost::system::error_code client_socket::why(int result) {
  switch (SSL_get_error(ssl_.get(), result)) {
  case SSL_ERROR_WANT_READ:
    wanted_ = tcp_socket::wait_read;
    return asio::error::would_block;
  case SSL_ERROR_WANT_WRITE:
    wanted_ = tcp_socket::wait_write;
    return asio::error::would_block;
  case SSL_ERROR_ZERO_RETURN:
    return asio::error::eof;
  default:
    ERR_clear_error();
    return asio::error::connection_reset;
  }
}

std::size_t client_socket::read_some(asio::mutable_buffer into, boost::system::error_code& ec) {
  if (!socket_.is_open()) { // TLS works on the number of a descriptor, which may be another's by now
    ec = asio::error::operation_aborted;
    return 0;
  }
  ERR_clear_error();
  auto most = static_cast<int>(std::min<std::size_t>(into.size(), INT_MAX));
  auto size = SSL_read(ssl_.get(), into.data(), most);
  if (size > 0)
    return static_cast<std::size_t>(size);
  ec = why(size);
  return 0;
}

std::size_t client_socket::write_some(asio::const_buffer data, boost::system::error_code& ec) {
  if (!ssl_)
    return socket_.write_some(data, ec);
  if (data.size() == 0)
    return 0;
  if (!socket_.is_open()) {
    ec = asio::error::operation_aborted;
    return 0;
  }
  ERR_clear_error();
  auto most = static_cast<int>(std::min<std::size_t>(data.size(), INT_MAX));
  auto size = SSL_write(ssl_.get(), data.data(), most);
  if (size > 0)
    return static_cast<std::size_t>(size);
  ec = why(size);
  return 0;
}

void client_socket::shutdown_send() {
  if (ssl_ && socket_.is_open() && SSL_is_init_finished(ssl_.get())) {
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
  }
  boost::system::error_code ignored;
  socket_.shutdown(tcp_socket::shutdown_send, ignored);
}

void client_socket::close() {
  boost::system::error_code ignored;
  socket_.close(ignored);
}

} // namespace sluice::http
