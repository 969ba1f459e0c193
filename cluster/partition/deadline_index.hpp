// When which entity wants a pulse. Lives in the partition, not in the entities, so that nothing that is due depends on an
// entity being active.
#pragma once

#include "core/entity.hpp"
#include "core/time.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <unordered_map>
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
        by_time_.erase({known->second.at, &known->first});
      if (!at) {
        by_entity_.erase(known);
        return;
      }
    } else if (at) {
      known = by_entity_.try_emplace(entity).first;
    } else {
      return;
    }
    known->second = {*at, false};
    by_time_.insert({*at, &known->first});
  }

  /// Entities due at `now` whose pulse is not under way yet; it is from here on.
  std::vector<entity_ref> take_due(log_time now) {
    std::vector<entity_ref> due;
    while (!by_time_.empty() && by_time_.begin()->at <= now) {
      due.push_back(*by_time_.begin()->entity);
      by_entity_.at(due.back()).pulsing = true;
      by_time_.erase(by_time_.begin());
    }
    return due;
  }

  /// The earliest deadline whose pulse is not under way.
  std::optional<log_time> next() const {
    if (by_time_.empty())
      return std::nullopt;
    return by_time_.begin()->at;
  }

  /// No pulse is under way any more (another leader took over, or this one begins).
  void forget_pulses() {
    for (auto& [entity, s] : by_entity_)
      if (std::exchange(s.pulsing, false))
        by_time_.insert({s.at, &entity});
  }

  /// The group's deadlines come that much later. Ends pulses that were under way for it.
  void delay_group(event_number event, milliseconds by) {
    std::vector<std::pair<entity_ref, log_time>> later;
    for (const auto& [entity, s] : by_entity_)
      if (entity.event == event)
        later.emplace_back(entity, s.at + by);
    for (const auto& [entity, at] : later)
      set(entity, at);
  }

  void erase_group(event_number event) {
    std::erase_if(by_time_, [&](const auto& d) { return d.entity->event == event; });
    std::erase_if(by_entity_, [&](const auto& d) { return d.first.event == event; });
  }

  /// In the order of the entities.
  std::vector<std::pair<entity_ref, log_time>> all() const {
    std::vector<std::pair<entity_ref, log_time>> all;
    for (const auto& [entity, s] : by_entity_)
      all.emplace_back(entity, s.at);
    std::sort(all.begin(), all.end());
    return all;
  }

private:
  struct slot {
    log_time at;
    bool pulsing = false;
  };

  struct due_at {
    log_time at;
    const entity_ref* entity; // in by_entity_

    friend bool operator<(const due_at& a, const due_at& b) {
      return a.at != b.at ? a.at < b.at : *a.entity < *b.entity;
    }
  };

  std::unordered_map<entity_ref, slot> by_entity_; // its order reaches nobody
  std::set<due_at> by_time_;                       // those not pulsing
};

} // namespace sluice::partition
