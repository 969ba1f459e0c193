#include "domain/user_index.hpp"

#include "core/assert.hpp"

namespace sluice::domain {

user_index::user_index() : directory_{std::make_shared<segment>()} {}

void user_index::insert(std::uint64_t hash, ticket_number ticket) {
  auto bucket = bucket_of(hash);
  while (directory_[bucket]->used >= fill_max) {
    split(bucket);
    bucket = bucket_of(hash);
  }
  place(*directory_[bucket], {ticket.value, tag_of(hash)});
}

void user_index::replace(std::uint64_t hash, ticket_number before, ticket_number after) {
  auto& seg = *directory_[bucket_of(hash)];
  for (auto at = slot_of(hash);; at = next(at)) {
    auto& slot = seg.slots[at];
    SLUICE_ASSERT(slot.ticket != 0, "the user index lost a ticket");
    if (slot.ticket == before.value) {
      slot.ticket = after.value;
      return;
    }
  }
}

std::size_t user_index::bytes() const {
  return segments_ * sizeof(segment) + directory_.capacity() * sizeof(directory_[0]);
}

void user_index::place(segment& seg, slot s) {
  auto at = s.tag % slots_per_segment;
  while (seg.slots[at].ticket != 0)
    at = next(at);
  seg.slots[at] = s;
  ++seg.used;
}

void user_index::split(std::uint32_t bucket) {
  auto old = directory_[bucket];
  // 32 - 9 bits choose segments at most; a split beyond would need four thousand million users.
  SLUICE_ASSERT(old->depth < 23, "the user index can not grow further");
  if (old->depth == depth_) {
    std::vector<std::shared_ptr<segment>> wider;
    wider.reserve(directory_.size() * 2);
    for (auto& seg : directory_) {
      wider.push_back(seg);
      wider.push_back(seg);
    }
    directory_ = std::move(wider);
    ++depth_;
    bucket *= 2;
  }
  auto low = std::make_shared<segment>();
  auto high = std::make_shared<segment>();
  low->depth = high->depth = old->depth + 1;
  for (const auto& slot : old->slots)
    if (slot.ticket != 0)
      place((slot.tag >> (31 - old->depth) & 1) ? *high : *low, slot);
  // All directory entries of the old segment are neighbours: they share its leading bits.
  auto span = 1u << (depth_ - old->depth);
  auto first = bucket & ~(span - 1);
  for (std::uint32_t i = 0; i < span; ++i)
    directory_[first + i] = i < span / 2 ? low : high;
  ++segments_;
}

} // namespace sluice::domain
