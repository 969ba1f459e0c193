// The line in front of one event: tickets in log order, a leaky bucket, a cap on those inside, and the deadlines that
// keep both honest. Says what happened; the event machine says what follows.
#pragma once

#include "core/ids.hpp"
#include "core/time.hpp"
#include "domain/event_definition.hpp"
#include "domain/outflow.hpp"
#include "domain/states.hpp"
#include "domain/ticket_book.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

namespace sluice::domain {

/// An ADMITTED or ACTIVE ticket.
struct visit {
  bool claimed = false;
  log_time deadline{}; // of the claim window, then of the visit
  admission_id id{};   // once claimed
  wall_time claimed_at{};
  wall_time expires_at{};

  friend bool operator==(const visit&, const visit&) = default;
};

struct ended_ticket {
  ticket_number ticket;
  ticket_state state{};
  bool was_active = false; // a session knows of it
};

/// FIFO: tickets are let through in number order, skipping only those that ended.
/// Invariants: a ticket has a visit if and only if it is ADMITTED or ACTIVE; visits <= the cap in force when the last one
/// was let through; every ticket up to `head` is past waiting.
/// Owned by one event machine. Deterministic.
class waiting_room {
public:
  /// What the checkpoint's head piece carries; tickets and visits are in pieces of their own.
  struct counters {
    std::uint32_t waiting = 0;
    std::uint64_t admitted_total = 0;
    std::uint64_t completed_total = 0;
    ticket_number now_serving{};
    ticket_number head{1}; // no ticket before it is waiting
    outflow::state flow;

    friend bool operator==(const counters&, const counters&) = default;
  };

  explicit waiting_room(std::uint64_t index_seed = 0) : book_{index_seed} {}

  waiting_room(ticket_book book, std::map<ticket_number, visit> visits, const counters& saved,
               const admission_settings& settings);

  /// New rates act from now on; those already let through stay.
  void configure(log_time now, const admission_settings& settings);

  static constexpr std::size_t lapses_max = 10'000;

  struct joined {
    ticket_number ticket;
    bool created = false;
    bool passed_at_once = false;
  };

  /// `may_pass`: the event lets people through now.
  joined join(std::string_view user, log_time now, bool may_pass);

  /// Lets tickets lapse whose time is over: every due visit, and up to `lapses_max` of those waiting, so that a million
  /// giving up at once do not hold up one entry; the next deadline is then due at once.
  std::vector<ended_ticket> expire(log_time now);
  /// Lets through whom rate and cap allow, in order. Call only while the event lets people through.
  std::vector<ticket_number> promote(log_time now);

  /// An ADMITTED ticket becomes ACTIVE. A repeated claim changes nothing.
  const visit& claim(ticket_number t, entry_time now, const admission_id& id);
  /// A live ticket ends.
  ended_ticket end(ticket_number t, ticket_state state);

  const visit* visit_of(ticket_number t) const;

  const ticket_book& book() const { return book_; }

  ticket_book& book() { return book_; }

  const std::map<ticket_number, visit>& visits() const { return visits_; }

  const counters& count() const { return count_; }

  std::uint32_t active() const { return static_cast<std::uint32_t>(visits_.size()); }

  bool is_full() const;

  /// When something is due: a lapse, or (while people may pass) the next batch.
  std::optional<log_time> next_deadline(log_time now, bool may_pass) const;

  /// When the ticket's present state ends by itself; empty once it ended.
  std::optional<log_time> deadline_of(ticket_number t) const;

  /// Tickets beyond now-serving that ended since the last call, for the serving board.
  std::vector<ticket_number> take_gone();
  /// All of them.
  std::vector<ticket_number> all_gone() const;
  /// How long each user let through since the last call had waited, in milliseconds.
  std::vector<std::uint32_t> take_waits();
  /// Chunk numbers whose visits changed since the last call.
  std::set<std::uint32_t> take_changed_visits();

private:
  std::uint32_t cap() const;
  ticket_number next_in_line() const;
  void admit(ticket_number t, log_time now);
  void skip_ended();
  void drop_visit(ticket_number t);

  ticket_book book_;
  std::map<ticket_number, visit> visits_;
  std::set<std::pair<log_time, ticket_number>> deadlines_; // of visits_
  counters count_;
  outflow flow_;
  admission_settings settings_;
  std::optional<log_time> last_batch_; // not replicated: only spaces out pulses
  std::vector<ticket_number> gone_;    // not replicated: what the board has yet to hear
  std::vector<std::uint32_t> waits_;   // likewise
  std::set<std::uint32_t> changed_visits_;
};

} // namespace sluice::domain
