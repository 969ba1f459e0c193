// Every ticket of one line, compactly: a million people waiting are a million rows here, not a million actors.
#pragma once

#include "core/ids.hpp"
#include "core/time.hpp"
#include "domain/states.hpp"
#include "domain/user_index.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::domain {

/// A run of tickets in number order. Shared with a checkpoint being written, hence copied before a change while shared.
struct ticket_chunk {
  static constexpr std::uint32_t capacity = 4096;

  log_time first_joined{};
  std::vector<ticket_state> states;
  std::vector<std::uint32_t> joined_ms;   // after first_joined, the lower 32 bits
  std::vector<std::uint16_t> joined_high; // the others; empty while all are 0, for the first 49 days
  std::vector<std::uint32_t> user_ends;   // where each user's bytes end in `users`
  std::string users;

  std::uint32_t size() const { return static_cast<std::uint32_t>(states.size()); }

  friend bool operator==(const ticket_chunk&, const ticket_chunk&) = default;
};

/// Append-mostly. Numbers are dense from 1; some 25 bytes a ticket beside the user's id.
/// Owned by one event machine. Deterministic.
class ticket_book {
public:
  explicit ticket_book(std::uint64_t index_seed = 0) : seed_{index_seed} {}

  /// The user's latest ticket, 0 if there never was one.
  ticket_number find(std::string_view user) const;
  /// A new ticket at the tail, which becomes the user's latest.
  ticket_number append(std::string_view user, log_time now);

  bool contains(ticket_number t) const { return t.value >= 1 && t.value <= last().value; }

  ticket_number last() const { return {last_}; }

  ticket_state state_of(ticket_number t) const;
  std::string_view user_of(ticket_number t) const;
  log_time joined(ticket_number t) const;
  void set_state(ticket_number t, ticket_state s);

  static std::uint32_t chunk_of(ticket_number t) { return (t.value - 1) / ticket_chunk::capacity; }

  /// Chunks changed since the last call, by number. They stay as they are: the book copies before it changes one.
  std::vector<std::pair<std::uint32_t, std::shared_ptr<const ticket_chunk>>> take_changed();

  const std::vector<std::shared_ptr<ticket_chunk>>& chunks() const { return chunks_; }

  /// Restores a saved chunk; called in number order from 0, before anything else.
  void restore(std::shared_ptr<ticket_chunk> chunk);

  std::uint64_t index_seed() const { return seed_; }

  /// Heap bytes, users' ids included.
  std::size_t bytes() const;

private:
  static std::uint32_t row_of(ticket_number t) { return (t.value - 1) % ticket_chunk::capacity; }

  std::uint64_t hash_of_user(std::string_view user) const;
  ticket_chunk& writable(std::uint32_t chunk);

  std::uint64_t seed_;
  std::uint32_t last_ = 0;
  std::vector<std::shared_ptr<ticket_chunk>> chunks_;
  std::vector<bool> changed_;
  user_index index_;
};

} // namespace sluice::domain
