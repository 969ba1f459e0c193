#include "cluster/link/channel.hpp"

#include <openssl/x509.h>

#include <stdexcept>
#include <utility>

namespace sluice::link {

namespace {

template <class Action>
void must(const std::string& what, Action&& action) {
  error_code ec;
  action(ec);
  if (ec)
    throw std::runtime_error{what + ": " + ec.message()};
}

} // namespace

std::shared_ptr<asio::ssl::context> make_tls(const tls_files& files) {
  if (files.empty())
    return nullptr;
  using context = asio::ssl::context;
  auto tls = std::make_shared<context>(context::tls);
  SSL_CTX_set_min_proto_version(tls->native_handle(), TLS1_3_VERSION);
  must("the cluster's CA in " + files.ca, [&](error_code& ec) { tls->load_verify_file(files.ca, ec); });
  must("the node's certificate in " + files.certificate,
       [&](error_code& ec) { tls->use_certificate_chain_file(files.certificate, ec); });
  must("the node's key in " + files.key,
       [&](error_code& ec) { tls->use_private_key_file(files.key, context::pem, ec); });
  if (SSL_CTX_check_private_key(tls->native_handle()) != 1)
    throw std::runtime_error{"the key in " + files.key + " is not that of the certificate in " + files.certificate};
  tls->set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert);
  return tls;
}

channel::channel(tcp::socket socket, std::shared_ptr<asio::ssl::context> tls) : tls_context_{std::move(tls)} {
  if (tls_context_)
    tls_.emplace(std::move(socket), *tls_context_);
  else
    plain_.emplace(std::move(socket));
}

tcp::socket& channel::socket() {
  return tls_ ? tls_->next_layer() : *plain_;
}

void channel::handshake(bool as_client, on_done done) {
  error_code ec;
  socket().set_option(tcp::no_delay{true}, ec);
  if (!tls_) {
    asio::post(socket().get_executor(), [done = std::move(done)] { done({}); });
    return;
  }
  tls_->async_handshake(as_client ? asio::ssl::stream_base::client : asio::ssl::stream_base::server,
                        [done = std::move(done)](const error_code& e) { done(e); });
}

std::string channel::peer_name() {
  if (!tls_)
    return {};
  std::unique_ptr<X509, decltype(&X509_free)> certificate{SSL_get1_peer_certificate(tls_->native_handle()), &X509_free};
  if (!certificate)
    return {};
  char name[256] = {};
  auto length = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name, sizeof(name));
  return length > 0 ? std::string{name, static_cast<std::size_t>(length)} : std::string{};
}

void channel::write(const std::string& body, on_done done) {
  out_header_ = header_of(body);
  std::array<asio::const_buffer, 2> parts{asio::buffer(out_header_), asio::buffer(body)};
  auto written = [done = std::move(done)](const error_code& e, std::size_t) { done(e); };
  if (tls_)
    asio::async_write(*tls_, parts, std::move(written));
  else
    asio::async_write(*plain_, parts, std::move(written));
}

void channel::read(std::size_t longest, on_frame done) {
  auto read_header_done = [this, longest, done = std::move(done)](const error_code& e, std::size_t) mutable {
    if (e)
      return done(e, {});
    in_info_ = read_header(in_header_);
    if (in_info_.length > longest)
      return done(asio::error::message_size, {});
    read_body(longest, std::move(done));
  };
  if (tls_)
    asio::async_read(*tls_, asio::buffer(in_header_), std::move(read_header_done));
  else
    asio::async_read(*plain_, asio::buffer(in_header_), std::move(read_header_done));
}

void channel::read_body(std::size_t, on_frame done) {
  in_body_.resize(in_info_.length);
  auto all = [this, done = std::move(done)](const error_code& e, std::size_t) {
    if (e)
      return done(e, {});
    if (!matches(in_info_, in_body_))
      return done(asio::error::invalid_argument, {});
    done({}, std::exchange(in_body_, {}));
  };
  if (tls_)
    asio::async_read(*tls_, asio::buffer(in_body_), std::move(all));
  else
    asio::async_read(*plain_, asio::buffer(in_body_), std::move(all));
}

void channel::close() {
  error_code ignored;
  socket().shutdown(tcp::socket::shutdown_both, ignored);
  socket().close(ignored);
}

} // namespace sluice::link
