// The configurations in the kept log, oldest first. The one in force is always the last one, committed or not
// (thesis 4.1), so that a truncation brings the one before it back. Owned by one core.
#pragma once

#include "cluster/raft/types.hpp"

#include <deque>
#include <memory>

namespace sluice::raft {

class config_history {
public:
  /// A checkpoint's members, or the bootstrap membership at index 0.
  void reset(log_index index, membership members) {
    items_.clear();
    items_.push_back({index, std::make_shared<const membership>(std::move(members))});
  }

  void append(log_index index, std::shared_ptr<const membership> members) {
    items_.push_back({index, std::move(members)});
  }

  void truncate_from(log_index index) {
    while (items_.size() > 1 && items_.back().index >= index)
      items_.pop_back();
  }

  /// Drops what no index at or above `index` needs.
  void compact_to(log_index index) {
    while (items_.size() > 1 && items_[1].index <= index)
      items_.pop_front();
  }

  const membership& latest() const { return *items_.back().members; }

  log_index latest_index() const { return items_.back().index; }

  /// The one before the latest; null when there is none in the kept log.
  const membership* previous() const { return items_.size() < 2 ? nullptr : items_[items_.size() - 2].members.get(); }

  const membership& at(log_index index) const { return *item_at(index).members; }

  log_index index_at(log_index index) const { return item_at(index).index; }

private:
  struct item {
    log_index index;
    std::shared_ptr<const membership> members;
  };

  const item& item_at(log_index index) const {
    auto found = items_.rbegin();
    while (found + 1 != items_.rend() && found->index > index)
      ++found;
    return *found;
  }

  std::deque<item> items_{{0, std::make_shared<const membership>()}};
};

} // namespace sluice::raft
