#include "sluice-bench/sockets.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace sluice::bench {

namespace {

constexpr std::size_t scratch_bytes = 256 * 1024;
constexpr nanoseconds connect_patience = std::chrono::seconds{10};
constexpr std::size_t connects_at_once = 512; // fewer than a listener's backlog takes

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error{what + ": " + std::strerror(errno)};
}

} // namespace

lane_sockets::lane_sockets(const sockaddr_in& to, std::size_t lanes) : to_{to}, lanes_(lanes), scratch_(scratch_bytes) {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0)
    fail("epoll_create1");
}

lane_sockets::~lane_sockets() {
  for (auto& l : lanes_)
    if (l.fd >= 0)
      close(l.fd);
  close(epoll_);
}

void lane_sockets::connect(lane_number i) {
  auto& l = lanes_[i];
  l.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (l.fd < 0)
    fail("socket");
  int on = 1;
  setsockopt(l.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  l.connecting = ::connect(l.fd, reinterpret_cast<const sockaddr*>(&to_), sizeof(to_)) != 0;
  if (l.connecting && errno != EINPROGRESS)
    fail("connect");
  ++connects_;
  l.listens_for_room = l.connecting;
  epoll_event e{};
  e.events = EPOLLIN | (l.connecting ? EPOLLOUT : 0u);
  e.data.u32 = i;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, l.fd, &e) != 0)
    fail("epoll_ctl");
}

void lane_sockets::connect_all(socket_listener& to) {
  auto give_up_at = clock::now() + connect_patience;
  for (std::size_t from = 0; from < lanes_.size(); from += connects_at_once) {
    auto end = std::min(lanes_.size(), from + connects_at_once);
    for (auto i = from; i < end; ++i)
      connect(static_cast<lane_number>(i));
    auto connecting = [&] {
      return std::any_of(lanes_.begin() + static_cast<std::ptrdiff_t>(from),
                         lanes_.begin() + static_cast<std::ptrdiff_t>(end), [](const lane& l) { return l.connecting; });
    };
    while (connecting() && clock::now() < give_up_at)
      serve(std::chrono::milliseconds{10}, to);
  }
}

void lane_sockets::disconnect(lane_number i) {
  auto& l = lanes_[i];
  if (l.fd >= 0)
    close(l.fd);
  l.fd = -1;
  l.in.clear();
  l.in_wanted = 0;
  l.out.clear();
  l.connecting = false;
}

void lane_sockets::send(lane_number i, std::string_view bytes) {
  auto& l = lanes_[i];
  if (l.fd < 0)
    connect(i);
  if (l.connecting) {
    l.out = bytes;
    return;
  }
  auto done = ::send(l.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (done == static_cast<ssize_t>(bytes.size()))
    return;
  if (done < 0 && errno != EAGAIN)
    return; // closed since the last answer: reading will tell
  l.out = bytes.substr(done < 0 ? 0 : static_cast<std::size_t>(done));
  listen_for_room(i, true);
}

void lane_sockets::listen_for_room(lane_number i, bool on) {
  auto& l = lanes_[i];
  if (l.listens_for_room == on)
    return;
  l.listens_for_room = on;
  epoll_event e{};
  e.events = EPOLLIN | (on ? EPOLLOUT : 0u);
  e.data.u32 = i;
  epoll_ctl(epoll_, EPOLL_CTL_MOD, l.fd, &e);
}

void lane_sockets::on_room(lane_number i, socket_listener& to) {
  auto& l = lanes_[i];
  if (l.connecting) {
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(l.fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0)
      return lose(i, clock::now(), to);
    l.connecting = false;
  }
  if (!l.out.empty()) {
    auto done = ::send(l.fd, l.out.data(), l.out.size(), MSG_NOSIGNAL);
    if (done < 0 && errno != EAGAIN)
      return lose(i, clock::now(), to);
    l.out.erase(0, done < 0 ? 0 : static_cast<std::size_t>(done));
  }
  if (l.out.empty())
    listen_for_room(i, false);
}

void lane_sockets::on_input(lane_number i, socket_listener& to) {
  auto& l = lanes_[i];
  auto size = recv(l.fd, scratch_.data(), scratch_.size(), 0);
  if (size < 0 && errno == EAGAIN)
    return;
  auto now = clock::now();
  if (size <= 0)
    return lose(i, now, to);
  std::string_view bytes{scratch_.data(), static_cast<std::size_t>(size)};
  if (!l.in.empty()) {
    l.in += bytes;
    if (l.in.size() < l.in_wanted)
      return;
    bytes = l.in;
  }
  answer a;
  auto read = read_answer(bytes, a);
  if (read == reading::more) {
    if (l.in.empty())
      l.in = bytes;
    l.in_wanted = a.size;
    return;
  }
  if (read == reading::nonsense)
    return lose(i, now, to);
  // `a` may point into the lane's buffer, which must live until it has been read; the lane itself takes the next
  // request.
  std::string kept;
  kept.swap(l.in);
  l.in_wanted = 0;
  if (a.closes)
    disconnect(i);
  to.answered(i, a, now);
}

void lane_sockets::lose(lane_number i, time_point now, socket_listener& to) {
  disconnect(i);
  to.lost(i, now);
}

void lane_sockets::serve(nanoseconds pause, socket_listener& to) {
  timespec limit{static_cast<time_t>(pause.count() / 1'000'000'000), static_cast<long>(pause.count() % 1'000'000'000)};
  auto count = epoll_pwait2(epoll_, events_.data(), static_cast<int>(events_.size()), &limit, nullptr);
  for (int n = 0; n < count; ++n) {
    const auto& e = events_[static_cast<std::size_t>(n)];
    auto i = e.data.u32;
    if ((e.events & EPOLLOUT) != 0 && lanes_[i].fd >= 0)
      on_room(i, to);
    if ((e.events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0 && lanes_[i].fd >= 0)
      on_input(i, to);
  }
}

} // namespace sluice::bench
