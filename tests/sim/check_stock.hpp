// Naive seats and places, retold from the facts: one owner each, holds whole or gone between entries, nothing lapses while
// it is paid for, every index adds up.
#pragma once

#include "check_cluster.hpp"
#include "check_line.hpp"
#include "history.hpp"
#include "scene.hpp"

#include "domain/facts.hpp"
#include "domain/publications.hpp"

#include <map>
#include <optional>
#include <set>

namespace sluice::simulation {

enum class hold_stage : std::uint8_t { held, pinned, confirmed };

class stock_checker {
public:
  stock_checker(scene& run, const history& asked, const line_checker& lines, const cluster_checker& cluster)
      : run_{run}, asked_{asked}, lines_{lines}, cluster_{cluster} {}

  void on(const entry_stamp& at, event_number event, const domain::stock_defined& f);
  void on(const entry_stamp& at, event_number event, const domain::stock_moved& f);

  /// A payment failed: its parts may be released in this entry.
  void payment_ended(event_number event, const hold_id& hold) { changes_[event].ended_payments.insert(hold); }

  /// Every hold touched by the entry is whole or gone, every block adds up.
  void end_entry(const entry_stamp& at, event_number event);

  /// The owner was told so: it must not lapse before.
  void promised(const hold_id& hold, log_time deadline) { promises_[hold] = deadline; }

  /// A request to extend it was answered, one way or the other.
  void extension_answered(const hold_id& hold, const std::string& request) {
    extensions_answered_[hold].insert(request);
  }

  void compare(const entry_stamp& at, const domain::block_update& update);
  /// Somebody was refused these seats in this entry: each of them must be another's, or not for sale.
  void refused_for(const entry_stamp& at, event_number event,
                   const std::vector<std::pair<block_number, seat_index>>& seats);

  /// The stage all parts of a hold are in, empty if it is gone.
  std::optional<hold_stage> stage_of(const hold_id& hold) const;

  bool was_ever_held(const hold_id& hold) const { return held_at_.contains(hold); }

  log_time held_at(const hold_id& hold) const { return held_at_.at(hold); }

  bool sold_out(event_number event) const;
  void group_ended(event_number event);
  /// Nothing is held any more.
  void at_the_end(event_number event);

private:
  struct part {
    hold_stage stage{hold_stage::held};
    std::set<seat_index> seats;
    std::uint32_t quantity = 0;

    std::uint32_t count() const { return seats.empty() ? quantity : static_cast<std::uint32_t>(seats.size()); }
  };

  struct block {
    std::uint32_t capacity = 0;
    std::uint32_t blocked = 0;
    log_index defined_at = 0;
    std::map<seat_index, hold_id> owners;
    std::map<seat_index, log_index> given_back; // by its owner or a saga, not by time
    std::uint32_t held = 0;                     // pinned ones included
    std::uint32_t confirmed = 0;
  };

  struct stock {
    std::map<block_number, block> blocks;
    std::map<hold_id, std::map<block_number, part>> holds;
  };

  /// What the entry being retold did to one event.
  struct changes {
    std::set<hold_id> holds;
    std::set<hold_id> begun, pinned, lapsed, released, ended_payments;
    std::set<block_number> blocks;
  };

  void take(const entry_stamp& at, event_number event, stock& s, const domain::stock_moved& f);
  void give(const entry_stamp& at, event_number event, stock& s, const domain::stock_moved& f);
  void advance(const entry_stamp& at, event_number event, stock& s, const domain::stock_moved& f);
  /// False while an extension may have happened that nobody was told of: its node died before it could answer.
  bool knows_deadline(const hold_id& hold) const;
  /// It lapsed: not later than its time and the outages meanwhile allow, by the clock on the wall.
  void check_patience(const entry_stamp& at, event_number event, const hold_id& hold);
  void check_sale(const entry_stamp& at, event_number event);
  void check_release(const entry_stamp& at, event_number event, const changes& c, const hold_id& hold);
  void fail(const entry_stamp& at, event_number event, const std::string& what);

  scene& run_;
  const history& asked_;
  const line_checker& lines_;
  const cluster_checker& cluster_;
  std::map<event_number, stock> events_;
  std::map<hold_id, log_time> promises_;
  std::map<hold_id, std::set<std::string>> extensions_answered_;
  std::map<hold_id, log_time> held_at_; // every hold there ever was

  struct beginning {
    micros at = 0;
    micros outage = 0; // of its partition, until then
    micros lasts = 0;
  };

  std::map<hold_id, beginning> begun_;
  std::set<hold_id> undone_; // in the entry that began them; the same request may try again
  std::map<std::pair<event_number, std::string>, std::uint64_t> taken_;

  std::map<event_number, changes> changes_;
};

} // namespace sluice::simulation
