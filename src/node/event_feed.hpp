// An event's facts, from every partition it was in.
#pragma once

#include "cluster/partition/slots.hpp"
#include "core/ids.hpp"
#include "core/time.hpp"
#include "domain/facts.hpp"
#include "storage/log_store.hpp"

#include <functional>
#include <string>
#include <vector>

namespace sluice::node {

/// Read on a thread that may wait.
struct event_feed {
  storage::log_store* store = nullptr;
  event_number event;
  partition_id partition;                   // where it is
  log_index since = 0;                      // it came with this entry; 0: it was always there
  std::vector<partition::slot_stay> before; // oldest first
  /// What `facts_page` says at the leader of that partition; empty when nobody answers.
  std::function<std::string(partition_id, const std::string& argument)> ask_leader;

  /// Calls `visit` for each fact in order, with its index as the event counts. Returns the last index of the
  /// partition's own feed. Throws std::runtime_error if another partition's part can not be had.
  log_index each(const std::function<void(log_index, wall_time, const domain::fact&)>& visit) const;
};

/// A page of what one partition's feed has of an event: `argument` is "PARTITION EVENT FIRST LAST".
std::string facts_page(storage::log_store& store, const std::string& argument);

} // namespace sluice::node
