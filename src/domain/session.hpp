// One admitted user's visit to one event: the holds, the reservations, and the saga that turns one into the other.
#pragma once

#include "domain/effects.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sluice::domain {

struct open_admission {
  ticket_number ticket;
  admission_id id;
  log_time expires{};
  visit_terms terms;
  bool booked = false; // something was paid for: the visit ends as soon as nothing else is held or being paid for

  friend bool operator==(const open_admission&, const open_admission&) = default;
};

/// Seats set aside for this user, not being paid for.
struct session_hold {
  std::vector<priced_part> parts;
  std::int64_t amount = 0;
  std::string currency;
  log_time deadline{};
  wall_time expires{};
  std::vector<std::string> extended_by; // request ids: each extends once, however late it is repeated

  std::uint32_t count() const;
  friend bool operator==(const session_hold&, const session_hold&) = default;
};

/// A payment's progress. `step` is what is awaited from the provider.
struct payment {
  std::optional<charge_step> step;
  std::uint32_t attempt = 0;
  log_time give_up{};               // of authorise: compensate then; of capture and refund: STUCK from then on
  std::optional<log_time> retry_at; // the provider's answer was unknown: ask again then
  payment_method method{};
  std::string card;

  friend bool operator==(const payment&, const payment&) = default;
};

struct reservation {
  hold_id hold;
  log_index fence = 0; // of the pin
  reservation_state state{};
  std::string reason;
  std::vector<priced_part> parts;
  std::int64_t amount = 0;
  std::string currency;
  wall_time created{};
  wall_time changed{};
  payment pay;

  std::uint32_t count() const;
  friend bool operator==(const reservation&, const reservation&) = default;
};

/// What an Idempotency-Key was answered with.
struct remembered {
  fingerprint request{};
  log_time at{};
  std::optional<hold_reply> hold;            // of request_hold
  std::optional<reservation_id> reservation; // of pay_hold
  reservation_state first_state{};           // what pay_hold answered then

  friend bool operator==(const remembered&, const remembered&) = default;
};

struct session_state {
  std::optional<open_admission> admission;
  std::map<hold_id, session_hold> holds;
  std::map<reservation_id, reservation> reservations;
  std::map<std::string, remembered> keys;
  std::deque<hold_id> lapsed;   // the last few, so that their owner hears "lapsed", not "unknown"
  std::deque<hold_id> released; // by their owner, the last few, so that a repeated release is answered alike

  bool empty() const { return !admission && holds.empty() && reservations.empty() && keys.empty(); }

  friend bool operator==(const session_state&, const session_state&) = default;
};

/// The session machine; drives `booking_saga`. Owned by one entity actor, hence unsynchronised. Deterministic.
/// A hold spans blocks: every part is asked for in one superstep, and if one refuses the others are released in the same
/// log entry. Likewise pins. So between entries a hold is whole or gone.
class session {
public:
  static constexpr std::size_t holds_max = 20;
  static constexpr std::size_t keys_max = 500;
  static constexpr std::size_t lapsed_max = 16;
  static constexpr std::size_t released_max = 2 * holds_max;
  static constexpr std::chrono::hours key_retention{24};

  session(event_number event, std::string user) : event_{event}, user_{std::move(user)} {}

  session(event_number event, std::string user, session_state state)
      : event_{event}, user_{std::move(user)}, state_{std::move(state)} {}

  void begin(const moment& at, effects& out);
  void apply(const moment& at, const message& m, effects& out);

  void finish(const moment&, effects&) {}

  reply ask(const entry_time& now, const message& m) const;
  std::optional<log_time> next_deadline(const entry_time& now) const;

  void publish_all(const entry_time&, effects&) {}

  const session_state& state() const { return state_; }

  /// True while a hold or pin waits for its blocks: never between entries.
  bool mid_entry() const { return !asking_.empty() || !pinning_.empty(); }

private:
  /// A hold whose blocks have not all answered. Lives within one entry.
  struct asked_hold {
    request_hold request;
    std::size_t outstanding = 0;
    std::vector<priced_part> held;
    errc why{errc::ok};
    std::vector<std::pair<block_number, seat_index>> taken;
    log_time deadline{};
    wall_time expires{};
  };

