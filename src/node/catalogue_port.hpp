// The node's own commands to the catalogue: proposed until they are answered.
#pragma once

#include "actors/messages.hpp"
#include "actors/router.hpp"
#include "domain/messages.hpp"
#include "domain/replies.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <optional>

namespace sluice::node {

/// Thread-safe. `done` is called once, from any thread: the reply, or nothing if there was none in time.
class catalogue_port final : public actors::answer_port {
public:
  using on_reply = std::function<void(std::optional<domain::reply>)>;

  explicit catalogue_port(actors::router& routes) : routes_{routes}, port_{routes.add_port(*this)} {}

  void propose(const domain::message& command, std::chrono::milliseconds patience, on_reply done);
  /// Tries again what was refused or may be lost, and gives up what took too long. To be called several times a second.
  void tick();

  void take(std::vector<partition::answer_out> answers, std::vector<partition::refusal_out> refusals) override;

private:
  using clock = std::chrono::steady_clock;

  struct waiting {
    std::string body;
    on_reply done;
    clock::time_point until;
    std::uint64_t way = 0;
    bool refused = false;
  };

  void send(std::uint64_t number, const std::string& body);

  actors::router& routes_;
  std::uint8_t port_;
  std::mutex lock_;
  std::uint64_t next_ = 1;
  std::map<std::uint64_t, waiting> waiting_;
};

} // namespace sluice::node
