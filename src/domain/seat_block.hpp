// The seats of one block of a section, and the holds on them.
#pragma once

#include "domain/effects.hpp"
#include "domain/hold_deadlines.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace sluice::domain {

struct seat {
  seat_terms terms;
  seat_status status{seat_status::available};
  hold_id hold; // of a held, pinned or confirmed seat

  friend bool operator==(const seat&, const seat&) = default;
};

/// What a hold has in this block while it is not yet confirmed.
struct block_hold {
  std::string user;
  std::vector<seat_index> seats; // ascending
  log_time deadline{};           // means nothing once pinned
  log_index fence = 0;           // log index of the pin, 0: not pinned

  friend bool operator==(const block_hold&, const block_hold&) = default;
};

struct seat_block_state {
  std::vector<seat> seats;
  std::map<hold_id, block_hold> holds;
  std::map<hold_id, log_index> fences; // of confirmed holds
  bool sale_open = false;

  friend bool operator==(const seat_block_state&, const seat_block_state&) = default;
};

/// The seat block machine. Owned by one entity actor, hence unsynchronised. Deterministic: reads no clock, draws no random
/// number, iterates ordered containers only, so that every replica reaches the same state at the same log index.
/// Invariants: a seat is held or pinned if and only if exactly one hold names it; a pinned hold never lapses here.
class seat_block {
public:
  seat_block(event_number event, block_number number) : event_{event}, number_{number} {}

  seat_block(event_number event, block_number number, seat_block_state state);

  /// Holds due at `at.now` lapse first, so no message ever sees a stale hold.
  void begin(const moment& at, effects& out);
  void apply(const moment& at, const message& m, effects& out);
  /// Tells the event what changed, once for all messages of the superstep.
  void finish(const moment& at, effects& out);

  std::optional<log_time> next_deadline(const entry_time& now) const;

  /// The whole seat map, for bridges that know nothing yet.
  void publish_all(const entry_time& now, effects& out);

  reply ask(const entry_time&, const message&) const { return refusal{errc::not_found, {}, {}}; }

  const seat_block_state& state() const { return state_; }

  const stock_counts& counts() const { return counts_; }

  bool take_changed();

private:
  void on(const moment& at, const define_seats& t, effects& out);
  void on(const moment& at, const sale_window& t, effects& out);
  void on(const moment& at, const hold_seats& t, effects& out);
  void on(const moment& at, const extend_hold_part& t, effects& out);
  void on(const moment& at, const pin_hold& t, effects& out);
  void on(const moment& at, const release_hold_part& t, effects& out);
  void on(const moment& at, const confirm_hold_part& t, effects& out);
  void on(const moment& at, const give_back& t, effects& out);

  void lapse(const moment& at, effects& out);
  void mark(seat_index s, seat_status status);
  /// Ends a hold that is not confirmed; its seats are free again.
  void free_seats(const block_hold& h);
  void record(const hold_id& hold, stock_move move, std::vector<seat_index> seats, effects& out) const;
  static std::uint32_t& count_of(stock_counts& counts, seat_status status);

  event_number event_;
  block_number number_;
  seat_block_state state_;
  hold_deadlines deadlines_; // of unpinned holds
  stock_counts counts_;
  stock_counts recorded_;        // as the last stock_defined fact says
  std::set<seat_index> touched_; // since the last publication
  bool stock_changed_ = false;
  bool changed_ = false; // since the last checkpoint
};

} // namespace sluice::domain
