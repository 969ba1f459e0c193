// A tiny HTTP server that answers everything with 200, and stands still once.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace sluice::bench {

class stalling_server {
public:
  using milliseconds = std::chrono::milliseconds;

  /// Stands still for `length` once `after` has passed since the first request. With `break_every` each n-th request
  /// ends its connection instead of being answered.
  stalling_server(milliseconds after, milliseconds length, unsigned break_every = 0)
      : after_{after}, length_{length}, break_every_{break_every} {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(at);
    bind(listener_, reinterpret_cast<sockaddr*>(&at), size);
    listen(listener_, 64);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size);
    port_ = ntohs(at.sin_port);
    wake_ = eventfd(0, 0);
    thread_ = std::thread{[this] { serve(); }};
  }

  ~stalling_server() {
    eventfd_write(wake_, 1);
    thread_.join();
    for (const auto& [fd, in] : connections_)
      close(fd);
    close(listener_);
    close(wake_);
  }

  stalling_server(const stalling_server&) = delete;
  stalling_server& operator=(const stalling_server&) = delete;

  std::uint16_t port() const { return port_; }

private:
  void serve() {
    for (;;) {
      std::vector<pollfd> fds{{wake_, POLLIN, 0}, {listener_, POLLIN, 0}};
      for (const auto& [fd, in] : connections_)
        fds.push_back({fd, POLLIN, 0});
      poll(fds.data(), fds.size(), -1);
      if (fds[0].revents != 0)
        return;
      if (fds[1].revents != 0)
        connections_.emplace(accept(listener_, nullptr, nullptr), std::string{});
      for (std::size_t i = 2; i < fds.size(); ++i)
        if (fds[i].revents != 0)
          take(fds[i].fd);
    }
  }

  void take(int fd) {
    char piece[4096];
    auto size = recv(fd, piece, sizeof(piece), 0);
    if (size <= 0)
      return drop(fd);
    auto& in = connections_[fd];
    in.append(piece, static_cast<std::size_t>(size));
    for (auto end = in.find("\r\n\r\n"); end != std::string::npos; end = in.find("\r\n\r\n")) {
      in.erase(0, end + 4);
      if (++requests_ == 1)
        began_ = std::chrono::steady_clock::now();
      if (length_.count() > 0 && !stalled_ && std::chrono::steady_clock::now() - began_ >= after_) {
        stalled_ = true;
        std::this_thread::sleep_for(length_);
      }
      if (break_every_ != 0 && requests_ % break_every_ == 0)
        return drop(fd);
      constexpr std::string_view ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
      send(fd, ok.data(), ok.size(), MSG_NOSIGNAL);
    }
  }

  void drop(int fd) {
    close(fd);
    connections_.erase(fd);
  }

  milliseconds after_;
  milliseconds length_;
  unsigned break_every_;
  int listener_ = -1;
  int wake_ = -1;
  std::uint16_t port_ = 0;
  std::map<int, std::string> connections_;
  unsigned requests_ = 0;
  bool stalled_ = false;
  std::chrono::steady_clock::time_point began_{};
  std::thread thread_;
};

} // namespace sluice::bench
