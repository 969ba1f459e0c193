// A naive line, retold from the facts: tickets dense and admitted in order, rate and cap kept, nobody expired too early or
// let in too late, nothing that nobody asked for.
#pragma once

#include "history.hpp"
#include "scene.hpp"

#include "domain/facts.hpp"
#include "domain/publications.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sluice::simulation {

/// Where and when facts happened.
struct entry_stamp {
  partition_id partition;
  log_index index = 0; // as the event counts, wherever it is
  log_time log{};
  wall_time wall{};
};

/// Of the events of one entry.
using entry_stamps = std::map<event_number, entry_stamp>;

std::string to_string(const entry_stamp& at);

/// How late, in log time, what is due may be done: an outage adds up to 5 s at once, two in a row twice that, and disks and
/// queues are slow.
constexpr std::chrono::seconds line_patience{14};

class line_checker {
public:
  line_checker(scene& run, const history& asked) : run_{run}, asked_{asked} {}

  /// Nothing is left to sell: nobody is let through. Known to the stock.
  std::function<bool(event_number)> sold_out;

  void on(const entry_stamp& at, event_number event, const domain::event_changed& f);
  void on(const entry_stamp& at, event_number event, const domain::user_joined& f);
  void on(const entry_stamp& at, event_number event, const domain::users_admitted& f);
  void on(const entry_stamp& at, event_number event, const domain::turn_claimed& f);
  void on(const entry_stamp& at, event_number event, const domain::ticket_ended& f);
  void end_entry(const entry_stamp& at, event_number event);

  /// The board as of the end of the entry.
  void compare(const entry_stamp& at, const domain::board_update& board);

  struct ticket {
    std::string user;
    domain::ticket_state state{domain::ticket_state::waiting};
    log_time since{};    // of the state
    log_time deadline{}; // once admitted
  };

  const ticket* find(event_number event, ticket_number t) const;
  /// The user's live ticket, or the last one.
  std::optional<ticket_number> ticket_of(event_number event, const std::string& user) const;
  /// The visit of this user ended, or began, in this entry.
  bool visit_changed(event_number event, const std::string& user, log_index index) const;
  std::uint32_t limit_of(event_number event, const std::string& user) const;
  bool removed(event_number event) const;
  /// The last entry with a definition.
  log_index defined_at(event_number event) const;
  /// May holds be made? As of the end of the last entry (`before`) or now.
  bool sale_open(event_number event, wall_time now, bool before) const;
  /// Nobody is inside or waiting any more, if people can be let through at all.
  void at_the_end(const std::function<std::optional<log_time>(event_number)>& now_of);

  const domain::event_definition* definition(event_number event) const;
  std::uint64_t completed(event_number event) const;

private:
  struct phase_flags {
    bool opened = false, closed = false, paused = false, draining = false;
  };

  struct line {
    std::optional<domain::event_definition> definition;
    log_index defined_at = 0;
    bool removed = false;
    log_index removed_at = 0;
    phase_flags flags, flags_before;
    std::optional<wall_time> opens_before, closes_before; // as of the last entry
    wall_time seen{};                                     // the last entry that addressed the event
    std::vector<ticket> tickets;                          // by number - 1
    std::map<std::string, ticket_number> latest;
    std::map<std::string, log_index> visit_changed;
    std::map<std::string, std::uint32_t> limits; // granted with the visit
    ticket_number now_serving{};
    std::uint32_t waiting = 0;
    std::uint32_t active = 0;
    std::uint64_t admitted_total = 0;
    std::uint64_t completed_total = 0;
    std::vector<log_time> admissions;

    struct rate {
      log_time from;
      std::uint32_t users_per_minute;
      std::uint32_t batch;
    };

    std::vector<rate> rates;
    std::optional<log_time> could_pass_since; // somebody waits, and neither phase nor cap is in the way

    ticket* at(ticket_number t) { return t.value >= 1 && t.value <= tickets.size() ? &tickets[t.value - 1] : nullptr; }
  };

  line* known(const entry_stamp& at, event_number event, const char* what);
  void settings_changed(const entry_stamp& at, line& l);
  void check_rate(const entry_stamp& at, event_number event, const line& l);
  void check_progress(const entry_stamp& at, event_number event, line& l);
  bool may_pass(const line& l, wall_time now) const;
  domain::event_phase phase(event_number event, const line& l, wall_time now) const;
  void fail(const entry_stamp& at, event_number event, const std::string& what);

  scene& run_;
  const history& asked_;
  std::map<event_number, line> lines_;
};

} // namespace sluice::simulation
