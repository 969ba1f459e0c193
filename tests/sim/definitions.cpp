#include "definitions.hpp"

namespace sluice::simulation {

using namespace domain;

std::uint32_t definition_book::fresh_rate(std::int64_t low, std::int64_t high) {
  auto rate = static_cast<std::uint32_t>(run_.dice.spread(low, high));
  while (!rates_.insert(rate).second)
    ++rate;
  return rate;
}

void definition_book::draw_admission(admission_settings& a) {
  auto& dice = run_.dice;
  a.users_per_minute = fresh_rate(60, 6'000);
  a.max_active_users = static_cast<std::uint32_t>(dice.spread(1, 12));
  a.active_ttl_seconds = static_cast<std::uint32_t>(dice.between(5, 20));
  a.claim_window_seconds = static_cast<std::uint32_t>(dice.between(1, 5));
  a.waiting_ttl_seconds = static_cast<std::uint32_t>(dice.between(10, 30));
  a.batch_ms = static_cast<std::uint32_t>(dice.spread(10, 2'000));
  a.max_waiting_users = dice.below(4) == 0 ? static_cast<std::uint32_t>(dice.between(1, 6)) : 0;
}

seat_definition definition_book::new_seat() {
  seat_definition s;
  s.id = "s" + std::to_string(++seats_made_);
  s.number = std::to_string(seats_made_);
  s.category = static_cast<std::uint32_t>(run_.dice.below(now_.categories.size()));
  return s;
}

block_definition definition_book::new_block() {
  block_definition b;
  b.id = "b" + std::to_string(++blocks_made_);
  b.name = "Block " + b.id;
  auto rows = run_.dice.between(1, 2);
  for (std::int64_t r = 0; r < rows; ++r) {
    row_definition row{"r" + std::to_string(++rows_made_), {}};
    auto seats = run_.dice.between(1, 6);
    for (std::int64_t s = 0; s < seats; ++s)
      row.seats.push_back(new_seat());
    b.rows.push_back(std::move(row));
  }
  return b;
}

event_definition definition_book::first() {
  auto& dice = run_.dice;
  auto& d = now_;
  d.id = slug_;
  d.name = "Event " + slug_;
  d.venue = "Hall";
  d.starts_at = run_.wall() + std::chrono::hours{24 * 30};
  d.local_date = "2026-0" + std::to_string(dice.between(1, 9)) + "-1" + std::to_string(dice.between(0, 3));
  d.categories = {{"front", "Front", 4'500}, {"back", "Back", dice.between(1, 3'000)}, {"press", "Press", 0}};
  section_definition section{"hall", "Hall", {}};
  auto blocks = dice.between(1, 3);
  for (std::int64_t b = 0; b < blocks; ++b)
    section.blocks.push_back(new_block());
  d.sections = {section};
  if (dice.coin())
    d.areas.push_back({"a" + std::to_string(++blocks_made_), "Floor", static_cast<std::uint32_t>(dice.below(3)),
                       static_cast<std::uint32_t>(dice.spread(1, 30))});
  draw_admission(d.admission);
  d.hold_ttl_seconds = static_cast<std::uint32_t>(dice.between(5, 10));
  d.hold_extensions_max = static_cast<std::uint32_t>(dice.between(0, 5));
  d.limit_per_user = static_cast<std::uint32_t>(dice.between(1, 8));
  d.payment_window_seconds = static_cast<std::uint32_t>(dice.between(10, 15));
  d.keep_active_after_booking = dice.coin();
  if (dice.below(4) == 0)
    d.sale_opens_at = run_.wall() + milliseconds{dice.between(100, 8'000)};
  if (dice.below(4) == 0)
    d.sale_closes_at = run_.wall() + milliseconds{dice.between(10'000, 40'000)};
  return d;
}

event_definition definition_book::next() {
  auto changes = run_.dice.between(1, 3);
  for (std::int64_t i = 0; i < changes; ++i)
    switch (run_.dice.below(3)) {
    case 0:
      change_seats();
      break;
    case 1:
      change_areas();
      break;
    default:
      change_terms();
    }
  now_.admission.users_per_minute = fresh_rate(60, 6'000);
  if (run_.dice.coin())
    now_.name = "Event " + slug_ + " at rate " + std::to_string(now_.admission.users_per_minute);
  return now_;
}

void definition_book::change_seats() {
  auto& dice = run_.dice;
  auto& blocks = now_.sections.front().blocks;
  if (dice.below(4) == 0 || blocks.empty()) {
    blocks.push_back(new_block());
    return;
  }
  auto& rows = dice.one_of(blocks).rows;
  auto& row = dice.one_of(rows);
  switch (dice.below(4)) {
  case 0: // one seat less, which may be somebody's
    if (row.seats.size() > 1)
      row.seats.erase(row.seats.begin() + static_cast<std::ptrdiff_t>(dice.below(row.seats.size())));
    return;
  case 1: // a block less
    if (blocks.size() > 1)
      blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(dice.below(blocks.size())));
    return;
  default:
    row.seats.push_back(new_seat());
  }
}

void definition_book::change_areas() {
  auto& dice = run_.dice;
  if (now_.areas.empty() || dice.below(4) == 0) {
    now_.areas.push_back({"a" + std::to_string(++blocks_made_), "Floor", static_cast<std::uint32_t>(dice.below(3)),
                          static_cast<std::uint32_t>(dice.spread(1, 30))});
    return;
  }
  if (dice.below(4) == 0) {
    now_.areas.pop_back();
    return;
  }
  dice.one_of(now_.areas).capacity = static_cast<std::uint32_t>(dice.spread(1, 30));
}

void definition_book::change_terms() {
  auto& dice = run_.dice;
  auto& d = now_;
  switch (dice.below(8)) {
  case 0:
    draw_admission(d.admission);
    return;
  case 1:
    d.limit_per_user = static_cast<std::uint32_t>(dice.between(1, 8));
    return;
  case 2:
    dice.one_of(d.categories).price = dice.coin() ? 0 : dice.between(1, 9'000);
    return;
  case 3:
    d.hold_ttl_seconds = static_cast<std::uint32_t>(dice.between(5, 10));
    d.hold_extensions_max = static_cast<std::uint32_t>(dice.between(0, 5));
    return;
  case 4:
    d.sale_closes_at.reset();
    if (dice.coin())
      d.sale_closes_at = run_.wall() + milliseconds{dice.between(-1'000, 20'000)};
    if (d.sale_opens_at && d.sale_closes_at && *d.sale_closes_at <= *d.sale_opens_at)
      d.sale_opens_at.reset();
    return;
  case 5:
    d.local_date = "2026-0" + std::to_string(dice.between(1, 9)) + "-1" + std::to_string(dice.between(0, 3));
    return;
  case 6:
    d.keep_active_after_booking = !d.keep_active_after_booking;
    return;
  default:
    d.name = "Event " + slug_ + " " + std::to_string(dice.below(100));
  }
}

admission_patch definition_book::patch() {
  auto& a = now_.admission;
  admission_patch p;
  p.users_per_minute = a.users_per_minute = fresh_rate(60, 6'000);
  if (run_.dice.coin())
    p.max_active_users = a.max_active_users = static_cast<std::uint32_t>(run_.dice.spread(1, 12));
  if (run_.dice.coin())
    p.batch_ms = a.batch_ms = static_cast<std::uint32_t>(run_.dice.spread(10, 2'000));
  if (run_.dice.below(3) == 0)
    p.waiting_ttl_seconds = a.waiting_ttl_seconds = static_cast<std::uint32_t>(run_.dice.between(10, 30));
  return p;
}

event_definition definition_book::calm() {
  first();
  auto& d = now_;
  d.sale_opens_at.reset();
  d.sale_closes_at.reset();
  d.categories = {{"front", "Front", 4'500}};
  for (auto& block : d.sections.front().blocks)
    for (auto& row : block.rows)
      for (auto& seat : row.seats)
        seat.category = 0;
  for (auto& area : d.areas)
    area.category = 0;
  d.admission.max_waiting_users = 0;
  return d;
}

} // namespace sluice::simulation
