// What a bridge knows of a line without asking: phase, counts, who is being served, and which tickets are gone. A position
// is arithmetic on it.
#pragma once

#include "core/ids.hpp"
#include "core/time.hpp"
#include "domain/publications.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sluice::http {

/// Tickets that will not be served, by number; counts any range in constant time, whatever its length.
/// A bitmap with a Fenwick tree over runs of 4 096 tickets (Fenwick, "A new data structure for cumulative frequency
/// tables", 1994). One bit a ticket.
class gone_tickets {
public:
  void clear();
  void add(ticket_number t);
  bool contains(ticket_number t) const;
  /// How many in (after, until].
  std::uint32_t between(ticket_number after, ticket_number until) const;

private:
  static constexpr std::uint32_t run = 4096;

  std::uint32_t up_to(std::uint32_t ticket) const;

  std::vector<std::uint64_t> bits_;
  std::vector<std::uint32_t> tree_;
};

struct wait_estimate {
  std::uint32_t min_seconds = 0;
  std::uint32_t max_seconds = 0;
};

/// Not synchronised: event_view guards it.
class serving_board {
public:
  /// An update with a lower index than one seen is dropped, unless it is a full one of a new leader.
  void apply(log_index version, const domain::board_update& u, wall_time as_of,
             std::chrono::steady_clock::time_point now);

  bool known() const { return known_; }

  const domain::board_update& figures() const { return figures_; }

  log_index version() const { return version_; }

  wall_time as_of() const { return as_of_; }

  /// Tickets in front that may still be served; empty when the board can not tell: the ticket was let through, is gone, or
  /// is newer than the board.
  std::optional<std::uint32_t> users_ahead(ticket_number t) const;

  /// From the rate set and the rate seen lately.
  wait_estimate estimate(std::uint32_t users_ahead) const;

  /// Let through within the last minute.
  std::uint64_t admitted_last_minute() const { return admitted_last_minute_; }

  /// Waits of those let through, for the histogram: counts by `wait_bounds`, the last one beyond them all.
  static constexpr std::array<std::uint32_t, 12> wait_bounds{
      100, 1'000, 5'000, 15'000, 30'000, 60'000, 120'000, 300'000, 600'000, 1'800'000, 3'600'000, 10'800'000};

  const std::array<std::uint64_t, 13>& waits() const { return waits_; }

  std::uint64_t wait_ms_total() const { return wait_ms_total_; }

private:
  void sample(std::chrono::steady_clock::time_point now);

  bool known_ = false;
  log_index version_ = 0;
  wall_time as_of_{};
  domain::board_update figures_; // its lists are not used
  gone_tickets gone_;
  std::array<std::pair<std::int64_t, std::uint64_t>, 60> samples_{}; // second → admitted_total, a ring
  std::uint64_t admitted_last_minute_ = 0;
  std::array<std::uint64_t, 13> waits_{};
  std::uint64_t wait_ms_total_ = 0;
};

} // namespace sluice::http
