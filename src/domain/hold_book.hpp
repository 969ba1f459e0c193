// Every hold on one area, by id: tens of thousands while a sale begins, saved without standing still.
#pragma once

#include "core/ids.hpp"
#include "core/time.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace sluice::domain {

struct area_hold {
  std::string user;
  std::uint32_t quantity = 0;
  log_time deadline{};
  log_index fence = 0; // the entry that pinned it; 0: not pinned

  friend bool operator==(const area_hold&, const area_hold&) = default;
};

/// In chunks by a random byte of the id. A chunk may be shared with a checkpoint being written, hence is copied before a
/// change while it is.
/// Owned by one area machine. Deterministic: what decides looks holds up by id and never goes through them.
class hold_book {
public:
  static constexpr std::uint32_t chunk_count = 128;

  struct by_random_bits {
    std::size_t operator()(const hold_id& id) const {
      std::size_t bits = 0;
      std::memcpy(&bits, id.bytes.data() + 8, sizeof bits);
      return bits;
    }
  };

  /// Whoever goes through one sorts it, or asks nothing that depends on the order.
  using chunk = std::unordered_map<hold_id, area_hold, by_random_bits>;

  /// Null: there is none.
  const area_hold* find(const hold_id& id) const;
  /// The same, to be changed.
  area_hold* change(const hold_id& id);
  /// False: there is one of that id, which stays.
  bool add(const hold_id& id, area_hold h);
  /// Out of the book. There must be one.
  area_hold take(const hold_id& id);

  /// By number; null or empty: no holds.
  const std::array<std::shared_ptr<chunk>, chunk_count>& chunks() const { return chunks_; }

  /// Chunks changed since the last call, by number. They stay as they are: the book copies before it changes one.
  std::vector<std::pair<std::uint32_t, std::shared_ptr<const chunk>>> take_changed();

  friend bool operator==(const hold_book& a, const hold_book& b);

private:
  static std::uint32_t chunk_of(const hold_id& id) { return id.bytes.back() % chunk_count; }

  chunk& writable(std::uint32_t number);

  std::array<std::shared_ptr<chunk>, chunk_count> chunks_;
  std::array<bool, chunk_count> changed_{};
};

} // namespace sluice::domain
