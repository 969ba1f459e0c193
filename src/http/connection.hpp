// One client connection: reads a request, hands it on, writes the answer, and again. One request at a time; what a client
// pipelines waits in the socket.
#pragma once

#include "http/client_socket.hpp"
#include "http/limits.hpp"
#include "http/request_parser.hpp"
#include "http/response.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sluice::http {

class connection;

/// Whom a request is handed to, and how to answer it later. Answers for a request that was answered already, or whose
/// connection is gone, are dropped.
class exchange {
public:
  exchange() = default;

  exchange(std::weak_ptr<connection> to, std::uint32_t turn) : to_{std::move(to)}, turn_{turn} {}

  void answer(const response& r) const;
  bool alive() const;
  /// Writes `head` and gives the socket away, for streams. Empty if the connection is gone.
  std::optional<client_socket> take_over() const;

private:
  std::weak_ptr<connection> to_;
  std::uint32_t turn_ = 0;
};

/// How large the body of one request may be.
struct body_terms {
  std::size_t bytes_max = 0;
  errc beyond = errc::body_too_large; // what a larger one is refused with
  std::shared_ptr<const void> permit; // kept until the request is answered
};

/// What an I/O thread does for its connections. All calls on that thread.
class connection_owner {
public:
  virtual ~connection_owner() = default;
  virtual const server_limits& limits() const = 0;
  virtual std::chrono::steady_clock::time_point now() const = 0;
  /// The node is about to stop: answers end their connections.
  virtual bool is_draining() const = 0;

  /// The header is here, and the body is larger than most may be.
  virtual body_terms terms_for(const request& r) = 0;
  virtual void handle(request& r, exchange reply) = 0;
  /// A request that never became one.
  virtual response refuse(errc why, const request& r) = 0;
  virtual void closed(connection& c) = 0;

  /// Counted for metrics.
  virtual void answered(unsigned status) = 0;
};

class connection : public std::enable_shared_from_this<connection> {
public:
  connection(client_socket socket, connection_owner& owner, std::string peer, bool counted);
  ~connection();

  void start();
  void answer(std::uint32_t turn, const response& r);

  bool awaits(std::uint32_t turn) const { return turn == turn_ && phase_ == phase::answering; }

  std::optional<client_socket> take_over(std::uint32_t turn);

  /// Closes when the present phase took too long. Called about twice a second.
  void check_deadline(std::chrono::steady_clock::time_point now);
  void close();

  /// Nothing is under way: it may be closed without harm.
  bool is_idle() const { return phase_ == phase::idle; }

  const std::string& peer() const { return peer_; }

  bool counted() const { return counted_; }

  std::size_t place = 0; // among its owner's connections; the owner's own

private:
  enum class phase : std::uint8_t { idle, header, body, answering, writing, draining, closed };

  void read_more();
  void on_read(const boost::system::error_code& ec, std::size_t size);
  void parse();
  bool is_too_large(std::uint64_t body);
  bool header_complete();
  void refuse(errc why);
  void dispatch();
  void write();
  void on_writable(const boost::system::error_code& ec);
  void written();
  void drain();
  void enter(phase p);

  client_socket socket_;
  connection_owner& owner_;
  std::string peer_;
  bool counted_; // against the limit per address
  std::vector<char> in_;
  std::size_t in_size_ = 0;
  std::optional<request_parser> parser_;
  std::optional<body_terms> terms_; // asked for by large bodies alone
  std::string out_;
  std::size_t out_done_ = 0;
  std::size_t drained_ = 0;
  std::uint32_t turn_ = 0;
  phase phase_ = phase::idle;
  bool header_checked_ = false;
  bool reading_ = false; // a read is under way, into in_
  bool keep_alive_ = true;
  std::chrono::steady_clock::time_point deadline_{};
};

} // namespace sluice::http
