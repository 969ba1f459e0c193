// Server-sent events, on a thread of their own: a broadcast to thousands never holds up a request. Streams are looked at in
// slices; a slow client gets the newest event, not all of them.
#pragma once

#include "http/bridge.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace sluice::http {

/// One open stream. Owned by the hub, on the hub's thread.
class push_stream;

class push_hub final : public reservation_listener {
public:
  /// `start_requester` comes later, when the router is there.
  push_hub(edge& shared, read_models& models);
  ~push_hub() override;

  /// Before traffic.
  void start(actors::router& routes, std::atomic<std::uint64_t>& in_flight);
  void stop();

  // Called on a bridge's thread: answers the head, takes the socket over. Too many streams: 503.
  void add_ticket_stream(bridge& b, const call_ptr& c);
  void add_status_stream(bridge& b, const call_ptr& c);
  void add_seats_stream(bridge& b, const call_ptr& c);
  void add_reservation_stream(bridge& b, const call_ptr& c, const reservation_id& id);

  void changed(const std::shared_ptr<const domain::reservation_update>& update) override;

private:
  friend class push_stream;

  using maker = std::function<std::shared_ptr<push_stream>(client_socket)>;

  void add(bridge& b, const call_ptr& c, maker make);
  void forget(const push_stream& s);
  void on_tick();
  void look_at(std::size_t from);

  edge& shared_;
  read_models& models_;
  asio::io_context context_{1};
  asio::steady_timer tick_;
  std::unique_ptr<requester> requester_;
  std::vector<std::shared_ptr<push_stream>> streams_;
  std::unordered_multimap<std::string, push_stream*> by_user_; // those who hear of reservations
  std::atomic<std::size_t> reservation_streams_{0};            // its size
  bool looking_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

} // namespace sluice::http
