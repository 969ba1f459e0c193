// What a machine wants to happen. Effects are data: every replica computes them, only the leader carries out those that
// reach the outside.
#pragma once

#include "core/entity.hpp"
#include "domain/facts.hpp"
#include "domain/messages.hpp"
#include "domain/publications.hpp"
#include "domain/replies.hpp"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace sluice::domain {

/// To whoever sent the command that led here.
struct answer {
  reply body;
};

/// To another entity of the same placement group: delivered in the next superstep of the same entry.
struct tell {
  entity_ref to;
  message body;
};

/// To an entity of another placement group: delivered exactly once, through the outbox.
struct note {
  entity_ref to;
  message body;
};

struct publish {
  publication body;
};

/// To the payment provider. Stays open, and is carried out again by every new leader, until `charge_closed`.
/// The provider's idempotency key is (reservation, step): repeating it is harmless.
struct charge {
  reservation_id reservation;
  charge_step step{};
  std::uint32_t attempt = 0;
  std::int64_t amount = 0;
  std::string currency;
  std::string card;

  friend bool operator==(const charge&, const charge&) = default;
};

/// No more is awaited from the provider for this step.
struct charge_closed {
  reservation_id reservation;
  charge_step step{};
};

/// The whole placement group ended: its entities and records go.
struct forget_group {};

using effect = std::variant<answer, tell, note, publish, charge, charge_closed, fact, forget_group>;
using effects = std::vector<effect>;

/// Where in the log a message is being applied.
struct moment {
  entry_time now;
  log_index index = 0;
};

} // namespace sluice::domain
