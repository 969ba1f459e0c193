// How boards, seats, holds and reservations look as JSON. The one place per shape.
#pragma once

#include "codec/document.hpp"
#include "domain/replies.hpp"
#include "http/read_models.hpp"

#include <string>

namespace sluice::http {

/// The own place in the line. `board` may not know the ticket yet; then what the leader said counts.
struct ticket_view {
  ticket_number ticket;
  domain::ticket_state state{};
  std::uint32_t users_ahead = 0; // of a waiting ticket
  std::uint32_t waiting = 0;
  wait_estimate wait;
  wall_time ends{};
  log_index version = 0;
  domain::event_phase phase{};
  std::string text; // the operator's message
};

/// From the board alone; empty when only the leader knows.
std::optional<ticket_view> look_up(const event_view& event, ticket_number ticket);
/// From the leader's answer, with positions from the board.
ticket_view combine(const event_view& event, const domain::ticket_reply& reply, log_index version);

/// `token`: of a join; else empty.
void write_ticket(std::string& out, const ticket_view& v, std::string_view token);
/// When to ask again: soon near the front, rarely far behind, spread by ticket so that crowds do not march in step.
std::uint32_t poll_after_ms(const ticket_view& v);
/// Changes exactly when the client's picture would.
std::string etag_of(const ticket_view& v);

/// The shared status of an event; no user in it.
std::string status_json(const event_view& event, const plan_view& plan);
std::string availability_json(const event_view& event, const plan_view& plan);
std::string block_json(const event_view& event, const plan_view& plan, const domain::placed_block& block);
/// One event of the catalogue, in full or as a line of the list.
void write_event(codec::json_writer& w, const event_view& event, const plan_view& plan, bool in_full);

void write_hold(codec::json_writer& w, const plan_view& plan, const domain::hold_reply& h);
/// Seats, area and quantity, amount and currency: shared by holds and reservations.
void write_parts(codec::json_writer& w, const plan_view& plan, const std::vector<domain::priced_part>& parts);
void write_reservation(codec::json_writer& w, const plan_view& plan, const domain::reservation_reply& r);

void write_counts(codec::json_writer& w, const domain::stock_counts& counts);

} // namespace sluice::http
