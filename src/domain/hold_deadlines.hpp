// When which hold lapses, the earliest first.
#pragma once

#include "core/ids.hpp"
#include "core/time.hpp"

#include <map>
#include <set>

namespace sluice::domain {

/// By time, then by id. Tens of thousands may be open and many end in the same millisecond, mostly the last one known:
/// a new one is compared by id with those few only.
/// Owned by one machine. Deterministic.
class hold_deadlines {
public:
  void add(log_time at, const hold_id& id) { by_time_.try_emplace(by_time_.end(), at)->second.insert(id); }

  /// Nothing happens if it is not there.
  void remove(log_time at, const hold_id& id) {
    auto found = by_time_.find(at);
    if (found != by_time_.end() && found->second.erase(id) > 0 && found->second.empty())
      by_time_.erase(found);
  }

  bool empty() const { return by_time_.empty(); }

  /// Of the earliest. Call when not empty; so for `take_first`.
  log_time first() const { return by_time_.begin()->first; }

  hold_id take_first() {
    auto first = by_time_.begin();
    auto id = first->second.extract(first->second.begin()).value();
    if (first->second.empty())
      by_time_.erase(first);
    return id;
  }

private:
  std::map<log_time, std::set<hold_id>> by_time_;
};

} // namespace sluice::domain
