// What an operator says about an event: the content of an event file. Plain data, checked here once, for the CLI, the
// admin API and the machine alike.
#pragma once

#include "core/ids.hpp"
#include "core/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::domain {

/// How the waiting room lets people through. Ranges are checked by `check`.
struct admission_settings {
  std::uint32_t users_per_minute = 600;      // outflow; 1 .. 6 000 000
  std::uint32_t max_active_users = 1000;     // ADMITTED + ACTIVE; 1 .. 1 000 000
  std::uint32_t active_ttl_seconds = 600;    // how long an admitted visit lasts; 5 .. 86 400
  std::uint32_t claim_window_seconds = 120;  // how long a turn waits to be claimed; 1 .. 86 400
  std::uint32_t waiting_ttl_seconds = 86400; // how long a ticket waits at most; 10 .. 604 800
  std::uint32_t batch_ms = 100;              // pulse of the outflow, and its burst; 10 .. 10 000
  std::uint32_t max_waiting_users = 0;       // 0: no limit but the node's; else joins beyond it are refused

  friend bool operator==(const admission_settings&, const admission_settings&) = default;
};

/// A change to a running event's admission: only what is set changes, at once.
struct admission_patch {
  std::optional<std::uint32_t> users_per_minute;
  std::optional<std::uint32_t> max_active_users;
  std::optional<std::uint32_t> active_ttl_seconds;
  std::optional<std::uint32_t> claim_window_seconds;
  std::optional<std::uint32_t> waiting_ttl_seconds;
  std::optional<std::uint32_t> batch_ms;
  std::optional<std::uint32_t> max_waiting_users;

  friend bool operator==(const admission_patch&, const admission_patch&) = default;
};

admission_settings patched(admission_settings settings, const admission_patch& patch);

/// Where a caller's user id comes from.
enum class identity_mode : std::uint8_t {
  trusted = 0,   // the caller's userId is taken as is
  anonymous = 1, // the node mints a visitor id
};

struct category_definition {
  std::string id;
  std::string name;
  std::int64_t price = 0; // minor units; 0 .. 10^12

  friend bool operator==(const category_definition&, const category_definition&) = default;
};

struct seat_definition {
  std::string id;             // unique in the event
  std::string number;         // as printed
  std::uint32_t category = 0; // index into the event's categories

  friend bool operator==(const seat_definition&, const seat_definition&) = default;
};

struct row_definition {
  std::string id; // as printed, unique in its block
  std::vector<seat_definition> seats;

  friend bool operator==(const row_definition&, const row_definition&) = default;
};

struct block_definition {
  std::string id; // unique among the event's blocks and areas
  std::string name;
  std::vector<row_definition> rows;

  std::size_t seat_count() const;
  friend bool operator==(const block_definition&, const block_definition&) = default;
};

struct section_definition {
  std::string id;
  std::string name;
  std::vector<block_definition> blocks;

  friend bool operator==(const section_definition&, const section_definition&) = default;
};

struct area_definition {
  std::string id; // unique among the event's blocks and areas
  std::string name;
  std::uint32_t category = 0;
  std::uint32_t capacity = 0; // 1 .. 10 000 000

  friend bool operator==(const area_definition&, const area_definition&) = default;
};

struct event_definition {
  std::string id; // the slug in every path
  std::string name;
  std::string venue;
  wall_time starts_at{};
  std::string time_zone = "UTC"; // IANA name
  std::string local_date; // YYYY-MM-DD of starts_at in time_zone; derived by the codec, what the ranking counts by
  std::optional<wall_time> sale_opens_at;  // absent: open from the start
  std::optional<wall_time> sale_closes_at; // absent: until the operator closes it
  std::string currency = "EUR";            // ISO 4217
  std::vector<category_definition> categories;
  std::vector<section_definition> sections;
  std::vector<area_definition> areas;
  admission_settings admission;
  std::uint32_t hold_ttl_seconds = 300;       // 5 .. 86 400
  std::uint32_t hold_extensions_max = 1;      // each adds one hold TTL; 0 .. 10
  std::uint32_t limit_per_user = 8;           // seats and places, held or confirmed; 1 .. 10 000
  std::uint32_t payment_window_seconds = 120; // from pay to the latest capture attempt's start; 10 .. 3 600
  bool keep_active_after_booking = false;
  identity_mode identity = identity_mode::trusted;

  std::uint64_t capacity() const;
  friend bool operator==(const event_definition&, const event_definition&) = default;
};

/// One mistake, addressed as RFC 6901 JSON pointer into the event file.
struct definition_error {
  std::string pointer;
  std::string detail;

  friend bool operator==(const definition_error&, const definition_error&) = default;
};

constexpr std::size_t seats_max = 200'000;
constexpr std::size_t blocks_max = 2'000;
constexpr std::size_t block_seats_max = 20'000;

/// Every mistake in the definition, none if it may be applied. At most 100 are reported.
std::vector<definition_error> check(const event_definition& definition);
std::vector<definition_error> check(const admission_settings& settings, const std::string& pointer);

/// One line of a dry run: what would change, and how.
struct definition_change {
  std::string pointer;
  std::string before; // empty: added
  std::string after;  // empty: removed

  friend bool operator==(const definition_change&, const definition_change&) = default;
};

/// What applying `to` over `from` would change, in file order. Blocks and areas are compared by id.
std::vector<definition_change> difference(const event_definition& from, const event_definition& to);

} // namespace sluice::domain
