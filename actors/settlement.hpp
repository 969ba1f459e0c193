// Brings what the provider said into the log: proposed until it is answered, so that no outcome is lost to a full queue or a
// leader on the move.
#pragma once

#include "actors/messages.hpp"
#include "actors/payment_desk.hpp"
#include "actors/router.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

namespace sluice::actors {

/// Thread-safe.
class settlement final : public answer_port {
public:
  explicit settlement(router& routes) : routes_{routes}, port_{routes.add_port(*this)} {}

  /// Where refused ones go to be tried again. Before any charge; empty again before the desk ends.
  void attach(payment_desk_actor desk);

  void propose(partition::proposal p);

  /// Proposes again what may be lost because the leader changed. To be called several times a second.
  void tick();

  void take(std::vector<partition::answer_out> answers, std::vector<partition::refusal_out> refusals) override;

private:
  router& routes_;
  std::uint8_t port_;
  std::mutex lock_;
  payment_desk_actor desk_;
  std::uint64_t next_ = 1;

  struct proposed {
    partition::proposal what;
    std::pair<partition_id, std::uint64_t> way; // where it was sent, and the router's way there at that time
  };

  void send(partition_id to, partition::proposal p);

  std::map<std::uint64_t, proposed> under_way_;
};

} // namespace sluice::actors
