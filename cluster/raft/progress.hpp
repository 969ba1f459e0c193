// What a leader knows about one other replica, and how it feeds it. Owned by one core, lives for one leadership.
#pragma once

#include "cluster/raft/types.hpp"

#include <cstddef>
#include <optional>
#include <vector>

namespace sluice::raft {

/// Each state is left by some answer, and what asks for that answer is repeated with every heartbeat: none can freeze.
enum class flow : std::uint8_t {
  probe,     // where do the logs meet? One request at a time
  replicate, // they meet below `next`: a pipeline of requests (thesis 10.2.2)
  snapshot,  // the log no longer reaches back to it: it fetches a checkpoint
};

struct progress {
  struct flight {
    log_index last;
    std::size_t bytes;
  };

  explicit progress(node_id who, log_index next_index, host_time now, std::uint64_t round_now)
      : node{who}, next{next_index}, heard{now}, since_round{round_now} {}

  node_id node;
  flow state{flow::probe};
  log_index match = 0; // durable there, and equal to our log
  log_index next;      // first entry of the next request
  log_index commit_sent = 0;
  raft::standing standing{raft::standing::unknown};
  host_time heard;         // an answer in our term came last at
  std::uint64_t round = 0; // of heartbeats it answered
  // It may have been a member before, and have given up its log since: what it said then is void.
  std::uint64_t since_round;

  bool probe_out = false;  // repeated with the next heartbeat
  bool probe_bare = false; // after a rejection or silence a probe carries no entries

  std::vector<flight> flights;
  std::size_t flight_bytes = 0;

  std::uint64_t load_id = 0; // of entries being read back for it
  host_time load_again{};    // not before

  std::optional<snapshot_ref> offered; // kept while it fetches, even if we have a newer one
  host_time offered_at{};
  bool offer_failed = false; // it gave up on that: the next offer brings the newest

  /// In a quorum.
  bool counts() const { return standing == raft::standing::full; }

  bool lost_its_log() const { return standing != raft::standing::unknown && standing != raft::standing::full; }

  /// Its process is a new one, perhaps with an empty disk: all we knew of its log is void.
  void restarted() {
    enter(flow::probe);
    match = 0;
    round = 0;
    probe_bare = true;
    standing = raft::standing::unknown;
  }

  void enter(flow to) {
    state = to;
    probe_out = false;
    flights.clear();
    flight_bytes = 0;
    load_id = 0;
    if (to != flow::snapshot)
      offered.reset();
  }

  void landed(log_index upto) {
    std::size_t n = 0;
    for (; n < flights.size() && flights[n].last <= upto; ++n)
      flight_bytes -= flights[n].bytes;
    flights.erase(flights.begin(), flights.begin() + static_cast<std::ptrdiff_t>(n));
  }
};

} // namespace sluice::raft
