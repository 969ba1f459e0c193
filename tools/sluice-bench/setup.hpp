// Getting a node ready for a stage: events made for the purpose, and the seats there are.
#pragma once

#include "sluice-bench/plain_client.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace sluice::bench {

/// An event as the bench makes it. Every run takes a new id, so that none stands on the remains of another.
struct event_wish {
  std::string id;
  std::uint32_t blocks = 0; // of rows × seats_per_row each
  std::uint32_t rows = 0;
  std::uint32_t seats_per_row = 0;
  std::uint32_t area_capacity = 0; // 0: no area
  std::int64_t price = 2'500;
  std::uint32_t users_per_minute = 6'000'000;
  std::uint32_t max_active_users = 1'000'000;
  std::uint32_t claim_window_seconds = 3'600;
  std::uint32_t active_ttl_seconds = 7'200;
  std::uint32_t hold_ttl_seconds = 3'600;
  std::uint32_t batch_ms = 10;
  std::uint32_t limit_per_user = 10'000;
  bool keep_active = false;
};

/// The event file, as JSON.
std::string event_file(const event_wish& wish);
/// Puts it there and waits until every bridge knows it.
void make_event(plain_client& admin, const event_wish& wish);

/// A name that no earlier run used: "join-18f3a9c2".
std::string fresh_name(const std::string& what);

/// Seats and areas of an event that exists, from the public API.
struct event_stock {
  struct area {
    std::string id;
    std::uint64_t available = 0;
  };

  std::vector<std::string> seats; // ids of those that are available, block after block
  std::vector<std::string> blocks;
  std::vector<area> areas;
  std::uint64_t capacity = 0;
  std::string currency;
};

event_stock read_stock(plain_client& client, const std::string& event);

/// The key in the file, without its line end. Throws if it can not be read.
std::string read_key(const std::string& file);

} // namespace sluice::bench
