#include "domain/ticket_book.hpp"

#include "core/assert.hpp"
#include "core/hash.hpp"
#include "domain/unshared.hpp"

#include <algorithm>
#include <limits>

namespace sluice::domain {

ticket_number ticket_book::find(std::string_view user) const {
  return index_.find(hash_of_user(user), [&](ticket_number t) { return user_of(t) == user; });
}

ticket_number ticket_book::append(std::string_view user, log_time now) {
  SLUICE_ASSERT(last_ < std::numeric_limits<std::uint32_t>::max(), "the line ran out of ticket numbers");
  auto before = find(user);
  ticket_number t{++last_};
  auto number = chunk_of(t);
  if (number == chunks_.size()) {
    // The chunk just filled is not appended to again: give back what it reserved ahead.
    if (number > 0) {
      auto& full = writable(number - 1);
      full.users.shrink_to_fit();
    }
    chunks_.push_back(std::make_shared<ticket_chunk>());
    changed_.push_back(true);
    chunks_.back()->first_joined = now;
    if (number > 0) { // the first chunk grows by itself: most events never fill it
      chunks_.back()->states.reserve(ticket_chunk::capacity);
      chunks_.back()->joined_ms.reserve(ticket_chunk::capacity);
      chunks_.back()->user_ends.reserve(ticket_chunk::capacity);
    }
  }
  auto& chunk = writable(number);
  auto delay = static_cast<std::uint64_t>((now - chunk.first_joined).count());
  chunk.states.push_back(ticket_state::waiting);
  chunk.joined_ms.push_back(static_cast<std::uint32_t>(delay));
  auto high = static_cast<std::uint16_t>(delay >> 32); // enough for 8 900 years
  if (high != 0 || !chunk.joined_high.empty()) {
    chunk.joined_high.resize(chunk.states.size());
    chunk.joined_high.back() = high;
  }
  chunk.users.append(user);
  chunk.user_ends.push_back(static_cast<std::uint32_t>(chunk.users.size()));
  if (before)
    index_.replace(hash_of_user(user), before, t);
  else
    index_.insert(hash_of_user(user), t);
  return t;
}

ticket_state ticket_book::state_of(ticket_number t) const {
  return chunks_[chunk_of(t)]->states[row_of(t)];
}

std::string_view ticket_book::user_of(ticket_number t) const {
  const auto& chunk = *chunks_[chunk_of(t)];
  auto row = row_of(t);
  auto begin = row == 0 ? 0 : chunk.user_ends[row - 1];
  return std::string_view{chunk.users}.substr(begin, chunk.user_ends[row] - begin);
}

log_time ticket_book::joined(ticket_number t) const {
  const auto& chunk = *chunks_[chunk_of(t)];
  std::uint64_t high = chunk.joined_high.empty() ? 0 : chunk.joined_high[row_of(t)];
  return chunk.first_joined + milliseconds{static_cast<std::int64_t>(high << 32 | chunk.joined_ms[row_of(t)])};
}

void ticket_book::set_state(ticket_number t, ticket_state s) {
  writable(chunk_of(t)).states[row_of(t)] = s;
}

std::vector<std::pair<std::uint32_t, std::shared_ptr<const ticket_chunk>>> ticket_book::take_changed() {
  std::vector<std::pair<std::uint32_t, std::shared_ptr<const ticket_chunk>>> taken;
  for (std::uint32_t i = 0; i < chunks_.size(); ++i)
    if (changed_[i]) {
      taken.emplace_back(i, chunks_[i]);
      changed_[i] = false;
    }
  return taken;
}

void ticket_book::restore(std::shared_ptr<ticket_chunk> chunk) {
  SLUICE_ASSERT(last_ % ticket_chunk::capacity == 0, "a partly filled chunk of tickets is not the last one");
  auto size = chunk->size();
  chunks_.push_back(std::move(chunk));
  changed_.push_back(false);
  for (std::uint32_t row = 0; row < size; ++row) {
    ticket_number t{++last_};
    auto user = user_of(t);
    auto hash = hash_of_user(user);
    auto before = index_.find(hash, [&](ticket_number other) { return user_of(other) == user; });
    if (before)
      index_.replace(hash, before, t);
    else
      index_.insert(hash, t);
  }
}

std::size_t ticket_book::bytes() const {
  auto total = index_.bytes() + chunks_.capacity() * sizeof(chunks_[0]);
  for (const auto& chunk : chunks_)
    total += sizeof(ticket_chunk) + chunk->states.capacity() + 4 * chunk->joined_ms.capacity() +
             2 * chunk->joined_high.capacity() + 4 * chunk->user_ends.capacity() + chunk->users.capacity();
  return total;
}

std::uint64_t ticket_book::hash_of_user(std::string_view user) const {
  return hash_of(user, seed_);
}

ticket_chunk& ticket_book::writable(std::uint32_t chunk) {
  changed_[chunk] = true;
  return unshared(chunks_[chunk]);
}

} // namespace sluice::domain
