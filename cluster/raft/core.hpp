// The consensus core of one partition replica: Raft after Ongaro, "Consensus: Bridging Theory and Practice" (2014),
// with the 2015 correction of single-server membership changes. Sans-I/O: no clock, thread, storage, network or payload
// copy. Owned by one partition core, hence unsynchronised. Deterministic: equal inputs give equal outputs, the only
// randomness is a generator seeded by the configuration.
#pragma once

#include "cluster/raft/types.hpp"

#include <chrono>
#include <memory>

namespace sluice::raft {

struct config {
  node_id self;
  std::uint64_t seed = 1; // spreads election timeouts; another one for each process
  std::chrono::milliseconds heartbeat{50};
  std::chrono::milliseconds election_timeout_min{300};
  std::chrono::milliseconds election_timeout_max{500};
  std::size_t append_bytes_max = 512 * 1024;         // of one AppendEntries; a larger single entry goes alone
  std::size_t in_flight_requests_max = 8;            // AppendEntries per follower
  std::size_t in_flight_bytes_max = 8 * 1024 * 1024; // per follower
  std::size_t uncommitted_entries_max = 4096;
  std::size_t uncommitted_bytes_max = 16 * 1024 * 1024;
  std::size_t cached_bytes_max = 8 * 1024 * 1024; // of payloads kept for followers; older ones are loaded
  // A learner this close counts as caught up; no voter goes while those left are further behind.
  log_index promote_lag_max = 256;
  std::size_t committed_entries_max = 4096; // handed out by one call; the rest follows with a tick
  std::size_t committed_bytes_max = 16 * 1024 * 1024;
  std::size_t reads_max = 4096; // waiting for their round, own and of followers
};

/// Figures for `inspect` and metrics; no part of the protocol.
struct status {
  raft::role role{role::follower};
  log_term term = 0;
  node_id leader{};
  log_index first_index = 0; // of the log kept
  log_index last_index = 0;
  log_index durable_index = 0;
  log_index commit_index = 0;
  log_index snapshot_index = 0;
  membership members;
  log_index members_index = 0; // their place in the log
  log_term members_term = 0;   // 0: no longer known, the log begins behind it

  struct peer {
    node_id node;
    log_index match = 0;
    bool learner = false;
    bool fetching_snapshot = false;
  };

  std::vector<peer> peers;            // the leader's view
  std::uint64_t dropped_messages = 0; // bad or outdated input
  bool rejoining = false;             // may not vote until readmitted
};

class core {
public:
  explicit core(const config& settings);
  ~core();
  core(core&&) noexcept;
  core& operator=(core&&) noexcept;

  /// Total: bad input is dropped and counted; a broken invariant comes out as `fatal`, after which every call is a
  /// no-op. `now` never decreases. Appends to `out`, never clears it.
  void handle(host_time now, input in, outputs& out);

  raft::status status() const;
  bool is_leader() const;
  log_term term() const;
  node_id leader() const; // 0: unknown
  log_index commit_index() const;
  log_index durable_index() const;
  log_index last_index() const;
  /// The configuration in force: the last one in the log, committed or not.
  const membership& members() const;
  /// What a checkpoint at `index` has to carry; `index` at or above the last checkpoint.
  const membership& members_at(log_index index) const;

private:
  class impl;
  std::unique_ptr<impl> impl_;
};

} // namespace sluice::raft
