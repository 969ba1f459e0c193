// Which concert dates sell fastest: seats paid for, by date, over all events. Lives in placement group 0.
#pragma once

#include "domain/effects.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sluice::domain {

/// What one event reported last. Absolute figures: a repeated or late note does no harm.
struct event_count {
  std::uint64_t sequence = 0;
  std::string date;
  std::uint64_t sold = 0;
  wall_time last_sale{};

  friend bool operator==(const event_count&, const event_count&) = default;
};

struct ranking_state {
  std::map<event_number, event_count> events;

  friend bool operator==(const ranking_state&, const ranking_state&) = default;
};

/// The ranking machine. A date's entry goes 30 days after its last counted sale.
/// Owned by one entity actor, hence unsynchronised. Deterministic.
class ranking {
public:
  static constexpr std::chrono::days retention{30};

  ranking() = default;

  explicit ranking(ranking_state state) : state_{std::move(state)} {}

  void begin(const moment& at, effects& out);
  void apply(const moment& at, const message& m, effects& out);
  void finish(const moment& at, effects& out);

  reply ask(const entry_time&, const message&) const { return refusal{errc::not_found, {}, {}}; }

  std::optional<log_time> next_deadline(const entry_time& now) const;
  void publish_all(const entry_time& now, effects& out);

  const ranking_state& state() const { return state_; }

  /// Most sold first, ties by the earlier last sale, then by date.
  std::vector<ranking_entry> ranked() const;

private:
  void on(const moment& at, const sold_count& n, effects& out);
  std::map<std::string, wall_time> last_sale_by_date() const;

  ranking_state state_;
  bool changed_ = false;
};

} // namespace sluice::domain
