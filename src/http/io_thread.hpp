// One I/O thread: a listener of its own (SO_REUSEPORT), its connections, and a handler for their requests. Threads share
// nothing but counters.
#pragma once

#include "http/connection.hpp"
#include "http/limits.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace sluice::http {

/// What the requests of one I/O thread are handed to. All calls on that thread.
class request_handler {
public:
  virtual ~request_handler() = default;
  virtual body_terms terms_for(const request& r) = 0;
  virtual void handle(request& r, exchange reply) = 0;
  virtual response refuse(errc why, const request& r) = 0;
  /// About twenty times a second.
  virtual void tick(std::chrono::steady_clock::time_point now) = 0;
};

/// Counted by all threads.
struct edge_figures {
  std::atomic<std::uint64_t> connections{0};
  std::atomic<std::uint64_t> connections_total{0};
  std::atomic<std::uint64_t> connections_refused{0};
  std::atomic<std::uint64_t> accept_errors{0};
  std::atomic<std::uint64_t> streams{0};
  std::array<std::atomic<std::uint64_t>, 6> answers{}; // by hundreds of the status
};

/// How many connections each address has: shared by all threads.
class address_counts {
public:
  /// False: it has `most` already.
  bool enter(const std::string& address, std::size_t most);
  void leave(const std::string& address);

private:
  std::mutex lock_;
  std::unordered_map<std::string, std::size_t> counts_;
};

struct edge {
  server_limits limits;
  std::shared_ptr<edge_tls> tls;    // null: plain HTTP
  std::atomic<bool> crowded{false}; // memory is nearly used up: nobody new is let into a line
  // It is so at a node that has a replica; sized before the first request.
  std::vector<std::atomic<bool>> crowded_partitions;
  bool insecure_admin = false; // the admin API answers plain HTTP from other machines
  edge_figures figures;
  address_counts addresses;
};

/// Threads share a port, and a second process could join them unnoticed and take half of the connections. Throws
/// boost::system::system_error if anybody listens there already.
void require_free(const asio::ip::tcp::endpoint& at);

class io_thread final : public connection_owner {
public:
  /// Binds at once; throws boost::system::system_error if it can not.
  io_thread(edge& shared, const asio::ip::tcp::endpoint& at);
  ~io_thread() override;

  void set_handler(request_handler& handler) { handler_ = &handler; }

  void start(const std::string& name);
  /// Takes no new connections; what is under way is answered, and ends its connection.
  void drain();
  /// Of those whose client asks for nothing.
  void close_idle();
  /// Closes all connections; `join` waits until the thread is done.
  void stop();
  void join();

  asio::io_context& context() { return context_; }

  asio::ip::tcp::endpoint endpoint() const { return acceptor_.local_endpoint(); }

  const server_limits& limits() const override { return shared_.limits; }

  std::chrono::steady_clock::time_point now() const override { return now_; }

  bool is_draining() const override { return draining_; }

  body_terms terms_for(const request& r) override { return handler_->terms_for(r); }

  void handle(request& r, exchange reply) override;

  response refuse(errc why, const request& r) override { return handler_->refuse(why, r); }

  void closed(connection& c) override;
  void answered(unsigned status) override;

private:
  void accept();
  void on_accept(const boost::system::error_code& ec, tcp_socket socket);
  void turn_away(tcp_socket socket);
  void on_tick();

  edge& shared_;
  asio::io_context context_{1};
  asio::basic_socket_acceptor<asio::ip::tcp, asio::io_context::executor_type> acceptor_;
  asio::steady_timer tick_;
  asio::steady_timer accept_pause_;
  request_handler* handler_ = nullptr;
  std::vector<std::shared_ptr<connection>> connections_;
  std::chrono::steady_clock::time_point now_;
  unsigned ticks_ = 0;
  bool stopping_ = false;
  bool draining_ = false;
  std::thread thread_;
};

} // namespace sluice::http
