// The connections of one engine: non-blocking, kept alive, on one epoll instance. Knows bytes and whole answers, and
// nothing of what they are for.
#pragma once

#include "sluice-bench/answer.hpp"
#include "sluice-bench/schedule.hpp"
#include "sluice-bench/workload.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <netinet/in.h>
#include <sys/epoll.h>

namespace sluice::bench {

/// Hears what comes in.
class socket_listener {
public:
  virtual ~socket_listener() = default;
  /// `a` is valid during the call; if the server ends the connection with it, that is closed already.
  virtual void answered(lane_number lane, const answer& a, time_point now) = 0;
  /// The connection is gone.
  virtual void lost(lane_number lane, time_point now) = 0;
};

class lane_sockets {
public:
  lane_sockets(const sockaddr_in& to, std::size_t lanes);
  ~lane_sockets();
  lane_sockets(const lane_sockets&) = delete;
  lane_sockets& operator=(const lane_sockets&) = delete;

  /// Opens them all, so that nobody's latency includes it and no backlog overflows.
  void connect_all(socket_listener& to);
  void disconnect(lane_number i);
  /// Connects if need be; what finds no room is sent later.
  void send(lane_number i, std::string_view bytes);
  /// Waits for something to come in, at most that long, and hands it on.
  void serve(nanoseconds pause, socket_listener& to);

  std::uint64_t connects() const { return connects_; }

private:
  struct lane {
    int fd = -1;
    bool connecting = false;
    bool listens_for_room = false; // EPOLLOUT is on
    std::string out;               // what the socket had no room for yet
    std::string in;                // the beginning of an answer
    std::size_t in_wanted = 0;
  };

  void connect(lane_number i);
  void listen_for_room(lane_number i, bool on);
  void on_room(lane_number i, socket_listener& to);
  void on_input(lane_number i, socket_listener& to);
  void lose(lane_number i, time_point now, socket_listener& to);

  sockaddr_in to_;
  int epoll_ = -1;
  std::vector<lane> lanes_;
  std::vector<char> scratch_;
  std::array<epoll_event, 512> events_{};
  std::uint64_t connects_ = 0;
};

} // namespace sluice::bench
