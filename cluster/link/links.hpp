// A node's lines to the other nodes of its cluster. Each node dials every other one and sends on the line it dialled; what it
// hears comes on the lines others dialled. So a line has one direction and one end that looks after it.
#pragma once

#include "cluster/link/channel.hpp"
#include "core/ids.hpp"

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace sluice::proto {
class Hello;
class Welcome;
} // namespace sluice::proto

namespace sluice::link {

/// Who may be talked to.
struct peer {
  node_id node;
  std::string name;    // as in its certificate
  std::string address; // host:port
  std::uint64_t disk = 0;

  friend bool operator==(const peer&, const peer&) = default;
};

/// Who we are.
struct self {
  node_id node;
  std::string name;
  std::uint64_t disk = 0;
  std::uint64_t incarnation = 0; // of this process
  std::string cluster;           // empty until it is founded: nobody is let in before
  std::uint32_t epoch = 0;
};

/// Called on the links' thread; must not block.
class listener {
public:
  virtual ~listener() = default;
  /// An envelope of a peer, in the order it was sent.
  virtual void received(node_id from, std::uint64_t incarnation, const std::string& envelope) = 0;
  /// Our line to it is open. Whatever was lost before has to be said again.
  virtual void opened(node_id to) = 0;
  /// Its line to us is new. Whatever it said between its last one and this may be lost.
  virtual void renewed(node_id from) = 0;
  /// Its process ended, or nothing comes through. Told once per loss of either line.
  virtual void lost(node_id node) = 0;
  /// A node asks to be let into the cluster. `name` is what its certificate says, empty without TLS. Answer from any thread:
  /// a Joined, or why not.
  using on_joined = std::function<void(std::string joined, std::string refused)>;
  virtual void asked_to_join(const std::string& name, const std::string& request, on_joined done) = 0;
};

struct settings {
  std::string listen; // host:port; port 0 takes any free one
  tls_files tls;
  std::size_t queue_max = 24 * 1024 * 1024; // bytes waiting for one peer, beyond which `send` refuses
  // Beyond which a line is given up that can not take what it must not lose.
  std::size_t must_queue_max = 48 * 1024 * 1024;
  std::chrono::milliseconds ping_every{200};
  std::chrono::milliseconds silent_max{1'000}; // without an answer: the line is dead
  std::chrono::milliseconds dial_again{100};
};

struct figures {
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t envelopes_sent = 0;
  std::uint64_t envelopes_received = 0;
  std::uint64_t refused = 0; // items `send` did not take
  std::uint64_t lines_lost = 0;
  std::uint64_t queued = 0; // bytes, now
};

/// `send` and `set_*` from any thread, the rest as said. Stops its thread in the destructor.
class links {
public:
  /// Throws std::runtime_error when it can not listen or a certificate does not fit.
  links(settings options, listener& hears);
  ~links();
  links(const links&) = delete;
  links& operator=(const links&) = delete;

  std::uint16_t port() const { return port_; }

  void start();
  void stop();

  void set_self(const self& who);
  /// Lines to nodes no longer named are closed; new ones are dialled.
  void set_peers(std::vector<peer> peers);

  /// Hands an item over, encoded; false: there is no line, or too much waits for it. Items to one node keep their order.
  bool send(node_id to, std::string_view item);
  /// For what the other end must not miss: if it can not be taken, the line is closed, and `opened` comes again.
  void send_or_break(node_id to, std::string_view item);
  /// To every node whose line is open, as `send_or_break`.
  void send_to_all(std::string_view item);

  bool is_open(node_id to) const;
  /// Its process understands packed items; false without a line.
  bool reads_packed(node_id to) const;

  bool any_open() const { return open_lines_ > 0; }

  figures count() const;

private:
  class outgoing;
  class incoming;

  std::shared_ptr<outgoing> line_to(node_id to) const;
  void accept();
  std::string refuse(const proto::Hello& hello, const std::string& certified) const;

  /// How long one that dials again and again was refused, and when that was told.
  struct refusals {
    std::chrono::steady_clock::time_point first;
    std::chrono::steady_clock::time_point told;
  };

  void tell_refused(std::uint32_t node, const std::string& name, const std::string& why);
  void heard_from(node_id node, const std::shared_ptr<incoming>& line);
  void gone(node_id node, const incoming* line);

  settings options_;
  listener& hears_;
  std::shared_ptr<asio::ssl::context> tls_;
  asio::io_context context_{1};
  tcp::acceptor acceptor_{context_};
  asio::steady_timer accept_again_{context_};
  std::uint16_t port_ = 0;
  std::thread thread_;
  std::atomic<bool> stopping_{false};

  mutable std::mutex lock_;
  self self_;
  std::vector<peer> peers_;
  std::map<node_id, std::shared_ptr<outgoing>> out_;

  std::map<node_id, std::shared_ptr<incoming>> in_;  // links' thread only
  std::set<std::shared_ptr<incoming>> greeting_;     // links' thread only
  std::map<std::uint32_t, refusals> refused_lately_; // by node number; links' thread only

  mutable std::atomic<std::uint64_t> bytes_sent_{0};
  std::atomic<std::uint64_t> bytes_received_{0};
  std::atomic<std::uint64_t> envelopes_sent_{0};
  std::atomic<std::uint64_t> envelopes_received_{0};
  std::atomic<std::uint64_t> refused_{0};
  std::atomic<std::uint64_t> lines_lost_{0};
  std::atomic<int> open_lines_{0};
};

/// Asks the node at `address` to let us in; blocks for at most `patience`. Returns a Joined; throws std::runtime_error that
/// says why not.
std::string ask_to_join(const std::string& address, const tls_files& tls, const std::string& hello,
                        std::chrono::milliseconds patience);

/// host:port as an endpoint; throws std::runtime_error.
tcp::endpoint endpoint_from(const std::string& text);

} // namespace sluice::link
