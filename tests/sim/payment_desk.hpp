// The desk of one node: carries charges to the provider with bounded tries, inquires whenever an outcome is unknown, and
// waits out the earlier call before it cancels. Knows nothing after a crash; open charges then come again.
#pragma once

#include "node_clock.hpp"
#include "scene.hpp"
#include "sim_provider.hpp"

#include "core/entity.hpp"
#include "domain/effects.hpp"

#include <deque>
#include <functional>
#include <map>

namespace sluice::simulation {

/// Owned by one life of a node.
class payment_desk {
public:
  using settle = std::function<void(const entity_ref& session, const domain::charge_settled&)>;

  payment_desk(scene& run, node_clock& clock, sim_provider& provider, settle report)
      : run_{run}, clock_{clock}, provider_{provider}, report_{std::move(report)} {}

  void start(partition_id partition, const entity_ref& session, const domain::charge& c);
  /// Another node leads the partition.
  void leave(partition_id partition);
  /// The event is about to live in another partition.
  void leave(partition_id partition, event_number event);

private:
  static constexpr micros call_deadline = 1'500 * ms;
  static constexpr std::uint32_t tries_max = 3;

  struct job {
    partition_id partition;
    entity_ref session;
    domain::charge what;
    std::uint64_t number = 0;
    std::uint32_t tries = 0;
    bool calling = false;
    bool left = false; // nothing is tried again
  };

  template <class Which>
  void leave_if(Which which);
  void begin(const reservation_id& id);
  void later(micros wait, const reservation_id& id, bool inquire);
  void call(const reservation_id& id, bool inquire);
  void on_answer(const reservation_id& id, bool inquiry, provider_answer a);
  void finish(const reservation_id& id, domain::charge_outcome outcome);
  void next(const reservation_id& id);

  scene& run_;
  node_clock& clock_;
  sim_provider& provider_;
  settle report_;
  std::uint64_t last_ = 0;                          // job number
  std::map<reservation_id, std::deque<job>> lines_; // steps of one reservation run one after the other
};

} // namespace sluice::simulation
