#include "http/io_thread.hpp"

#include <boost/asio/post.hpp>

#include <pthread.h>
#include <sys/socket.h>

namespace sluice::http {

namespace {

using reuse_port = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

constexpr std::chrono::milliseconds tick_every{20};
constexpr unsigned ticks_per_sweep = 25; // connections' deadlines are looked at twice a second

} // namespace

bool address_counts::enter(const std::string& address, std::size_t most) {
  std::lock_guard lock{lock_};
  auto& count = counts_[address];
  if (count >= most)
    return false;
  ++count;
  return true;
}

void address_counts::leave(const std::string& address) {
  std::lock_guard lock{lock_};
  auto known = counts_.find(address);
  if (known != counts_.end() && --known->second == 0)
    counts_.erase(known);
}

void require_free(const asio::ip::tcp::endpoint& at) {
  asio::io_context context;
  asio::ip::tcp::acceptor probe{context, at.protocol()};
  probe.set_option(asio::socket_base::reuse_address{true});
  probe.bind(at);
}

io_thread::io_thread(edge& shared, const asio::ip::tcp::endpoint& at)
    : shared_{shared}, acceptor_{context_}, tick_{context_},
      accept_pause_{context_}, now_{std::chrono::steady_clock::now()} {
  acceptor_.open(at.protocol());
  acceptor_.set_option(asio::socket_base::reuse_address{true});
  acceptor_.set_option(reuse_port{true});
  acceptor_.bind(at);
  acceptor_.listen(4096);
}

io_thread::~io_thread() {
  stop();
  join();
}

void io_thread::start(const std::string& name) {
  thread_ = std::thread{[this, name] {
    pthread_setname_np(pthread_self(), name.c_str());
    accept();
    on_tick();
    context_.run();
    connections_.clear();
  }};
}

void io_thread::drain() {
  asio::post(context_, [this] {
    draining_ = true;
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    accept_pause_.cancel();
  });
}

void io_thread::close_idle() {
  asio::post(context_, [this] {
    auto all = connections_;
    for (auto& c : all)
      if (c->is_idle())
        c->close();
  });
}

void io_thread::stop() {
  asio::post(context_, [this] {
    stopping_ = true;
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    tick_.cancel();
    accept_pause_.cancel();
    auto all = connections_;
    for (auto& c : all)
      c->close();
    context_.stop();
  });
}

void io_thread::join() {
  if (thread_.joinable())
    thread_.join();
}

void io_thread::accept() {
  acceptor_.async_accept(
      context_, [this](const boost::system::error_code& ec, tcp_socket socket) { on_accept(ec, std::move(socket)); });
}

void io_thread::on_accept(const boost::system::error_code& ec, tcp_socket socket) {
  if (stopping_ || draining_)
    return;
  if (ec) {
    // Out of descriptors, most likely: a pause, or the loop would spin until one is free.
    ++shared_.figures.accept_errors;
    accept_pause_.expires_after(std::chrono::milliseconds{100});
    accept_pause_.async_wait([this](const boost::system::error_code& cancelled) {
      if (!cancelled)
        accept();
    });
    return;
  }
  now_ = std::chrono::steady_clock::now();
  boost::system::error_code gone;
  auto peer = socket.remote_endpoint(gone);
  if (gone) {
    accept();
    return;
  }
  ++shared_.figures.connections_total;
  auto address = peer.address().to_string();
  bool counted = !peer.address().is_loopback();
  // A stream was a connection once, and still is a descriptor.
  if (shared_.figures.connections + shared_.figures.streams >= shared_.limits.connections_max ||
      (counted && !shared_.addresses.enter(address, shared_.limits.connections_per_address_max))) {
    turn_away(std::move(socket));
  } else {
    ++shared_.figures.connections;
    auto c =
        std::make_shared<connection>(client_socket{std::move(socket), shared_.tls ? shared_.tls->current() : nullptr},
                                     *this, std::move(address), counted);
    c->place = connections_.size();
    connections_.push_back(c);
    c->start();
  }
  accept();
}

void io_thread::turn_away(tcp_socket socket) {
  ++shared_.figures.connections_refused;
  if (shared_.tls)
    return; // a handshake for a refusal would cost more than the connection
  request none;
  std::string bytes;
  append_response(bytes, refuse(errc::too_many_connections, none), http_date(), false, true, false);
  boost::system::error_code ignored;
  socket.non_blocking(true, ignored);
  socket.write_some(asio::buffer(bytes), ignored);
  socket.shutdown(tcp_socket::shutdown_send, ignored);
}

void io_thread::handle(request& r, exchange reply) {
  now_ = std::chrono::steady_clock::now();
  handler_->handle(r, std::move(reply));
}

void io_thread::closed(connection& c) {
  --shared_.figures.connections;
  if (c.counted())
    shared_.addresses.leave(c.peer());
  auto place = c.place;
  connections_[place] = std::move(connections_.back());
  connections_[place]->place = place;
  connections_.pop_back();
}

void io_thread::answered(unsigned status) {
  ++shared_.figures.answers[std::min(status / 100, 5u)];
}

void io_thread::on_tick() {
  now_ = std::chrono::steady_clock::now();
  if (handler_)
    handler_->tick(now_);
  if (++ticks_ % ticks_per_sweep == 0) {
    for (std::size_t i = 0; i < connections_.size();) {
      auto c = connections_[i];
      c->check_deadline(now_);
      if (i < connections_.size() && connections_[i] == c)
        ++i; // it is still here; else another took its place
    }
  }
  tick_.expires_after(tick_every);
  tick_.async_wait([this](const boost::system::error_code& cancelled) {
    if (!cancelled && !stopping_)
      on_tick();
  });
}

} // namespace sluice::http
