// The payment provider as the desk sees it. The HTTP client behind it lives in src/http.
#pragma once

#include "core/ids.hpp"
#include "domain/messages.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace sluice::actors {

/// One call. The provider's idempotency key is (reservation, step).
struct provider_request {
  reservation_id reservation;
  domain::charge_step step{};
  bool inquire = false; // only ask what became of the reservation
  std::int64_t amount = 0;
  std::string currency;
  std::string card;
  std::chrono::milliseconds deadline{}; // from now; waiting for a connection counts
};

struct provider_result {
  enum class verdict : std::uint8_t {
    done,      // took effect
    refused,   // definitely did not and will not
    not_found, // of an inquiry: the provider knows nothing of it
    unknown,   // timed out, cut off, or answered nonsense: it may or may not have
  };

  /// What an inquiry found the payment to be.
  enum class payment_state : std::uint8_t { none, authorised, declined, captured, voided, refunded };

  verdict outcome = verdict::unknown;
  payment_state payment = payment_state::none;
  std::string reason;
};

/// Thread-safe. `done` is called once, from any thread, no later than a little after the deadline.
class provider_port {
public:
  virtual ~provider_port() = default;
  virtual void call(provider_request request, std::function<void(provider_result)> done) = 0;
};

} // namespace sluice::actors
