// A general-admission area: places without numbers, and the holds on them.
#pragma once

#include "domain/effects.hpp"
#include "domain/hold_book.hpp"
#include "domain/hold_deadlines.hpp"

#include <optional>

namespace sluice::domain {

struct area_state {
  std::uint32_t target = 0; // the capacity the definition asks for
  std::uint32_t held = 0;   // pinned ones included
  std::uint32_t confirmed = 0;
  std::uint32_t category = 0;
  std::int64_t price = 0;
  hold_book holds;
  bool sale_open = false;

  friend bool operator==(const area_state&, const area_state&) = default;
};

/// The area machine: the same messages as a seat block, counted instead of named. Confirmed holds are not kept: the
/// session, in the same placement group, gives a hold's places back at most once.
/// Invariant: held + confirmed <= capacity = max(target, held + confirmed).
/// Owned by one entity actor, hence unsynchronised. Deterministic.
class area {
public:
  area(event_number event, block_number number) : event_{event}, number_{number} {}

  area(event_number event, block_number number, area_state state);

  void begin(const moment& at, effects& out);
  void apply(const moment& at, const message& m, effects& out);
  void finish(const moment& at, effects& out);

  std::optional<log_time> next_deadline(const entry_time& now) const;
  void publish_all(const entry_time& now, effects& out);

  reply ask(const entry_time&, const message&) const { return refusal{errc::not_found, {}, {}}; }

  const area_state& state() const { return state_; }

  stock_counts counts() const;
  /// Whether anything changed since the last call.
  bool take_changed();

  /// The holds among it.
  auto take_changed_holds() { return state_.holds.take_changed(); }

private:
  void on(const moment& at, const define_area& t, effects& out);
  void on(const moment& at, const sale_window& t, effects& out);
  void on(const moment& at, const hold_places& t, effects& out);
  void on(const moment& at, const extend_hold_part& t, effects& out);
  void on(const moment& at, const pin_hold& t, effects& out);
  void on(const moment& at, const release_hold_part& t, effects& out);
  void on(const moment& at, const confirm_hold_part& t, effects& out);
  void on(const moment& at, const give_back& t, effects& out);

  void record(const hold_id& hold, stock_move move, std::uint32_t quantity, effects& out);
  std::uint32_t available() const;

  event_number event_;
  block_number number_;
  area_state state_;
  hold_deadlines deadlines_;            // of unpinned holds
  std::uint32_t recorded_capacity_ = 0; // as the last stock_defined fact says
  bool stock_changed_ = false;
  bool changed_ = false;
};

} // namespace sluice::domain
