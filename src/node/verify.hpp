// Counts a sale again from the facts in the feed, with nothing but a map: the proof that no seat was sold twice and that
// every seat is accounted for.
#pragma once

#include "core/ids.hpp"
#include "http/read_models.hpp"
#include "storage/log_store.hpp"

#include <string>

namespace sluice::node {

/// Reads the event's whole feed and compares it, block by block, with what the machines say. JSON:
/// {ok, event, index, facts, capacity, available, held, confirmed, blocked, oversold, seatsWithTwoOwners,
///  admissionInversions, blocks:[…], mismatches:[…]}. Takes as long as the feed is long; call it off the request path.
std::string verify_event(storage::log_store& store, partition_id partition, const http::event_view& event);

/// What operators did to the event, oldest first. JSON.
std::string audit_event(storage::log_store& store, partition_id partition, event_number event);

} // namespace sluice::node
