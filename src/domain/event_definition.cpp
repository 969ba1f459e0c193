#include "domain/event_definition.hpp"

#include "core/text_id.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_set>

namespace sluice::domain {

namespace {

constexpr std::size_t errors_max = 100;

/// Collects mistakes under a pointer that grows and shrinks with the walk.
class checker {
public:
  std::vector<definition_error> errors;

  void fail(std::string pointer, std::string detail) {
    if (errors.size() < errors_max)
      errors.push_back({std::move(pointer), std::move(detail)});
  }

  void range(const std::string& pointer, std::uint64_t value, std::uint64_t least, std::uint64_t most) {
    if (value < least || value > most)
      fail(pointer, "must be between " + std::to_string(least) + " and " + std::to_string(most));
  }

  void name(const std::string& pointer, std::string_view id) {
    if (!is_valid_name(id))
      fail(pointer, "must be 1 to 64 characters of A-Z a-z 0-9 . _ ~ -");
  }

  void text(const std::string& pointer, std::string_view text, std::size_t most, bool may_be_empty = true) {
    if (text.size() > most)
      fail(pointer, "must be at most " + std::to_string(most) + " bytes");
    else if (text.empty() && !may_be_empty)
      fail(pointer, "must not be empty");
  }

  void unique(const std::string& pointer, std::unordered_set<std::string>& seen, const std::string& id) {
    if (!seen.insert(id).second)
      fail(pointer, "is used twice");
  }
};

std::string at(const std::string& pointer, std::size_t index) {
  return pointer + "/" + std::to_string(index);
}

void check_categories(const event_definition& d, checker& c) {
  if (d.categories.empty())
    c.fail("/categories", "must have at least one category");
  if (d.categories.size() > 1000)
    c.fail("/categories", "must have at most 1000 categories");
  std::unordered_set<std::string> seen;
  for (std::size_t i = 0; i < d.categories.size(); ++i) {
    auto here = at("/categories", i);
    const auto& category = d.categories[i];
    c.name(here + "/id", category.id);
    c.unique(here + "/id", seen, category.id);
    c.text(here + "/name", category.name, 200);
    if (category.price < 0 || category.price > 1'000'000'000'000)
      c.fail(here + "/price", "must be between 0 and 10^12 minor units");
  }
}

struct seen_ids {
  std::unordered_set<std::string> places; // blocks and areas share one space: a hold names either
  std::unordered_set<std::string> seats;
};

void check_block(const event_definition& d, const block_definition& block, const std::string& here, seen_ids& seen,
                 checker& c) {
  c.name(here + "/id", block.id);
  c.unique(here + "/id", seen.places, block.id);
  c.text(here + "/name", block.name, 200);
  auto seats = block.seat_count();
  if (seats == 0)
    c.fail(here + "/rows", "must have at least one seat");
  if (seats > block_seats_max)
    c.fail(here + "/rows", "must have at most " + std::to_string(block_seats_max) + " seats; split the block");
  std::unordered_set<std::string> rows;
  for (std::size_t r = 0; r < block.rows.size(); ++r) {
    auto row_at = at(here + "/rows", r);
    const auto& row = block.rows[r];
    c.text(row_at + "/id", row.id, 64, false);
    c.unique(row_at + "/id", rows, row.id);
    for (std::size_t s = 0; s < row.seats.size(); ++s) {
      const auto& seat = row.seats[s];
      auto seat_at = at(row_at + "/seats", s);
      c.name(seat_at + "/id", seat.id);
      c.unique(seat_at + "/id", seen.seats, seat.id);
      c.text(seat_at + "/number", seat.number, 64);
      if (seat.category >= d.categories.size())
        c.fail(seat_at + "/category", "names no category of this event");
    }
  }
}

void check_places(const event_definition& d, checker& c) {
  seen_ids seen;
  std::unordered_set<std::string> sections;
  std::size_t blocks = 0;
  for (std::size_t s = 0; s < d.sections.size(); ++s) {
    auto here = at("/sections", s);
    c.name(here + "/id", d.sections[s].id);
    c.unique(here + "/id", sections, d.sections[s].id);
    c.text(here + "/name", d.sections[s].name, 200);
    for (std::size_t b = 0; b < d.sections[s].blocks.size(); ++b, ++blocks)
      check_block(d, d.sections[s].blocks[b], at(here + "/blocks", b), seen, c);
  }
  for (std::size_t a = 0; a < d.areas.size(); ++a, ++blocks) {
    auto here = at("/areas", a);
    const auto& area = d.areas[a];
    c.name(here + "/id", area.id);
    c.unique(here + "/id", seen.places, area.id);
    c.text(here + "/name", area.name, 200);
    c.range(here + "/capacity", area.capacity, 1, 10'000'000);
    if (area.category >= d.categories.size())
      c.fail(here + "/category", "names no category of this event");
  }
  if (blocks == 0)
    c.fail("", "must have at least one block of seats or one area");
  if (blocks > blocks_max)
    c.fail("/sections", "must have at most " + std::to_string(blocks_max) + " blocks and areas together");
  if (seen.seats.size() > seats_max)
    c.fail("/sections", "must have at most " + std::to_string(seats_max) + " seats");
}

} // namespace

std::size_t block_definition::seat_count() const {
  std::size_t count = 0;
  for (const auto& row : rows)
    count += row.seats.size();
  return count;
}

std::uint64_t event_definition::capacity() const {
  std::uint64_t total = 0;
  for (const auto& section : sections)
    for (const auto& block : section.blocks)
      total += block.seat_count();
  for (const auto& area : areas)
    total += area.capacity;
  return total;
}

admission_settings patched(admission_settings settings, const admission_patch& patch) {
  settings.users_per_minute = patch.users_per_minute.value_or(settings.users_per_minute);
  settings.max_active_users = patch.max_active_users.value_or(settings.max_active_users);
  settings.active_ttl_seconds = patch.active_ttl_seconds.value_or(settings.active_ttl_seconds);
  settings.claim_window_seconds = patch.claim_window_seconds.value_or(settings.claim_window_seconds);
  settings.waiting_ttl_seconds = patch.waiting_ttl_seconds.value_or(settings.waiting_ttl_seconds);
  settings.batch_ms = patch.batch_ms.value_or(settings.batch_ms);
  settings.max_waiting_users = patch.max_waiting_users.value_or(settings.max_waiting_users);
  return settings;
}

std::vector<definition_error> check(const admission_settings& a, const std::string& pointer) {
  checker c;
  c.range(pointer + "/usersPerMinute", a.users_per_minute, 1, 6'000'000);
  c.range(pointer + "/maxActiveUsers", a.max_active_users, 1, 1'000'000);
  c.range(pointer + "/activeTtlSeconds", a.active_ttl_seconds, 5, 86'400);
  c.range(pointer + "/claimWindowSeconds", a.claim_window_seconds, 1, 86'400);
  c.range(pointer + "/waitingTtlSeconds", a.waiting_ttl_seconds, 10, 604'800);
  c.range(pointer + "/batchMs", a.batch_ms, 10, 10'000);
  c.range(pointer + "/maxWaitingUsers", a.max_waiting_users, 0, 1'000'000'000);
  return c.errors;
}

std::vector<definition_error> check(const event_definition& d) {
  checker c;
  c.name("/id", d.id);
  c.text("/name", d.name, 200, false);
  c.text("/venue", d.venue, 200);
  if (d.currency.size() != 3 ||
      !std::all_of(d.currency.begin(), d.currency.end(), [](char x) { return x >= 'A' && x <= 'Z'; }))
    c.fail("/currency", "must be an ISO 4217 code such as EUR");
  if (d.sale_opens_at && d.sale_closes_at && *d.sale_closes_at <= *d.sale_opens_at)
    c.fail("/sale/closesAt", "must be later than /sale/opensAt");
  check_categories(d, c);
  check_places(d, c);
  for (auto& error : check(d.admission, "/admission"))
    c.fail(std::move(error.pointer), std::move(error.detail));
  c.range("/holdTtlSeconds", d.hold_ttl_seconds, 5, 86'400);
  c.range("/holdExtensionsMax", d.hold_extensions_max, 0, 10);
  c.range("/limitPerUser", d.limit_per_user, 1, 10'000);
  c.range("/paymentWindowSeconds", d.payment_window_seconds, 10, 3'600);
  return c.errors;
}

namespace {

/// Flattens a definition to pointer → value, blocks and areas by id, so that two of them can be laid side by side.
std::map<std::string, std::string> flattened(const event_definition& d) {
  std::map<std::string, std::string> flat;
  auto put = [&](std::string pointer, auto value) {
    if constexpr (std::is_convertible_v<decltype(value), std::string>)
      flat[std::move(pointer)] = std::move(value);
    else
      flat[std::move(pointer)] = std::to_string(value);
  };
  auto category = [&](std::uint32_t i) { return i < d.categories.size() ? d.categories[i].id : std::string{}; };
  put("/name", d.name);
  put("/venue", d.venue);
  put("/startsAt", to_ms(d.starts_at));
  put("/timeZone", d.time_zone);
  if (d.sale_opens_at)
    put("/sale/opensAt", to_ms(*d.sale_opens_at));
  if (d.sale_closes_at)
    put("/sale/closesAt", to_ms(*d.sale_closes_at));
  put("/currency", d.currency);
  put("/holdTtlSeconds", d.hold_ttl_seconds);
  put("/holdExtensionsMax", d.hold_extensions_max);
  put("/limitPerUser", d.limit_per_user);
  put("/paymentWindowSeconds", d.payment_window_seconds);
  put("/keepActiveAfterBooking", std::string{d.keep_active_after_booking ? "true" : "false"});
  put("/identity", std::string{d.identity == identity_mode::trusted ? "trusted" : "anonymous"});
  put("/admission/usersPerMinute", d.admission.users_per_minute);
  put("/admission/maxActiveUsers", d.admission.max_active_users);
  put("/admission/activeTtlSeconds", d.admission.active_ttl_seconds);
  put("/admission/claimWindowSeconds", d.admission.claim_window_seconds);
  put("/admission/waitingTtlSeconds", d.admission.waiting_ttl_seconds);
  put("/admission/batchMs", d.admission.batch_ms);
  put("/admission/maxWaitingUsers", d.admission.max_waiting_users);
  for (const auto& c : d.categories) {
    put("/categories/" + c.id + "/name", c.name);
    put("/categories/" + c.id + "/price", c.price);
  }
  for (const auto& section : d.sections)
    for (const auto& block : section.blocks) {
      auto here = "/blocks/" + block.id;
      put(here + "/section", section.id);
      put(here + "/name", block.name);
      put(here + "/seats", block.seat_count());
      for (const auto& row : block.rows)
        for (const auto& seat : row.seats)
          put("/seats/" + seat.id, block.id + " " + row.id + " " + seat.number + " " + category(seat.category));
    }
  for (const auto& area : d.areas) {
    put("/areas/" + area.id + "/name", area.name);
    put("/areas/" + area.id + "/capacity", area.capacity);
    put("/areas/" + area.id + "/category", category(area.category));
  }
  return flat;
}

} // namespace

std::vector<definition_change> difference(const event_definition& from, const event_definition& to) {
  auto before = flattened(from);
  auto after = flattened(to);
  std::vector<definition_change> changes;
  for (const auto& [pointer, value] : before) {
    auto found = after.find(pointer);
    if (found == after.end())
      changes.push_back({pointer, value, {}});
    else if (found->second != value)
      changes.push_back({pointer, value, found->second});
  }
  for (const auto& [pointer, value] : after)
    if (!before.contains(pointer))
      changes.push_back({pointer, {}, value});
  std::sort(changes.begin(), changes.end(), [](const auto& a, const auto& b) { return a.pointer < b.pointer; });
  return changes;
}

} // namespace sluice::domain
