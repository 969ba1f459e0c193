#include "cluster/link/outgoing.hpp"

#include "sluice/peer.pb.h"

#include <spdlog/spdlog.h>

namespace sluice::link {

namespace {

/// The other end answers whole envelopes: on a slow line a larger one would take longer than silence is borne.
constexpr std::size_t envelope_enough = 1024 * 1024;

} // namespace

links::outgoing::outgoing(links& owner, peer to)
    : owner_{owner}, to_{std::move(to)}, timer_{owner.context_}, resolver_{owner.context_} {}

void links::outgoing::start() {
  dial();
}

void links::outgoing::stop() {
  stopped_ = true;
  timer_.cancel();
  resolver_.cancel();
  if (open_.exchange(false))
    --owner_.open_lines_;
  if (channel_)
    channel_->close();
}

void links::outgoing::reset(const char* why) {
  if (channel_ && !stopped_)
    failed(why);
}

// ---- dialling --------------------------------------------------------------------------------------------------------

void links::outgoing::dial() {
  if (stopped_)
    return;
  auto colon = to_.address.rfind(':');
  if (colon == std::string::npos)
    return failed("its address '" + to_.address + "' is not host:port");
  resolver_.async_resolve(to_.address.substr(0, colon), to_.address.substr(colon + 1),
                          [self = shared_from_this()](const error_code& e, const tcp::resolver::results_type& where) {
                            if (self->stopped_)
                              return;
                            if (e)
                              return self->failed("can not find " + self->to_.address + ": " + e.message());
                            self->connect(where);
                          });
}

void links::outgoing::connect(const tcp::resolver::results_type& where) {
  channel_ = std::make_shared<channel>(tcp::socket{owner_.context_}, owner_.tls_);
  auto line = channel_;
  // A host that is down answers nothing: give up by ourselves.
  timer_.expires_after(owner_.options_.silent_max);
  timer_.async_wait([line](const error_code& e) {
    if (!e)
      line->close();
  });
  asio::async_connect(line->socket(), where, [self = shared_from_this(), line](const error_code& e, const auto&) {
    if (self->channel_ != line || self->stopped_)
      return;
    if (e)
      return self->failed("can not reach " + self->to_.address + ": " + e.message());
    line->handshake(true, [self, line](const error_code& failed) {
      if (self->channel_ != line || self->stopped_)
        return;
      if (failed)
        return self->failed("the TLS handshake with " + self->to_.address + " failed: " + failed.message());
      self->greet();
    });
  });
}

void links::outgoing::greet() {
  auto certified = channel_->peer_name();
  if (owner_.tls_ && certified != to_.name)
    return failed(to_.address + " has the certificate of '" + certified + "', not of '" + to_.name + "'");
  {
    std::lock_guard lock{owner_.lock_};
    const auto& self = owner_.self_;
    proto::Hello hello;
    hello.set_protocol(1);
    hello.set_cluster(self.cluster);
    hello.set_epoch(self.epoch);
    hello.set_node(self.node.value);
    hello.set_name(self.name);
    hello.set_disk(self.disk);
    hello.set_incarnation(self.incarnation);
    hello.set_to(to_.node.value);
    hello_ = hello.SerializeAsString();
  }
  auto line = channel_;
  line->write(hello_, [self = shared_from_this(), line](const error_code& e) {
    if (self->channel_ != line || self->stopped_)
      return;
    if (e)
      return self->failed("it closed the line: " + e.message());
    line->read(greeting_max, [self, line](const error_code& failed, const std::string& body) {
      if (self->channel_ != line || self->stopped_)
        return;
      if (failed)
        return self->failed("it did not answer: " + failed.message());
      self->take_welcome(body);
    });
  });
}

void links::outgoing::take_welcome(const std::string& body) {
  proto::Welcome welcome;
  if (!welcome.ParseFromString(body))
    return failed("it does not speak our language");
  if (!welcome.refused().empty())
    return failed("it refuses us: " + welcome.refused());
  // One whose disk was replaced takes us for its own; what it would hear from us it could not answer.
  if (welcome.disk() != to_.disk)
    return failed(to_.address + " has another disk than '" + to_.name +
                  "' has today: a folder that was replaced must not "
                  "be started again");
  reads_packed_ = welcome.reads_packed();
  opened(welcome.incarnation());
}

void links::outgoing::opened(std::uint64_t incarnation) {
  peer_incarnation_ = incarnation;
  heard_ = std::chrono::steady_clock::now();
  said_.clear();
  {
    std::lock_guard lock{lock_};
    pending_.assign(1, {});
    queued_ = 0;
    open_ = true;
  }
  ++owner_.open_lines_;
  spdlog::info("peer.opened node={} name={} address={}", to_.node.value, to_.name, to_.address);
  listen_for_pongs();
  ping();
  owner_.hears_.opened(to_.node);
}

// ---- open ------------------------------------------------------------------------------------------------------------

void links::outgoing::listen_for_pongs() {
  auto line = channel_;
  line->read(greeting_max, [self = shared_from_this(), line](const error_code& e, const std::string&) {
    if (self->channel_ != line || self->stopped_)
      return;
    if (e)
      return self->failed("the line broke: " + e.message());
    self->heard_ = std::chrono::steady_clock::now();
    self->listen_for_pongs();
  });
}

void links::outgoing::ping() {
  if (std::chrono::steady_clock::now() - heard_ > owner_.options_.silent_max)
    return failed("it is silent");
  proto::PeerItem item;
  item.mutable_ping()->set_number(1);
  send(item.SerializeAsString(), ~std::size_t{0});
  timer_.expires_after(owner_.options_.ping_every);
  timer_.async_wait([self = shared_from_this(), line = channel_](const error_code& e) {
    if (!e && self->channel_ == line && !self->stopped_)
      self->ping();
  });
}

bool links::outgoing::send(std::string_view item, std::size_t queue_max) {
  bool post = false;
  {
    std::lock_guard lock{lock_};
    if (!open_ || queued_ + item.size() > queue_max)
      return false;
    if (pending_.back().size() >= envelope_enough)
      pending_.emplace_back();
    auto before = pending_.back().size();
    append_item(pending_.back(), item);
    queued_ += pending_.back().size() - before;
    post = !std::exchange(flush_posted_, true);
  }
  if (post)
    asio::post(owner_.context_, [self = shared_from_this()] { self->flush(); });
  return true;
}

/// One envelope at a time; what comes meanwhile goes into the next.
void links::outgoing::flush() {
  {
    std::lock_guard lock{lock_};
    flush_posted_ = false;
    if (writing_ || !open_ || stopped_ || pending_.front().empty())
      return;
    sending_.clear();
    sending_.swap(pending_.front());
    if (pending_.size() > 1)
      pending_.pop_front();
  }
  writing_ = true;
  auto line = channel_;
  line->write(sending_, [self = shared_from_this(), line](const error_code& e) {
    if (self->channel_ != line || self->stopped_)
      return;
    self->writing_ = false;
    if (e)
      return self->failed("the line broke: " + e.message());
    self->owner_.bytes_sent_ += self->sending_.size();
    ++self->owner_.envelopes_sent_;
    {
      std::lock_guard lock{self->lock_};
      self->queued_ -= self->sending_.size();
    }
    self->flush();
  });
}

void links::outgoing::failed(const std::string& why) {
  bool was_open = false;
  {
    std::lock_guard lock{lock_};
    was_open = open_.exchange(false);
    pending_.assign(1, {});
    queued_ = 0;
  }
  owner_.open_lines_ -= was_open ? 1 : 0;
  writing_ = false;
  if (channel_)
    channel_->close();
  channel_.reset();
  if (stopped_)
    return;
  if (was_open || why != said_)
    spdlog::log(was_open ? spdlog::level::warn : spdlog::level::info,
                "peer.lost node={} name={} why={}; dialled again until it answers: does it run, and can it be reached?",
                to_.node.value, to_.name, why);
  said_ = why;
  if (was_open) {
    ++owner_.lines_lost_;
    owner_.hears_.lost(to_.node);
  }
  timer_.expires_after(owner_.options_.dial_again);
  timer_.async_wait([self = shared_from_this()](const error_code& e) {
    if (!e)
      self->dial();
  });
}

} // namespace sluice::link
