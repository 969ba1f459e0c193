// From a user to the latest ticket: an extendible hash table that grows one small segment at a time, so that no join
// ever waits for a rehash of millions.
#pragma once

#include "core/ids.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace sluice::domain {

/// Maps a 64-bit hash to candidates; the caller compares the users. Iteration order is never exposed.
/// After Fagin et al., "Extendible hashing" (1979). 8 bytes a slot at about 70 % fill: some 12 bytes a user.
/// Owned by one ticket book.
class user_index {
public:
  user_index();

  /// Calls `is_same(ticket)` for each candidate until it returns true; 0 if none did.
  template <class IsSame>
  ticket_number find(std::uint64_t hash, IsSame&& is_same) const {
    const auto& seg = *directory_[bucket_of(hash)];
    for (auto at = slot_of(hash);; at = next(at)) {
      const auto& slot = seg.slots[at];
      if (slot.ticket == 0)
        return {};
      if (slot.tag == tag_of(hash) && is_same(ticket_number{slot.ticket}))
        return {slot.ticket};
    }
  }

  /// Adds a ticket under a hash. The caller made sure the user has none yet.
  void insert(std::uint64_t hash, ticket_number ticket);
  /// The user's ticket `before` is replaced by `after`.
  void replace(std::uint64_t hash, ticket_number before, ticket_number after);

  std::size_t bytes() const;

private:
  static constexpr std::uint32_t slots_per_segment = 512;
  static constexpr std::uint32_t fill_max = 448;

  struct slot {
    std::uint32_t ticket = 0; // 0: free
    std::uint32_t tag = 0;
  };

  struct segment {
    std::array<slot, slots_per_segment> slots{};
    std::uint32_t used = 0;
    std::uint32_t depth = 0; // how many leading hash bits all of its tickets share
  };

  // The tag's leading bits choose the segment, so that a split needs no second look at the users; its low bits choose
  // the slot.
  static std::uint32_t tag_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }

  static std::uint32_t slot_of(std::uint64_t hash) { return tag_of(hash) % slots_per_segment; }

  static std::uint32_t next(std::uint32_t at) { return (at + 1) % slots_per_segment; }

  std::uint32_t bucket_of_tag(std::uint32_t tag) const { return depth_ == 0 ? 0 : tag >> (32 - depth_); }

  std::uint32_t bucket_of(std::uint64_t hash) const { return bucket_of_tag(tag_of(hash)); }

  static void place(segment& seg, slot s);
  void split(std::uint32_t bucket);

  std::uint32_t depth_ = 0;
  std::vector<std::shared_ptr<segment>> directory_;
  std::size_t segments_ = 1;
};

} // namespace sluice::domain
