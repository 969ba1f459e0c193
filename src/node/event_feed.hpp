// An event's facts, from every partition it was in.
#pragma once

#include "cluster/partition/slots.hpp"
#include "core/facts_seal.hpp"
#include "core/ids.hpp"
#include "core/time.hpp"
#include "domain/facts.hpp"
#include "storage/log_store.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::node {

/// A fact as the feed has it; valid while it is told.
struct told_fact {
  log_index index = 0; // as the event counts
  wall_time at;
  std::string_view bytes;
  std::optional<domain::fact> what; // empty: this is not what a version up to this one wrote
};

/// Read on a thread that may wait.
struct event_feed {
  storage::log_store* store = nullptr;
  event_number event;
  partition_id partition;                   // where it is
  log_index since = 0;                      // it came with this entry; 0: it was always there
  std::vector<partition::slot_stay> before; // oldest first
  /// What `facts_page` says at the leader of that partition; empty when nobody answers.
  std::function<std::string(partition_id, const std::string& argument)> ask_leader;

  /// Calls `visit` for each fact in order. Returns the last index of the partition's own feed. Throws
  /// std::runtime_error if another partition's part can not be had.
  log_index each(const std::function<void(const told_fact&)>& visit) const;
};

/// What verify and audit ask of the leader.
struct facts_question {
  event_number event;
  unsigned hops = 0;               // how often it was passed on
  std::optional<facts_seal> older; // does it hold?
};

/// "EVENT HOPS" or "EVENT HOPS SEAL", as nodes ask each other.
std::string to_text(const facts_question& q);
facts_question facts_question_from(const std::string& text);

/// A page of what one partition's feed has of an event: `argument` is "PARTITION EVENT FIRST LAST".
std::string facts_page(storage::log_store& store, const std::string& argument);

} // namespace sluice::node
