#include "http/push_hub.hpp"

#include "http/push_stream.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>

#include <pthread.h>

namespace sluice::http {

namespace {

constexpr std::chrono::milliseconds look_every{100};
constexpr std::size_t slice = 500; // streams looked at in one turn

std::string key_of(event_number event, const std::string& user) {
  return std::to_string(event.value) + '/' + user;
}

} // namespace

push_hub::push_hub(edge& shared, read_models& models) : shared_{shared}, models_{models}, tick_{context_} {
  models_.add_listener(*this);
}

push_hub::~push_hub() {
  stop();
}

void push_hub::start(actors::router& routes, std::atomic<std::uint64_t>& in_flight) {
  requester_ = std::make_unique<requester>(
      context_, routes, requester::limits{shared_.limits.in_flight_max, shared_.limits.answer_timeout}, in_flight);
  thread_ = std::thread{[this] {
    pthread_setname_np(pthread_self(), "push");
    on_tick();
    context_.run();
    streams_.clear();
  }};
}

void push_hub::stop() {
  if (!thread_.joinable())
    return;
  asio::post(context_, [this] {
    stopping_ = true;
    for (auto& s : streams_)
      s->close();
    context_.stop();
  });
  thread_.join();
}

void push_hub::add(bridge& b, const call_ptr& c, maker make) {
  if (shared_.figures.streams.load() >= shared_.limits.streams_max)
    return b.fail(c, errc::overloaded, "too many streams are open; poll instead");
  if (c->req.method == method::head) {
    response r;
    r.content_type = "text/event-stream";
    return b.answer(c, std::move(r));
  }
  auto socket = c->reply.take_over();
  if (!socket)
    return;
  ++shared_.figures.streams;
  // Sockets belong to their thread's context: let go there, take hold here.
  boost::system::error_code failed;
  auto peer = socket->next_layer().remote_endpoint(failed).address();
  auto protocol = socket->next_layer().local_endpoint(failed).protocol();
  bool counted = !failed && !peer.is_loopback();
  auto address = counted ? peer.to_string() : std::string{};
  if (!failed && counted && !shared_.addresses.enter(address, shared_.limits.connections_per_address_max))
    failed = asio::error::no_descriptors;
  std::pair<int, std::shared_ptr<ssl_st>> handle{-1, nullptr};
  if (!failed)
    handle = socket->release(failed);
  if (failed) {
    --shared_.figures.streams;
    return;
  }
  asio::post(context_, [this, protocol, handle, address, make = std::move(make), id = c->request_id] {
    auto stream = make(client_socket::moved_to(context_, protocol, handle.first, handle.second));
    stream->address = address;
    streams_.push_back(stream);
    if (const auto* who = stream->listener()) {
      by_user_.emplace(key_of(who->event, who->user), stream.get());
      reservation_streams_ = by_user_.size();
    }
    stream->begin(id);
    stream->look(std::chrono::steady_clock::now());
  });
}

void push_hub::add_ticket_stream(bridge& b, const call_ptr& c) {
  add(b, c, [this, c](client_socket s) { return std::make_shared<ticket_stream>(*this, std::move(s), c); });
}

void push_hub::add_status_stream(bridge& b, const call_ptr& c) {
  add(b, c, [this, c](client_socket s) { return std::make_shared<status_stream>(*this, std::move(s), c); });
}

void push_hub::add_seats_stream(bridge& b, const call_ptr& c) {
  add(b, c, [this, c](client_socket s) { return std::make_shared<seats_stream>(*this, std::move(s), c); });
}

void push_hub::add_reservation_stream(bridge& b, const call_ptr& c, const reservation_id& id) {
  add(b, c,
      [this, c, id](client_socket s) { return std::make_shared<reservation_stream>(*this, std::move(s), c, id); });
}

void push_hub::changed(const std::shared_ptr<const domain::reservation_update>& update) {
  if (reservation_streams_.load(std::memory_order_acquire) == 0)
    return;
  asio::post(context_, [this, update] {
    auto [first, last] = by_user_.equal_range(key_of(update->event, update->user));
    for (auto at = first; at != last; ++at)
      at->second->changed(*update);
  });
}

void push_hub::forget(const push_stream& s) {
  --shared_.figures.streams;
  if (!s.address.empty())
    shared_.addresses.leave(s.address);
  const auto* who = s.listener();
  if (who == nullptr)
    return;
  auto [first, last] = by_user_.equal_range(key_of(who->event, who->user));
  auto own = std::find_if(first, last, [&](const auto& entry) { return entry.second == &s; });
  if (own != last)
    by_user_.erase(own);
  reservation_streams_ = by_user_.size();
}

void push_hub::on_tick() {
  auto now = std::chrono::steady_clock::now();
  requester_->tick(now);
  std::erase_if(streams_, [&](const auto& s) {
    if (s->over())
      forget(*s);
    return s->over();
  });
  if (!looking_)
    look_at(0);
  tick_.expires_after(look_every);
  tick_.async_wait([this](const boost::system::error_code& cancelled) {
    if (!cancelled && !stopping_)
      on_tick();
  });
}

void push_hub::look_at(std::size_t from) {
  auto now = std::chrono::steady_clock::now();
  auto to = std::min(streams_.size(), from + slice);
  for (auto i = from; i < to; ++i) {
    if (streams_[i]->over() || streams_[i]->is_busy(now, shared_.limits.write_timeout))
      continue; // a slow client is looked at again once it took what it has
    streams_[i]->look(now);
    streams_[i]->keep_alive(now);
  }
  looking_ = to < streams_.size();
  if (looking_)
    asio::post(context_, [this, to] { look_at(to); });
}

} // namespace sluice::http
