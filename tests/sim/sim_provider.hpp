// The payment provider: its own durable ledger, which no crash of a node touches, behind a bad line. Idempotent by
// (reservation, step).
#pragma once

#include "scene.hpp"

#include "core/ids.hpp"
#include "domain/messages.hpp"

#include <functional>
#include <map>
#include <string>

namespace sluice::simulation {

struct provider_call {
  reservation_id reservation;
  domain::charge_step step{};
  bool inquire = false;
  std::int64_t amount = 0;
  std::string card;
};

struct provider_answer {
  enum class verdict : std::uint8_t { done, refused, told, unknown };
  enum class state : std::uint8_t { none, authorised, declined, captured, voided, refunded };

  verdict outcome = verdict::unknown;
  state payment = state::none; // what an inquiry was told
};

/// One reservation's money, as the provider's books have it.
struct account {
  std::int64_t authorised = 0;
  std::int64_t captured = 0;
  std::int64_t refunded = 0;
  bool declined = false;
  bool capture_refused = false;
  bool voided = false;
  std::uint32_t authorisations = 0;
  std::uint32_t captures = 0;
  std::uint32_t refunds = 0;
  std::uint32_t refunds_refused = 0;

  provider_answer::state state() const;
};

/// Owned by one run.
class sim_provider {
public:
  explicit sim_provider(scene& run) : run_{run} {}

  /// `done` is called once, no later than `patience`; the call itself may take effect until `late_at_most` after it.
  void call(const provider_call& c, micros patience, std::function<void(provider_answer)> done);

  /// Calls that were sent take effect no later than this afterwards.
  static constexpr micros late_at_most = 2'500 * ms;

  const std::map<reservation_id, account>& ledger() const { return ledger_; }

  /// Called when money is about to move.
  std::function<void(const reservation_id&)> before_capture;

  void begin_outages();

private:
  provider_answer perform(const provider_call& c);

  scene& run_;
  std::map<reservation_id, account> ledger_;
  micros down_until_ = 0;
};

} // namespace sluice::simulation
