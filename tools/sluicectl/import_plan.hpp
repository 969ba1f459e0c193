// A pretix seating plan as an event definition.
//
// A plan is {name, zones: [{name, zone_id?, rows: [{row_number, seats: [{seat_guid, seat_number, category, …}]}]}],
// categories: [{name, color}], size}; what else it holds (positions, areas that are drawings, labels) is passed over.
// Zones become sections, their rows go into blocks of bearable size, since a block is the unit of contention.
#pragma once

#include "codec/document.hpp"
#include "domain/event_definition.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace sluice::ctl {

struct import_options {
  std::string id;   // empty: made from the name
  std::string name; // empty: the plan's
  std::string venue;
  wall_time starts_at{};
  std::string time_zone = "UTC";
  std::string currency = "EUR";
  std::map<std::string, std::int64_t> prices; // by category name or id, in minor units
  std::optional<std::int64_t> default_price;
  std::size_t block_seats = 500;
};

struct imported_plan {
  domain::event_definition definition;
  std::vector<codec::document_error> errors; // pointers into the plan; with any, the definition is not usable
  std::size_t renamed_seats = 0;             // whose guid is no valid id
  std::vector<std::string> unused_categories;
  std::set<std::string> unpriced; // ids of categories whose price nobody gave; theirs is 0, and not meant
};

/// Deterministic: the same plan and options give the same definition, and a seat keeps its id when others come or go
/// (unless one with a clashing guid comes).
imported_plan import_plan(const codec::document& plan, const import_options& options);

} // namespace sluice::ctl
