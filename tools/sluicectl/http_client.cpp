#include "http_client.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/beast/http.hpp>

#include <algorithm>

namespace sluice::ctl {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

namespace {

constexpr std::chrono::seconds connect_patience{5};
constexpr std::uint64_t body_bytes_max = 512ull * 1024 * 1024; // the largest event, shown

http::verb beast_verb(verb v) {
  switch (v) {
  case verb::get:
    return http::verb::get;
  case verb::put:
    return http::verb::put;
  case verb::post:
    return http::verb::post;
  case verb::patch:
    return http::verb::patch;
  case verb::delete_:
    break;
  }
  return http::verb::delete_;
}

std::string seconds_text(std::chrono::milliseconds ms) {
  return std::to_string(std::max<std::int64_t>(1, ms.count() / 1000)) + " s";
}

} // namespace

std::string node_address::host_and_port() const {
  bool is_v6 = host.find(':') != std::string::npos;
  return (is_v6 ? "[" + host + "]" : host) + ":" + port;
}

std::string node_address::text() const {
  return (is_secure ? "https://" : "http://") + host_and_port();
}

bool node_address::is_loopback() const {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

std::optional<node_address> address_from(std::string_view url) {
  constexpr std::string_view plain = "http://", secure = "https://";
  node_address a;
  a.is_secure = url.starts_with(secure);
  if (!a.is_secure && !url.starts_with(plain))
    return std::nullopt;
  url.remove_prefix(a.is_secure ? secure.size() : plain.size());
  if (url.ends_with('/'))
    url.remove_suffix(1);
  a.port = a.is_secure ? "443" : "80";
  auto end_of_host = url.find(':');
  if (url.starts_with('[')) {
    auto close = url.find(']');
    if (close == std::string_view::npos)
      return std::nullopt;
    a.host = url.substr(1, close - 1);
    end_of_host = close + 1 < url.size() ? close + 1 : std::string_view::npos;
    if (end_of_host != std::string_view::npos && url[end_of_host] != ':')
      return std::nullopt;
  } else {
    a.host = url.substr(0, end_of_host);
  }
  if (end_of_host != std::string_view::npos)
    a.port = url.substr(end_of_host + 1);
  auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  auto is_host = [&](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == '_' ||
           c == ':' || c == '%';
  };
  if (a.host.empty() || !std::all_of(a.host.begin(), a.host.end(), is_host) || a.port.empty() || a.port.size() > 5 ||
      !std::all_of(a.port.begin(), a.port.end(), is_digit) || std::stoi(a.port) < 1 || std::stoi(a.port) > 65535)
    return std::nullopt;
  return a;
}

bool http_client::run(clock::time_point until) {
  using namespace std::chrono_literals;
  context_.restart();
  bool in_time = true;
  while (!context_.stopped()) {
    context_.run_for(100ms);
    if (context_.stopped())
      break;
    if (waiting_)
      waiting_();
    if (clock::now() >= until) {
      in_time = false;
      if (stream_)
        stream_->close();
      context_.restart();
      context_.run_for(1s); // the cancelled operation still reports
      break;
    }
  }
  return in_time;
}

void http_client::connect(clock::time_point until) {
  until = std::min(until, clock::now() + connect_patience);
  disconnect();
  buffer_.clear();
  error_code ec = asio::error::timed_out;
  asio::ip::tcp::resolver resolver{context_};
  asio::ip::tcp::resolver::results_type found;
  resolver.async_resolve(address_.host, address_.port, [&](error_code e, auto results) {
    ec = e;
    found = std::move(results);
  });
  bool in_time = run(until);
  if (in_time && !ec) {
    stream_.emplace(context_);
    ec = asio::error::timed_out;
    stream_->async_connect(found, [&](error_code e, const auto&) { ec = e; });
    in_time = run(until);
  }
  if (!in_time)
    ec = asio::error::timed_out;
  if (ec) {
    disconnect();
    throw failure{exit_code::unreachable, "can not reach a node at " + address_.text() + ": " + ec.message() +
                                              "; is sluiced running there? (--url or SLUICE_URL says where)"};
  }
  stream_->socket().set_option(asio::ip::tcp::no_delay{true}, ec);
  if (address_.is_secure)
    secure(until);
}

void http_client::secure(clock::time_point until) {
  asio::ssl::context trusted{asio::ssl::context::tls_client};
  error_code ec;
  if (trust_.authority.empty())
    trusted.set_default_verify_paths(ec);
  else
    trusted.load_verify_file(trust_.authority.string(), ec);
  if (ec)
    throw failure{exit_code::usage,
                  "can not read certificates from " + trust_.authority.string() + ": " + ec.message()};
  trusted.set_verify_mode(asio::ssl::verify_peer);
  auto name = trust_.name.empty() ? address_.host : trust_.name;
  trusted.set_verify_callback(asio::ssl::host_name_verification{name});
  tls_.emplace(*stream_, trusted);
  if (asio::ip::make_address(name, ec); ec) // no address: one node may have certificates for several names
    SSL_set_tlsext_host_name(tls_->native_handle(), name.c_str());
  ec = asio::error::timed_out;
  tls_->async_handshake(asio::ssl::stream_base::client, [&](error_code e) { ec = e; });
  if (!run(until))
    ec = asio::error::timed_out;
  if (!ec)
    return;
  auto verdict = SSL_get_verify_result(tls_->native_handle());
  disconnect();
  if (verdict != X509_V_OK)
    throw failure{exit_code::unreachable,
                  "the certificate of " + address_.text() + " is not to be trusted as that of " + name + ": " +
                      X509_verify_cert_error_string(verdict) +
                      " (--ca names a file with its authority, --server-name whom it is made out to)"};
  throw failure{exit_code::unreachable, "what listens at " + address_.text() + " does not speak TLS (" + ec.message() +
                                            "); without a certificate a node is at http://"};
}

void http_client::disconnect() {
  tls_.reset();
  stream_.reset();
}

template <class What>
void http_client::over_stream(What what) {
  if (tls_)
    what(*tls_);
  else
    what(*stream_);
}

http_answer http_client::exchange(const http_request& request, clock::time_point until) {
  http::request<http::string_body> q{beast_verb(request.method), request.target, 11};
  q.set(http::field::host, address_.host_and_port());
  q.set(http::field::user_agent, "sluicectl");
  q.set(http::field::accept, "application/json");
  if (!request.key.empty())
    q.set(http::field::authorization, "Bearer " + request.key);
  if (!request.body.empty()) {
    q.set(http::field::content_type, "application/json");
    q.body() = request.body;
  }
  q.prepare_payload();
  error_code ec;
  over_stream([&](auto& stream) { http::async_write(stream, q, [&](error_code e, std::size_t) { ec = e; }); });
  bool in_time = run(until);
  // A node refuses a body it finds too long before it has read it: its answer is there even if writing failed.
  http::response_parser<http::string_body> parser;
  parser.body_limit(body_bytes_max);
  parser.header_limit(64 * 1024);
  if (in_time) {
    over_stream(
        [&](auto& stream) { http::async_read(stream, buffer_, parser, [&](error_code e, std::size_t) { ec = e; }); });
    in_time = run(until);
  }
  if (!in_time) {
    disconnect();
    throw failure{exit_code::not_ready, "no answer from " + address_.text() + " within " +
                                            seconds_text(request.patience) + " (--timeout changes that)"};
  }
  if (ec)
    throw boost::system::system_error{ec};
  auto answer = parser.release();
  if (!answer.keep_alive())
    disconnect();
  return {answer.result_int(), std::move(answer.body())};
}

http_answer http_client::send(const http_request& request, const std::function<void()>& waiting) {
  waiting_ = waiting;
  auto until = clock::now() + request.patience;
  // Only reads go over a connection that was idle: it may be closed at the other end, and a write that may have been
  // carried out is never sent again.
  bool reused = stream_ && request.method == verb::get;
  if (!reused)
    connect(until);
  for (;;) {
    try {
      return exchange(request, until);
    } catch (const boost::system::system_error& e) {
      disconnect();
      if (reused) {
        reused = false;
        connect(until);
        continue;
      }
      std::string why = e.code() == http::error::end_of_stream ? "it was closed" : e.code().message();
      bool no_http = e.code().category() == error_code{http::error::bad_version}.category() &&
                     e.code() != http::error::end_of_stream && e.code() != http::error::partial_message;
      if (no_http)
        throw failure{exit_code::unreachable, "what listens at " + address_.text() + " does not speak HTTP (" + why +
                                                  "); is --url right? With a certificate it is https://…"};
      throw failure{
          exit_code::unreachable,
          "the connection to " + address_.text() + " broke before an answer came: " + why +
              (request.method == verb::get ? "" : "; whether it took effect is not known, look, then try again") +
              (address_.is_secure ? "" : " (a node that has a certificate is at https://)")};
    }
  }
}

} // namespace sluice::ctl
