#include "cluster/raft/log.hpp"

#include <algorithm>

namespace sluice::raft {

namespace {

std::size_t footprint(const entry& e) {
  return e.bytes() + sizeof(entry);
}

} // namespace

std::deque<log_view::run>::const_iterator log_view::run_of(log_index index) const {
  // Nearly every question is about the current term.
  if (runs_.back().first <= index)
    return runs_.end() - 1;
  auto after =
      std::upper_bound(runs_.begin(), runs_.end(), index, [](log_index i, const run& r) { return i < r.first; });
  return after - 1;
}

log_term log_view::term_at(log_index index) const {
  if (index < base_ || index > last_)
    return 0;
  return index == base_ ? base_term_ : run_of(index)->term;
}

log_index log_view::run_start(log_index index) const {
  return index <= base_ || index > last_ ? base_ : run_of(index)->first;
}

log_index log_view::last_of_term(log_term term, log_index index) const {
  if (index > last_)
    index = last_;
  if (index < base_)
    return 0;
  auto after = std::upper_bound(runs_.begin(), runs_.end(), term, [](log_term t, const run& r) { return t < r.term; });
  if (after == runs_.begin() || (after - 1)->term != term)
    return base_term_ == term ? base_ : 0;
  auto end = after == runs_.end() ? last_ : after->first - 1;
  return (after - 1)->first <= index ? std::min(end, index) : 0;
}

void log_view::append(entry e) {
  if (runs_.empty() || runs_.back().term != e.term)
    runs_.push_back({e.index, e.term});
  last_ = e.index;
  cached_bytes_ += footprint(e);
  unapplied_bytes_ += e.bytes();
  cache_.push_back(std::move(e));
}

void log_view::truncate_from(log_index index) {
  while (!cache_.empty() && cache_.back().index >= index) {
    cached_bytes_ -= footprint(cache_.back());
    unapplied_bytes_ -= cache_.back().bytes();
    cache_.pop_back();
  }
  while (!runs_.empty() && runs_.back().first >= index)
    runs_.pop_back();
  last_ = std::min(last_, index - 1);
}

void log_view::compact_to(log_index new_base) {
  if (new_base <= base_)
    return;
  base_term_ = term_at(new_base);
  base_ = new_base;
  while (!runs_.empty() && (runs_.size() == 1 ? last_ <= base_ : runs_[1].first <= base_ + 1))
    runs_.pop_front();
  if (!runs_.empty())
    runs_.front().first = std::max(runs_.front().first, base_ + 1);
  while (!cache_.empty() && cache_.front().index <= base_) {
    cached_bytes_ -= footprint(cache_.front());
    cache_.pop_front();
  }
}

void log_view::reset(log_index index, log_term term) {
  base_ = last_ = applied_ = index;
  base_term_ = term;
  runs_.clear();
  cache_.clear();
  cached_bytes_ = unapplied_bytes_ = 0;
}

void log_view::applied_to(log_index index) {
  for (; applied_ < index; ++applied_)
    if (is_cached(applied_ + 1))
      unapplied_bytes_ -= at(applied_ + 1).bytes();
  evict();
}

void log_view::evict() {
  while (cached_bytes_ > cached_bytes_max_ && !cache_.empty() && cache_.front().index <= applied_) {
    cached_bytes_ -= footprint(cache_.front());
    cache_.pop_front();
  }
}

} // namespace sluice::raft
