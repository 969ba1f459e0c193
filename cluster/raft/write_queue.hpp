// What was given to the disk and what it has confirmed. Owned by one core.
// Invariant: the ends of pending writes never fall, and none reaches beyond what the log still holds, so that a write
// whose entries were cut off again never makes other entries at these places look durable.
#pragma once

#include "core/ids.hpp"
#include "core/time.hpp"

#include <algorithm>
#include <cstdint>
#include <deque>

namespace sluice::raft {

class write_queue {
public:
  /// The id the next write will have.
  std::uint64_t next_id() const { return next_id_; }

  std::uint64_t done_id() const { return done_id_; }

  /// Entries up to here are durable and still in the log.
  log_index durable_index() const { return durable_; }

  void reset(log_index durable) { durable_ = durable; }

  /// The write `next_id()` is on its way; it makes everything up to `end` durable.
  void issued(log_index end, host_time now) {
    pending_.push_back({next_id_, end, now});
    ++next_id_;
  }

  bool is_idle() const { return pending_.empty(); }

  /// How long the disk has been at the oldest write.
  host_clock::duration waiting(host_time now) const {
    return pending_.empty() ? host_clock::duration{} : now - pending_.front().since;
  }

  /// False: no such write.
  bool confirmed(std::uint64_t id) {
    if (id >= next_id_)
      return false;
    for (; !pending_.empty() && pending_.front().id <= id; pending_.pop_front())
      durable_ = std::max(durable_, pending_.front().end);
    done_id_ = std::max(done_id_, id);
    return true;
  }

  /// The log was cut after `end`.
  void cut(log_index end) {
    durable_ = std::min(durable_, end);
    for (auto w = pending_.rbegin(); w != pending_.rend() && w->end > end; ++w)
      w->end = end;
  }

  /// The write after which `index` is durable, 0 if it is. An index not yet issued comes with the next write.
  std::uint64_t covering(log_index index) const {
    if (index <= durable_)
      return 0;
    auto w = std::lower_bound(pending_.begin(), pending_.end(), index,
                              [](const pending& p, log_index i) { return p.end < i; });
    return w == pending_.end() ? next_id_ : w->id;
  }

private:
  struct pending {
    std::uint64_t id;
    log_index end;
    host_time since;
  };

  std::uint64_t next_id_ = 1;
  std::uint64_t done_id_ = 0;
  log_index durable_ = 0;
  std::deque<pending> pending_;
};

} // namespace sluice::raft