  /// A pin whose blocks have not all answered. Lives within one entry.
  struct asked_pin {
    pay_hold request;
    std::size_t outstanding = 0;
    errc why{errc::ok};
    std::vector<block_number> pinned;
  };

  void on(const moment& at, const open_visit& t, effects& out);
  void on(const moment& at, const close_visit& t, effects& out);
  void on(const moment& at, const request_hold& c, effects& out);
  void on(const moment& at, const part_held& t, effects& out);
  void on(const moment& at, const part_refused& t, effects& out);
  void on(const moment& at, const part_lapsed& t, effects& out);
  void on(const moment& at, const extend_hold& c, effects& out);
  void on(const moment& at, const release_hold& c, effects& out);
  void on(const moment& at, const pay_hold& c, effects& out);
  void on(const moment& at, const part_pinned& t, effects& out);
  void on(const moment& at, const charge_settled& c, effects& out);
  void on(const moment& at, const cancel_reservation& c, effects& out);

  // holds (session_hold.cpp)
  std::optional<refusal> why_not_hold(const moment& at, const request_hold& c) const;
  void settle_hold(const moment& at, std::map<hold_id, asked_hold>::iterator asked, effects& out);
  void drop_hold(const hold_id& id, effects& out);
  void lapse_due(log_time now, effects& out);
  void remember_lapsed(const hold_id& id);
  void remember_released(const hold_id& id);
  hold_reply describe(const hold_id& id, const session_hold& h, const entry_time& now) const;
  refusal unknown_hold(const hold_id& id) const;
  std::uint64_t seats_taken() const;

  // payment (session_payment.cpp)
  std::optional<refusal> why_not_pay(const moment& at, const pay_hold& c) const;
  void settle_pin(const moment& at, std::map<hold_id, asked_pin>::iterator asked, effects& out);
  void on_authorised(const moment& at, const reservation_id& id, reservation& r, const charge_settled& c, effects& out);
  void on_captured(const moment& at, const reservation_id& id, reservation& r, const charge_settled& c, effects& out);
  void on_voided(const moment& at, const reservation_id& id, reservation& r, const charge_settled& c, effects& out);
  void void_again(const moment& at, const reservation_id& id, reservation& r, effects& out);
  void on_refunded(const moment& at, const reservation_id& id, reservation& r, const charge_settled& c, effects& out);
  void ask_provider(const moment& at, const reservation_id& id, reservation& r, charge_step step, effects& out);
  void close_charge(const reservation_id& id, reservation& r, effects& out);
  /// The first or the last charge of a payment or refund.
  void count_charge(std::int32_t by, effects& out) const;
  void retry_later(const moment& at, const reservation_id& id, reservation& r, effects& out);
  void confirm(const moment& at, const reservation_id& id, reservation& r, effects& out);
  void fail(const moment& at, const reservation_id& id, reservation& r, std::string reason, effects& out);
  void confirm_parts(const reservation& r, effects& out);
  void return_parts(const reservation& r, effects& out);
  void release_parts(const reservation& r, effects& out);
  void move_to(const moment& at, const reservation_id& id, reservation& r, reservation_state state, effects& out);
  /// Unless the event lets people stay: the slot of who has booked is free as soon as nothing else is open.
  void end_visit_if_done(effects& out);
  reservation_reply describe(const reservation_id& id, const reservation& r) const;

  // repeats
  /// True for the very command whose first copy is still waiting for its blocks: that one's answer goes to the same asker.
  bool is_under_way(const request_hold& c) const;
  bool is_under_way(const pay_hold& c) const;
  /// The answer a key already has, or why it can not be used; empty: the key is new.
  std::optional<reply> answered_before(const moment& at, const idempotency& once);
  void forget_old_keys(log_time now);

  bool is_admitted(const moment& at, const admission_id& id) const;
  entity_ref block_of(const priced_part& part) const;

  event_number event_;
  std::string user_;
  session_state state_;
  std::map<hold_id, asked_hold> asking_;
  std::map<hold_id, asked_pin> pinning_;
  // Bounds, not state: they spare a look at every hold and key before every message.
  log_time no_lapse_before_ = log_time::min();
  log_time no_key_ends_before_ = log_time::min();
};

} // namespace sluice::domain
