// Event definitions as operators write them, drawn and changed at random, always small.
#pragma once

#include "scene.hpp"

#include "domain/event_definition.hpp"

#include <set>

namespace sluice::simulation {

/// Draws the definitions of one event. Every rate it ever sets is another one, so that facts can name their settings by it.
class definition_book {
public:
  definition_book(scene& run, std::string slug) : run_{run}, slug_{std::move(slug)} {}

  domain::event_definition first();
  /// One or a few changes: seats, areas, prices, rates, times, limits.
  domain::event_definition next();
  /// New admission settings, all or only some, always with a rate never used before.
  domain::admission_patch patch();

  /// What the operator wants now; refusals may leave the engine with an earlier one.
  const domain::event_definition& current() const { return now_; }

  /// A definition for a time after all faults: everybody can book.
  domain::event_definition calm();

private:
  void change_seats();
  void change_areas();
  void change_terms();
  void draw_admission(domain::admission_settings& a);
  std::uint32_t fresh_rate(std::int64_t low, std::int64_t high);
  domain::block_definition new_block();
  domain::seat_definition new_seat();

  scene& run_;
  std::string slug_;
  domain::event_definition now_;
  std::uint32_t seats_made_ = 0;
  std::uint32_t blocks_made_ = 0;
  std::uint32_t rows_made_ = 0;
  std::set<std::uint32_t> rates_;
};

} // namespace sluice::simulation
