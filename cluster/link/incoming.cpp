#include "cluster/link/incoming.hpp"

#include "sluice/peer.pb.h"

#include <spdlog/spdlog.h>

namespace sluice::link {

namespace {

constexpr std::chrono::seconds greeting_patience{5};
constexpr std::chrono::seconds silence{5}; // pings come five times a second

} // namespace

links::incoming::incoming(links& owner, tcp::socket socket)
    : owner_{owner}, channel_{std::move(socket), owner.tls_}, patience_{owner.context_} {}

void links::incoming::start() {
  patience_.expires_after(greeting_patience);
  patience_.async_wait([self = shared_from_this()](const error_code& e) {
    if (!e && !self->from_)
      self->close();
  });
  channel_.handshake(false, [self = shared_from_this()](const error_code& e) {
    if (e || self->closed_)
      return self->close();
    self->channel_.read(greeting_max, [self](const error_code& failed, const std::string& body) {
      if (failed || self->closed_)
        return self->close();
      self->take_hello(body);
    });
  });
}

void links::incoming::close() {
  if (std::exchange(closed_, true))
    return;
  patience_.cancel();
  channel_.close();
  owner_.greeting_.erase(shared_from_this());
  if (from_)
    owner_.gone(from_, this);
}

void links::incoming::take_hello(const std::string& body) {
  proto::Hello hello;
  if (!hello.ParseFromString(body))
    return close();
  if (!hello.join().empty())
    return let_in(channel_.peer_name(), hello.join());
  proto::Welcome welcome;
  auto why = owner_.refuse(hello, channel_.peer_name());
  if (!why.empty()) {
    owner_.tell_refused(hello.node(), hello.name(), why);
    welcome.set_refused(why);
    return answer(welcome.SerializeAsString(), false);
  }
  from_ = {hello.node()};
  incarnation_ = hello.incarnation();
  {
    std::lock_guard lock{owner_.lock_};
    welcome.set_incarnation(owner_.self_.incarnation);
    welcome.set_disk(owner_.self_.disk);
    welcome.set_reads_packed(true);
  }
  owner_.heard_from(from_, shared_from_this());
  answer(welcome.SerializeAsString(), true);
}

void links::incoming::let_in(const std::string& name, const std::string& request) {
  patience_.expires_after(std::chrono::seconds{30});
  owner_.hears_.asked_to_join(name, request, [self = shared_from_this()](std::string joined, std::string refused) {
    asio::post(self->owner_.context_, [self, joined = std::move(joined), refused = std::move(refused)] {
      if (self->closed_)
        return;
      proto::Welcome welcome;
      welcome.set_joined(joined);
      welcome.set_refused(refused);
      self->answer(welcome.SerializeAsString(), false);
    });
  });
}

void links::incoming::answer(std::string welcome, bool stay) {
  answer_ = std::move(welcome);
  channel_.write(answer_, [self = shared_from_this(), stay](const error_code& e) {
    if (e || !stay || self->closed_)
      return self->close();
    self->listen();
  });
}

void links::incoming::listen() {
  patience_.expires_after(silence);
  patience_.async_wait([self = shared_from_this()](const error_code& e) {
    if (!e)
      self->close();
  });
  channel_.read(frame_max, [self = shared_from_this()](const error_code& e, const std::string& envelope) {
    if (e || self->closed_)
      return self->close();
    self->take(envelope);
    if (!self->closed_)
      self->listen();
  });
}

void links::incoming::take(const std::string& envelope) {
  owner_.bytes_received_ += envelope.size();
  ++owner_.envelopes_received_;
  owner_.hears_.received(from_, incarnation_, envelope);
  pong();
}

/// Every envelope is answered with an empty frame, but never two at a time: it says that this process lives.
void links::incoming::pong() {
  if (writing_)
    return;
  writing_ = true;
  answer_.clear();
  channel_.write(answer_, [self = shared_from_this()](const error_code& e) {
    self->writing_ = false;
    if (e)
      self->close();
  });
}

} // namespace sluice::link
