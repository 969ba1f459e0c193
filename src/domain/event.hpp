// One performance on sale: its definition, its phases, its line, and the sums of its stock.
#pragma once

#include "core/result.hpp"
#include "domain/effects.hpp"
#include "domain/request_memory.hpp"
#include "domain/waiting_room.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>

namespace sluice::domain {

/// Everything an event remembers beside its tickets and visits.
struct event_head {
  std::shared_ptr<const placed_event> placed; // empty: not founded, or removed
  std::uint64_t index_seed = 0;
  bool opened_by_hand = false;
  bool closed_by_hand = false;
  bool paused = false;
  bool draining = false;         // feature level 2
  bool window_told_open = false; // what blocks were told last
  std::string text;
  std::map<block_number, stock_counts> stock;
  std::uint64_t sold = 0;
  std::int64_t revenue = 0;
  std::int64_t charges_open = 0; // payments and refunds under way
  wall_time last_sale{};
  std::uint64_t count_sequence = 0; // of the last note to the ranking
  std::uint64_t count_received = 0; // what the ranking acknowledged
  bool count_changed = false;
  request_memory requests; // of operators
};

/// The event machine. Owned by one entity actor, hence unsynchronised. Deterministic.
/// `begin` and `finish` frame each superstep's messages: lapses and promotions happen there, once for all of them.
class event {
public:
  explicit event(event_number number) : number_{number} {}

  event(event_number number, event_head head, waiting_room room);

  void begin(const moment& at, effects& out);
  void apply(const moment& at, const message& m, effects& out);
  void finish(const moment& at, effects& out);

  /// Answers a query; changes nothing. `now` is that of the last entry applied.
  reply ask(const entry_time& now, const message& m) const;

  /// When the partition should log the next pulse for this entity, if ever.
  std::optional<log_time> next_deadline(const entry_time& now) const;

  /// The whole serving board and the placement, for bridges that know nothing yet.
  void publish_all(const entry_time& now, effects& out);

  event_number number() const { return number_; }

  const event_head& head() const { return head_; }

  const waiting_room& room() const { return room_; }

  waiting_room& room() { return room_; }

  /// True once after the placement changed; for the checkpoint.
  bool take_placed_changed();

private:
  void on(const moment& at, const define_event& c, effects& out);
  void on(const moment& at, const control_event& c, effects& out);
  void on(const moment& at, const put_off_removal& t, effects& out);
  void on(const moment& at, const set_admission& c, effects& out);
  void on(const moment& at, const join& c, effects& out);
  void on(const moment& at, const leave& c, effects& out);
  void on(const moment& at, const claim_turn& c, effects& out);
  void on(const moment& at, const complete_visit& c, effects& out);
  void on(const moment& at, const stock_changed& t, effects& out);
  void on(const moment& at, const visit_done& t, effects& out);
  void on(const moment& at, const sale_settled& t, effects& out);
  void on(const moment& at, const charges_changed& t, effects& out);
  void on(const moment& at, const count_received& t, effects& out);

  bool founded() const { return head_.placed != nullptr; }

  const event_definition& definition() const { return head_.placed->definition; }

  void lapse(const moment& at, effects& out);
  event_phase phase(wall_time now) const;
  bool may_pass(wall_time now) const;
  stock_counts total_stock() const;
  void remove(const control_event& c, effects& out);
  void conclude(ticket_number t, ticket_state state, effects& out);
  void tell_sale_window(const moment& at, effects& out);
  void send_count(effects& out);
  ticket_reply reply_for(ticket_number t, const entry_time& now) const;
  board_update board(const entry_time& now) const;
  bool owns(const std::string& user, ticket_number t) const;

  event_number number_;
  event_head head_;
  waiting_room room_;
  event_phase published_phase_{};
  bool board_changed_ = false;
  bool placed_changed_ = false;
};

/// The numbers and indexes for a definition, keeping those `before` (may be null) gave to the same ids. Refuses what
/// stock already sold forbids.
result<placed_event> place(event_number number, const placed_event* before,
                           const std::map<block_number, stock_counts>& stock, const event_definition& definition);

} // namespace sluice::domain
