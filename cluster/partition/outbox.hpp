// Notes to other partitions: numbered per destination, kept until acknowledged, sent again by every new leader. With the
// receiver's inbox they arrive exactly once and in order.
#pragma once

#include "cluster/partition/types.hpp"
#include "core/planted.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

namespace sluice::partition {

/// Each founding of the cluster numbers its notes from here: above all of the founding before.
constexpr std::uint64_t numbers_of(std::uint32_t founding) {
  return std::uint64_t{founding - 1} << 40;
}

/// Owned by one partition core. Content is a function of the log.
class outbox {
public:
  struct item {
    std::uint64_t sequence = 0;
    entity_ref to;
    std::string body;
    bool is_step = false; // for the partition itself
  };

  struct lane {
    std::uint64_t last = 0; // sequence given last
    std::deque<item> items; // not acknowledged yet
  };

  const item& add(partition_id to, const entity_ref& entity, std::string body, bool is_step = false) {
    auto& l = lanes_.try_emplace(to, lane{base_, {}}).first->second;
    l.items.push_back({++l.last, entity, std::move(body), is_step});
    return l.items.back();
  }

  void drop_steps(partition_id to) {
    if (auto known = lanes_.find(to); known != lanes_.end())
      std::erase_if(known->second.items, [](const item& i) { return i.is_step; });
  }

  /// What a receiver remembers of us may be more, or less, than we do. All that was not acknowledged goes again.
  void begin_anew(std::uint32_t founding) {
    base_ = numbers_of(founding);
    for (auto& [to, l] : lanes_) {
      l.last = base_;
      for (auto& i : l.items)
        i.sequence = ++l.last;
    }
  }

  void acknowledge(partition_id to, std::uint64_t sequence) {
    auto known = lanes_.find(to);
    if (known == lanes_.end())
      return;
    auto& items = known->second.items;
    while (!items.empty() && items.front().sequence <= sequence)
      items.pop_front();
  }

  /// All up to that one were acknowledged.
  bool has_arrived(partition_id to, std::uint64_t sequence) const {
    auto known = lanes_.find(to);
    return known == lanes_.end() || known->second.items.empty() || known->second.items.front().sequence > sequence;
  }

  const std::map<partition_id, lane>& lanes() const { return lanes_; }

  void restore(std::uint32_t founding) { base_ = numbers_of(founding); }

  void restore(partition_id to, std::uint64_t last) { lanes_[to].last = last; }

  void restore(partition_id to, item i) { lanes_[to].items.push_back(std::move(i)); }

  std::size_t size() const {
    std::size_t count = 0;
    for (const auto& [to, l] : lanes_)
      count += l.items.size();
    return count;
  }

private:
  std::map<partition_id, lane> lanes_;
  std::uint64_t base_ = 0; // lanes begin behind it
};

/// How far this leader has sent each lane: go-back-N. Not part of the state; it begins with what is not acknowledged.
class courier {
public:
  /// `window`: notes of a lane under way at a time, at least 1. More would never drain from who can not keep up.
  explicit courier(std::size_t window) : window_{window} {}

  /// What is not acknowledged goes again, from the first.
  void start_over() { sent_.clear(); }

  /// Says `send(item)` for what the window has room for and was not sent yet, in sequence.
  template <class Send>
  void advance(partition_id to, const outbox::lane& lane, Send send) {
    if (lane.items.empty())
      return;
    auto first = lane.items.front().sequence;
    auto& sent = sent_[to];
    sent = std::max(sent, first - 1);
    while (sent < lane.last && (sent + 1 - first < window_ || is_planted(planted::resends_everything)))
      send(lane.items[++sent - first]);
  }

private:
  std::size_t window_;
  std::map<partition_id, std::uint64_t> sent_; // the highest sequence
};

/// The highest contiguous note received per sender.
class inbox {
public:
  /// True exactly once per note, in sequence; false for a repeat or one that came too early (it will be sent again). The
  /// first of another founding follows on whatever was the last before.
  bool accept(const note_source& from) {
    auto& last = received_[from.partition];
    if (from.sequence <= last && is_planted(planted::repeated_note))
      return true;
    bool is_first = (from.sequence & (numbers_of(2) - 1)) == 1;
    if (from.sequence != last + 1 && (!is_first || from.sequence <= last))
      return false;
    last = from.sequence;
    return true;
  }

  std::uint64_t received_from(partition_id partition) const {
    auto known = received_.find(partition);
    return known == received_.end() ? 0 : known->second;
  }

  const std::map<partition_id, std::uint64_t>& all() const { return received_; }

  void restore(partition_id partition, std::uint64_t sequence) { received_[partition] = sequence; }

private:
  std::map<partition_id, std::uint64_t> received_;
};

} // namespace sluice::partition
