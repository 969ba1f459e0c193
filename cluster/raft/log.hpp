// The log as the core sees it: the term of every kept index, in runs, and the payloads of its end.
// Owned by one core. Invariants: runs cover exactly (base, last] with terms that never fall; the cache is a contiguous
// end of the log and holds at least everything not yet applied; what is older is evicted beyond `cached_bytes_max`.
#pragma once

#include "cluster/raft/types.hpp"

#include <cstddef>
#include <deque>

namespace sluice::raft {

class log_view {
public:
  explicit log_view(std::size_t cached_bytes_max) : cached_bytes_max_{cached_bytes_max} {}

  /// The place before the first kept entry: a checkpoint's index, or 0.
  log_index base_index() const { return base_; }

  log_index last_index() const { return last_; }

  log_term last_term() const { return runs_.empty() ? base_term_ : runs_.back().term; }

  /// 0 outside [base, last].
  log_term term_at(log_index index) const;

  bool holds(log_index index, log_term term) const {
    return base_ <= index && index <= last_ && term_at(index) == term;
  }

  /// First kept index of the run of equal terms around `index`.
  log_index run_start(log_index index) const;
  /// Last index at or below `index` with exactly this term, or 0.
  log_index last_of_term(log_term term, log_index index) const;

  void append(entry e);
  void truncate_from(log_index index);
  /// Forgets everything up to and including `new_base`, which is applied.
  void compact_to(log_index new_base);
  /// Empty, after a checkpoint at this place.
  void reset(log_index index, log_term term);

  bool is_cached(log_index index) const { return index <= last_ && index + cache_.size() > last_; }

  log_index first_cached() const { return last_ + 1 - cache_.size(); }

  const entry& at(log_index index) const { return cache_[cache_.size() - 1 - static_cast<std::size_t>(last_ - index)]; }

  /// Everything up to here was handed out; its payloads are kept only while there is room.
  void applied_to(log_index index);

  log_index applied_index() const { return applied_; }

  std::size_t unapplied_bytes() const { return unapplied_bytes_; }

private:
  struct run {
    log_index first;
    log_term term;
  };

  std::deque<run>::const_iterator run_of(log_index index) const;
  void evict();

  std::size_t cached_bytes_max_;
  log_index base_ = 0;
  log_term base_term_ = 0;
  log_index last_ = 0;
  log_index applied_ = 0;
  std::deque<run> runs_;
  std::deque<entry> cache_;
  std::size_t cached_bytes_ = 0;    // with a share for each entry itself
  std::size_t unapplied_bytes_ = 0; // payloads only
};

} // namespace sluice::raft
