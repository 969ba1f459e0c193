#include "sluice-bench/plain_client.hpp"

#include <stdexcept>
#include <thread>

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace sluice::bench {

codec::document plain_answer::json() const {
  codec::json_limits generous;
  generous.values_max = 20'000'000;
  auto parsed = codec::parse_json(body, generous);
  if (!parsed)
    throw std::runtime_error{"the answer is not JSON: " + body.substr(0, 200)};
  return std::move(*parsed);
}

std::string plain_answer::text(std::string_view field) const {
  auto all = json();
  const auto* found = all.find(field);
  return found ? found->text : std::string{};
}

plain_client::plain_client(target to, std::chrono::milliseconds timeout) : to_{std::move(to)}, timeout_{timeout} {}

plain_client::~plain_client() {
  close();
}

void plain_client::close() {
  if (fd_ >= 0)
    ::close(fd_);
  fd_ = -1;
  in_.clear();
}

bool plain_client::open() {
  if (fd_ >= 0)
    return true;
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  timeval limit{static_cast<time_t>(timeout_.count() / 1000), static_cast<suseconds_t>(timeout_.count() % 1000 * 1000)};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (connect(fd_, reinterpret_cast<const sockaddr*>(&to_.at), sizeof(to_.at)) == 0)
    return true;
  close();
  return false;
}

bool plain_client::send_all(std::string_view bytes) {
  while (!bytes.empty()) {
    auto done = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (done <= 0)
      return false;
    bytes.remove_prefix(static_cast<std::size_t>(done));
  }
  return true;
}

plain_answer plain_client::call(std::string_view method, std::string_view path, std::string_view body,
                                std::string_view fields) {
  std::string request{method};
  request += ' ';
  request += path;
  request += " HTTP/1.1\r\nHost: " + to_.host + "\r\n";
  if (!key_.empty())
    request += "Authorization: Bearer " + key_ + "\r\n";
  if (!body.empty())
    request += "Content-Type: application/json\r\n";
  if (!body.empty() || method != "GET")
    request += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  request += fields;
  request += "\r\n";
  request += body;
  // An idle connection may have been closed meanwhile: then once more on a new one.
  for (int attempt = fd_ >= 0 ? 0 : 1; attempt < 2; ++attempt) {
    if (!open())
      return {};
    in_.clear();
    bool sent = send_all(request);
    answer a;
    char piece[64 * 1024];
    while (sent) {
      auto size = recv(fd_, piece, sizeof(piece), 0);
      if (size <= 0)
        break;
      in_.append(piece, static_cast<std::size_t>(size));
      auto read = read_answer(in_, a);
      if (read == reading::nonsense)
        break;
      if (read == reading::more)
        continue;
      plain_answer given{a.status, std::string{a.head}, std::string{a.body}};
      if (a.closes)
        close();
      return given;
    }
    bool nothing_came = in_.empty();
    close();
    if (!nothing_came)
      break;
  }
  return {};
}

plain_answer plain_client::must(std::string_view method, std::string_view path, std::string_view body,
                                std::string_view fields) {
  auto given = call(method, path, body, fields);
  if (given.status == 0 || given.status >= 300)
    throw std::runtime_error{std::string{method} + " " + std::string{path} + " was answered " +
                             std::to_string(given.status) + " " + given.body.substr(0, 500)};
  return given;
}

std::string plain_client::raw(std::string_view bytes) {
  std::string all;
  if (!open() || !send_all(bytes))
    return all;
  char piece[16 * 1024];
  for (;;) {
    auto size = recv(fd_, piece, sizeof(piece), 0);
    if (size <= 0)
      break;
    all.append(piece, static_cast<std::size_t>(size));
  }
  close();
  return all;
}

bool wait_until_up(const target& to, std::string_view path, std::chrono::milliseconds patience) {
  auto until = clock::now() + patience;
  while (clock::now() < until) {
    if (plain_client{to, std::chrono::seconds{2}}.get(path).status == 200)
      return true;
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  }
  return false;
}

} // namespace sluice::bench
