// Counts a sale again from the facts in the feed, with nothing but a map: the proof that no seat was sold twice and that
// every seat is accounted for.
#pragma once

#include "core/facts_seal.hpp"
#include "http/read_models.hpp"
#include "node/event_feed.hpp"

#include <optional>
#include <string>

namespace sluice::node {

/// Reads the event's whole feed and compares it, block by block, with what the machines say. JSON:
/// {ok, event, index, facts, unreadable, capacity, available, held, confirmed, blocked, oversold, seatsWithTwoOwners,
///  admissionInversions, seal, blocks:[…], mismatches:[…]}; with an `older` seal also sealHolds, without which nothing is
/// ok. Takes as long as the feed is long; call it off the request path. Both throw as `event_feed::each`.
std::string verify_event(const event_feed& feed, const http::event_view& event, std::optional<facts_seal> older);

/// What operators did to the event, oldest first: {seal, sealHolds, records:[…]}. JSON.
std::string audit_event(const event_feed& feed, std::optional<facts_seal> older);

} // namespace sluice::node
