// Carries charges to the payment provider: bounded tries, and an inquiry whenever an outcome is unknown. Never guesses.
#pragma once

#include "actors/local_router.hpp"
#include "actors/messages.hpp"
#include "actors/provider_port.hpp"
#include "domain/effects.hpp"

#include <caf/all.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <vector>

namespace sluice::actors {

struct desk_settings {
  std::chrono::milliseconds call_deadline{3'000};
  std::chrono::milliseconds first_backoff{100}; // doubles with each try
  std::chrono::milliseconds last_backoff{2'000};
  std::uint32_t tries_max = 4;     // of a step, unanswered inquiries too, before its outcome is reported as unknown
  std::size_t under_way_max = 512; // charges; more wait in line
};

/// Figures for metrics.
struct desk_figures {
  std::atomic<std::uint64_t> under_way{0};
  std::atomic<std::uint64_t> waiting{0};
  std::atomic<std::uint64_t> calls{0};
  std::atomic<std::uint64_t> inquiries{0};
  std::atomic<std::uint64_t> done{0};
  std::atomic<std::uint64_t> refused{0};
  std::atomic<std::uint64_t> unknown{0};
};

struct start_charges {
  partition_id partition;
  std::shared_ptr<const std::vector<partition::effect_out>> body;
};

/// Another node leads the partition by now, or the groups are about to live in another one, and its desk has these charges: whatever is not with the provider is dropped.
struct leave_charges {
  partition_id partition;
  std::vector<event_number> groups; // only these; none: all
};

struct provider_said {
  std::uint64_t charge = 0;
  provider_result result;
};

struct try_again {
  std::uint64_t charge = 0;
};

struct settle_again {
  std::shared_ptr<const partition::proposal> body;
};

struct stop_desk {};

using payment_desk_actor =
    caf::typed_actor<caf::reacts_to<start_charges>, caf::reacts_to<leave_charges>, caf::reacts_to<provider_said>,
                     caf::reacts_to<try_again>, caf::reacts_to<settle_again>, caf::reacts_to<stop_desk>>;

/// One charge on its way. Steps of one reservation run one after the other, in the order they came.
struct charge_under_way {
  partition_id partition;
  entity_ref session;
  domain::charge what;
  std::uint32_t tries = 0;
  bool inquiring = false;
  bool calling = false; // the provider has yet to answer; else a timer runs
  bool left = false;    // another desk goes on with it: what the provider says is reported, nothing is tried again
};

struct payment_desk_state {
  static inline const char* name = "payment_desk";
  provider_port* provider = nullptr;
  std::function<void(partition::proposal)> settle;
  desk_settings settings;
  desk_figures* figures = nullptr;
  std::uint64_t next = 1;
  std::map<std::uint64_t, charge_under_way> under_way;
  // A key is present while one of its charges is under way.
  std::map<reservation_id, std::deque<charge_under_way>> behind;
  std::deque<charge_under_way> waiting; // beyond under_way_max
};

/// `settle` proposes the outcome to the session; it is called from the desk's actor.
payment_desk_actor::behavior_type payment_desk(payment_desk_actor::stateful_pointer<payment_desk_state> self,
                                               provider_port* provider, std::function<void(partition::proposal)> settle,
                                               desk_settings settings, desk_figures* figures);

} // namespace sluice::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::start_charges)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::leave_charges)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::provider_said)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::try_again)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::settle_again)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::stop_desk)
