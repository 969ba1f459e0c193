// What happened, for the feed: enough to recount every seat and every place in the line without the machines.
#pragma once

#include "core/ids.hpp"
#include "core/time.hpp"
#include "domain/states.hpp"

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace sluice::domain {

struct event_changed {
  std::string what; // "defined", "open", "pause", …
  std::uint32_t users_per_minute = 0;
  std::uint32_t max_active_users = 0;
  std::string by; // name of the admin key
};

/// Of the catalogue, for the audit: what was done to keys, nodes and the cluster as a whole.
struct cluster_changed {
  std::string what;    // "key added", "node drained", …
  std::string subject; // whose name it is about; empty: the cluster
  std::string detail;
  std::string by; // name of the admin key; empty: a node by itself
};

struct user_joined {
  ticket_number ticket;
  std::string user;
};

/// Let through, in this order.
struct users_admitted {
  std::vector<ticket_number> tickets;
};

struct turn_claimed {
  ticket_number ticket;
};

struct ticket_ended {
  ticket_number ticket;
  ticket_state state{};
};

/// A block or area was defined or redefined: its capacity from here on, and how much of it is blocked.
struct stock_defined {
  block_number block;
  std::uint32_t capacity = 0;
  std::uint32_t blocked = 0;
};

enum class stock_move : std::uint8_t {
  held = 1,
  released = 2, // by its owner or a compensation
  lapsed = 3,   // by time
  pinned = 4,
  confirmed = 5,
  returned = 6, // confirmed stock came back
};

/// One hold's part in one block or area moved.
struct stock_moved {
  block_number block;
  hold_id hold;
  stock_move move{};
  std::vector<seat_index> seats; // of a seat block
  std::uint32_t quantity = 0;    // of an area
};

struct reservation_moved {
  reservation_id reservation;
  hold_id hold;
  std::string user;
  reservation_state state{};
  std::uint32_t seats = 0;
  std::int64_t amount = 0;
  std::string reason;
};

using fact = std::variant<event_changed, user_joined, users_admitted, turn_claimed, ticket_ended, stock_defined,
                          stock_moved, reservation_moved, cluster_changed>;

} // namespace sluice::domain
