// The small parts of the simulator: chance, slabs, logs, disks.
#pragma once

#include "cluster/raft/types.hpp"
#include "core/hash.hpp"

#include <algorithm>
#include <cstring>
#include <deque>
#include <vector>

namespace sluice::sim {

/// All randomness of a run. SplitMix64: small, fast, the same everywhere.
class chance {
public:
  explicit chance(std::uint64_t seed) : state_{seed} {}

  std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15ull;
    auto z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }

  std::uint64_t below(std::uint64_t n) { return n < 2 ? 0 : next() % n; }

  std::int64_t between(std::int64_t low, std::int64_t high) {
    return high <= low ? low : low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low) + 1));
  }

  bool permille(std::uint64_t p) { return p != 0 && below(1000) < p; }

  bool coin() { return (next() & 1) != 0; }

  /// Small and large magnitudes alike.
  std::int64_t spread(std::int64_t low, std::int64_t high) {
    auto top = low;
    while (top < high && coin())
      top = std::min(high, top * 2 + 1);
    for (int i = 0; i < 3 && top < high && coin(); ++i)
      top = std::min(high, top * 8 + 1);
    return between(low, top);
  }

  /// Around `mean`, never far above: the time to the next fault.
  std::int64_t about(std::int64_t mean) { return between(mean / 4, mean * 7 / 4); }

private:
  std::uint64_t state_;
};

/// Things that wait in events, by number.
template <class T>
class slab {
public:
  std::uint32_t put(T thing) {
    if (free_.empty()) {
      things_.push_back(std::move(thing));
      return static_cast<std::uint32_t>(things_.size() - 1);
    }
    auto slot = free_.back();
    free_.pop_back();
    things_[slot] = std::move(thing);
    return slot;
  }

  T take(std::uint32_t slot) {
    free_.push_back(slot);
    return std::move(things_[slot]);
  }

  const T& at(std::uint32_t slot) const { return things_[slot]; }

private:
  std::vector<T> things_;
  std::vector<std::uint32_t> free_;
};

/// A log by index, cheap at both ends. The place before the first entry has a term as well.
template <class T>
class indexed_log {
public:
  log_index base() const { return base_; }

  log_index last() const { return base_ + (items_.size() - head_); }

  bool has(log_index i) const { return i > base_ && i <= last(); }

  const T& at(log_index i) const { return items_[head_ + static_cast<std::size_t>(i - base_ - 1)]; }

  void push(T item) { items_.push_back(std::move(item)); }

  void truncate_from(log_index i) {
    while (last() >= i && last() > base_)
      items_.pop_back();
  }

  void drop_to(log_index new_base) {
    while (base_ < new_base && base_ < last()) {
      items_[head_] = T{};
      ++head_;
      ++base_;
    }
    base_ = std::max(base_, new_base);
    if (head_ > 1024 && head_ * 2 > items_.size()) {
      items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(head_));
      head_ = 0;
    }
  }

  void reset(log_index base) {
    items_.clear();
    head_ = 0;
    base_ = base;
  }

private:
  std::vector<T> items_;
  std::size_t head_ = 0;
  log_index base_ = 0;
};

/// The number a payload was made from; its first eight bytes.
inline std::uint64_t payload_number(const std::string& payload) {
  std::uint64_t n = 0;
  std::memcpy(&n, payload.data(), std::min(sizeof n, payload.size()));
  return n;
}

inline std::uint64_t hash_of_entry(const raft::entry& e) {
  auto h = mix(e.index * 31 + e.term) + static_cast<std::uint64_t>(e.kind);
  if (e.payload)
    h ^= mix(payload_number(*e.payload) + 0x9E37);
  if (e.members) {
    for (auto v : e.members->voters)
      h = mix(h ^ v.value);
    h = mix(h);
    for (auto v : e.members->learners)
      h = mix(h ^ v.value);
  }
  return mix(h);
}

/// What a replica believes to have written: one record per entry.
struct shadow_entry {
  log_term term = 0;
  std::uint64_t hash = 0;
};

struct shadow_log {
  indexed_log<shadow_entry> entries;
  log_term base_term = 0;

  struct config {
    log_index index;
    std::shared_ptr<const raft::membership> members;
  };

  std::vector<config> configs; // the first one is the start's

  log_term term_at(log_index i) const {
    if (i == entries.base())
      return base_term;
    return entries.has(i) ? entries.at(i).term : 0;
  }
};

/// A disk with a queue of writes, each atomic. A crash keeps a prefix of the queue.
struct sim_disk {
  raft::hard_state state;
  std::optional<raft::snapshot_ref> snapshot;
  indexed_log<raft::entry> log;
  std::deque<raft::write> queue;
  std::uint64_t syncing = 0; // the fsync under way covers writes up to here
  std::int64_t slow_until = 0;

  /// The term of an entry that a restart would find; everything below the checkpoint counts as there.
  bool holds(log_index i, log_term term) const {
    if (snapshot && i <= snapshot->index)
      return true;
    return log.has(i) && log.at(i).term == term;
  }

  void perform(const raft::write& w) {
    if (w.state)
      state = *w.state;
    if (w.install) {
      snapshot = w.install;
      if (snapshot->index == 0)
        snapshot.reset();
      log.reset(w.install->index);
    }
    if (w.truncate_from)
      log.truncate_from(*w.truncate_from);
    for (auto& e : w.append)
      log.push(e);
    if (w.drop_below)
      log.drop_to(*w.drop_below - 1);
  }
};

} // namespace sluice::sim
