// When which entity wants a pulse. Lives in the partition, not in the entities, so that nothing that is due depends on an
// entity being active.
#pragma once

#include "core/entity.hpp"
#include "core/time.hpp"

#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace sluice::partition {

/// Owned by one partition core. Its content is a function of the log; which pulses are under way is the leader's own.
class deadline_index {
public:
  /// The entity's deadline from now on. Ends a pulse that was under way for it.
  void set(const entity_ref& entity, std::optional<log_time> at) {
    auto known = by_entity_.find(entity);
    if (known != by_entity_.end()) {
      if (at && known->second.at == *at && !known->second.pulsing)
        return;
      if (!known->second.pulsing)
        by_time_.erase({known->second.at, entity});
      by_entity_.erase(known);
    }
    if (at) {
      by_entity_.emplace(entity, slot{*at, false});
      by_time_.insert({*at, entity});
    }
  }

  /// Entities due at `now` whose pulse is not under way yet; it is from here on.
  std::vector<entity_ref> take_due(log_time now) {
    std::vector<entity_ref> due;
    while (!by_time_.empty() && by_time_.begin()->first <= now) {
      due.push_back(by_time_.begin()->second);
      by_entity_.at(due.back()).pulsing = true;
      by_time_.erase(by_time_.begin());
    }
    return due;
  }

  /// The earliest deadline whose pulse is not under way.
  std::optional<log_time> next() const {
    if (by_time_.empty())
      return std::nullopt;
    return by_time_.begin()->first;
  }

  /// No pulse is under way any more (another leader took over, or this one begins).
  void forget_pulses() {
    for (auto& [entity, s] : by_entity_)
      if (std::exchange(s.pulsing, false))
        by_time_.insert({s.at, entity});
  }

  void erase_group(event_number event) {
    std::erase_if(by_time_, [&](const auto& d) { return d.second.event == event; });
    std::erase_if(by_entity_, [&](const auto& d) { return d.first.event == event; });
  }

  std::vector<std::pair<entity_ref, log_time>> all() const {
    std::vector<std::pair<entity_ref, log_time>> all;
    for (const auto& [entity, s] : by_entity_)
      all.emplace_back(entity, s.at);
    return all;
  }

private:
  struct slot {
    log_time at;
    bool pulsing = false;
  };

  std::map<entity_ref, slot> by_entity_;
  std::set<std::pair<log_time, entity_ref>> by_time_; // those not pulsing
};

} // namespace sluice::partition
