// The line a node dialled: it sends on it, and hears only answers to its pings.
#pragma once

#include "cluster/link/links.hpp"

#include <deque>

namespace sluice::link {

/// Dials until it is told to stop; once open, sends what it is given, in envelopes. `send` from any thread, the rest on the
/// links' thread.
class links::outgoing : public std::enable_shared_from_this<links::outgoing> {
public:
  outgoing(links& owner, peer to);

  void start();
  /// For good.
  void stop();
  void reset(const char* why);
  bool send(std::string_view item, std::size_t queue_max);

  bool is_open() const { return open_; }

  const peer& to() const { return to_; }

  bool reads_packed() const { return reads_packed_; }

  std::size_t queued() const { return queued_; }

private:
  void dial();
  void connect(const tcp::resolver::results_type& where);
  void greet();
  void take_welcome(const std::string& body);
  void opened(std::uint64_t incarnation);
  void listen_for_pongs();
  void ping();
  void flush();
  void failed(const std::string& why);

  links& owner_;
  peer to_;
  asio::steady_timer timer_;
  tcp::resolver resolver_;
  std::shared_ptr<channel> channel_;
  bool stopped_ = false;
  std::atomic<bool> open_{false};
  std::atomic<bool> reads_packed_{false};
  std::string said_; // the last reason it failed: said once
  std::uint64_t peer_incarnation_ = 0;
  std::chrono::steady_clock::time_point heard_{};
  std::string hello_;
  std::string sending_;
  bool writing_ = false;

  std::mutex lock_;
  std::deque<std::string> pending_{1}; // envelopes being filled, the last one; never empty
  bool flush_posted_ = false;
  std::atomic<std::size_t> queued_{0};
};

} // namespace sluice::link
