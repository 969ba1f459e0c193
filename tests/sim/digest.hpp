// A fingerprint of every entity of one replica, kept up entry by entry, so that two executions can be compared at any index.
#pragma once

#include "actors/entity_shell.hpp"
#include "core/entity.hpp"

#include <cstdint>
#include <map>

namespace sluice::simulation {

/// What an entity would save, as a number; 0 for one that holds nothing.
std::uint64_t digest_of(const entity_ref& ref, const actors::entity_shell& shell);

/// Owned by one replica.
class digest {
public:
  void set(const entity_ref& ref, std::uint64_t value) {
    auto& known = values_[ref];
    sum_ += value - known;
    known = value;
  }

  void erase_group(event_number event) {
    for (auto at = values_.begin(); at != values_.end();) {
      if (at->first.event != event) {
        ++at;
        continue;
      }
      sum_ -= at->second;
      at = values_.erase(at);
    }
  }

  std::uint64_t of(const entity_ref& ref) const {
    auto known = values_.find(ref);
    return known == values_.end() ? 0 : known->second;
  }

  std::uint64_t sum() const { return sum_; }

  const std::map<entity_ref, std::uint64_t>& values() const { return values_; }

private:
  std::map<entity_ref, std::uint64_t> values_;
  std::uint64_t sum_ = 0;
};

} // namespace sluice::simulation
