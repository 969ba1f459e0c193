// Counts a sale again from the facts in the feed, with nothing but a map: the proof that no seat was sold twice and that
// every seat is accounted for.
#pragma once

#include "http/read_models.hpp"
#include "node/event_feed.hpp"

#include <string>

namespace sluice::node {

/// Reads the event's whole feed and compares it, block by block, with what the machines say. JSON:
/// {ok, event, index, facts, capacity, available, held, confirmed, blocked, oversold, seatsWithTwoOwners,
///  admissionInversions, blocks:[…], mismatches:[…]}. Takes as long as the feed is long; call it off the request path.
/// Both throw as `event_feed::each`.
std::string verify_event(const event_feed& feed, const http::event_view& event);

/// What operators did to the event, oldest first. JSON.
std::string audit_event(const event_feed& feed);

} // namespace sluice::node
