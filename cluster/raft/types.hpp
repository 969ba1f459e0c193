// What goes into and comes out of the consensus core. Plain data; see core.hpp for the rules.
#pragma once

#include "core/ids.hpp"
#include "core/time.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace sluice::raft {

/// Who takes part. A node is a voter or a learner, never both.
struct membership {
  std::set<node_id> voters;
  std::set<node_id> learners;

  friend bool operator==(const membership&, const membership&) = default;
};

enum class entry_kind : std::uint8_t {
  noop = 0,     // a new leader's first entry (thesis 6.4); the very first leader's is its membership instead
  commands = 1, // opaque to the core
  members = 2,  // a membership, in force from the moment it is in the log (thesis 4.1)
};

/// One place in the log. Payloads are shared, never copied: the core only passes them on.
struct entry {
  log_index index = 0;
  log_term term = 0;
  entry_kind kind = entry_kind::noop;
  std::shared_ptr<const std::string> payload; // commands
  std::shared_ptr<const membership> members;  // members

  std::size_t bytes() const { return payload ? payload->size() : 0; }
};

/// What must survive a crash beside the log (Figure 3.1 of the thesis, "persistent state").
struct hard_state {
  log_term term = 0;
  node_id vote{};         // 0: nobody yet in this term
  bool rejoining = false; // the log was once lost or shortened: no vote, no counted ack until readmitted (rejoin.cpp)

  friend bool operator==(const hard_state&, const hard_state&) = default;
};

/// A checkpoint as the core sees it: everything up to and including `index`.
struct snapshot_ref {
  log_index index = 0;
  log_term term = 0;
  membership members;
  std::shared_ptr<const std::string> manifest; // opaque: chunk ids, sizes, checksums

  friend bool operator==(const snapshot_ref& a, const snapshot_ref& b) {
    return a.index == b.index && a.term == b.term;
  }
};

// ---- messages between replicas of one partition -------------------------------------------------------------------

struct vote_request {
  log_term term = 0;        // for a pre-vote: the term the candidate would campaign in
  log_index last_index = 0; // persisted
  log_term last_term = 0;
  bool pre_vote = false;
  bool transfer = false; // the leader asked for this election: stickiness does not apply
};

struct vote_reply {
  log_term term = 0;
  bool granted = false;
  bool pre_vote = false;
};

struct append_request {
  log_term term = 0;
  log_index prev_index = 0;
  log_term prev_term = 0;
  log_index commit = 0;
  std::uint64_t round = 0; // of check-quorum and ReadIndex: echoed in the reply
  std::vector<entry> entries;
};

/// What a follower's word is worth to its leader. Within one life of a process it only rises.
enum class standing : std::uint8_t {
  unknown = 0,   // counts in no quorum
  rejoining = 1, // its log was lost: counts in none either
  full = 3,      // 2 is nobody's: an earlier core's word for one that waits for its promotion
};

struct append_reply {
  log_term term = 0;
  bool success = false;
  log_index match = 0;          // on success: durable up to here, at most prev + n of that request
  log_index accepted_prev = 0;  // on success: which request
  log_index rejected_prev = 0;  // on rejection: which request
  log_term conflict_term = 0;   // on rejection: the follower's term at prev, 0 if its log is shorter
  log_index conflict_first = 0; // its first index of that term, or its last index + 1
  std::uint64_t round = 0;
  raft::standing standing{raft::standing::unknown};
};

/// The leader's log no longer reaches back to what the follower needs.
struct snapshot_offer {
  log_term term = 0;
  snapshot_ref snapshot;
  std::uint64_t round = 0;
};

struct snapshot_reply {
  log_term term = 0;
  log_index index = 0;    // of the offer
  bool installed = false; // false: still fetching, or it failed and may be offered again
  std::uint64_t round = 0;
  bool failed = false; // the transfer ended without success: offer the newest
};

struct timeout_now {
  log_term term = 0;
};

/// A follower asks its leader for a read index on behalf of its own reader.
struct read_request {
  log_term term = 0;
  std::uint64_t id = 0;
};

struct read_reply {
  log_term term = 0;
  std::uint64_t id = 0;
  log_index index = 0; // 0: refused, ask again
  log_index last = 0;  // the leader's last index when the confirming round began
};

using message = std::variant<vote_request, vote_reply, append_request, append_reply, snapshot_offer, snapshot_reply,
                             timeout_now, read_request, read_reply>;

// ---- inputs --------------------------------------------------------------------------------------------------------

/// Always the first input, exactly once. `log` holds the durable entries after the snapshot, contiguous.
struct start {
  hard_state durable;
  std::optional<snapshot_ref> snapshot;
  std::vector<entry> log;
  membership bootstrap; // used only when there is neither a snapshot nor a members entry
  bool may_vote = true; // false: the log was found shortened or the disk is new; rejoin as a learner
};

/// Time passed. Also implied by every other input's `now`.
struct tick {};

struct received {
  node_id from;
  std::uint64_t incarnation = 0; // of the sender's process; an older one than seen before is dropped
  message body;
};

struct propose {
  std::uint64_t id = 0; // the caller's, echoed
  std::shared_ptr<const std::string> payload;
};

/// The write with this id, and all before it, are durable.
struct written {
  std::uint64_t write_id = 0;
};

/// The host made a durable checkpoint and wants the log below `keep_from` dropped (keep_from <= ref.index + 1).
struct snapshot_taken {
  snapshot_ref ref;
  log_index keep_from = 0;
};

/// The host has all of a snapshot it was told to fetch, or gave up.
struct snapshot_fetched {
  snapshot_ref ref;
  bool ok = true;
};

/// Entries the core asked the host to read back from its log; empty when they are gone (compacted meanwhile).
struct loaded {
  std::uint64_t load_id = 0;
  std::vector<entry> entries;
};

/// A hint that a node's process died; shortens the wait for an election, decides nothing.
struct peer_down {
  node_id node;
};

/// Where the membership shall go. Declarative: the leader gets there one server at a time.
struct reconfigure {
  std::uint64_t id = 0;
  membership target;
};

struct transfer {
  std::uint64_t id = 0;
  node_id to; // 0: whoever is best
};

/// Asks for an index that is safe to read at (thesis 6.4).
struct read {
  std::uint64_t id = 0;
};

/// The configuration at this place of the log is committed, the leader knew of none behind it, and it does without this
/// replica: log and checkpoint can go. Dropped by who knows of a later one, hears a leader, or has its disk at work. What
/// follows is one write with an `install` of index 0.
struct vacate {
  log_term term = 0;
  log_index index = 0;
};

using input = std::variant<start, tick, received, propose, written, snapshot_taken, snapshot_fetched, loaded, peer_down,
                           reconfigure, transfer, read, vacate>;

// ---- outputs -------------------------------------------------------------------------------------------------------

/// One atomic write. Writes are performed in the order they come out; `written` may confirm several at once.
struct write {
  std::uint64_t id = 0;
  std::optional<hard_state> state;
  std::optional<log_index> truncate_from; // before `append`
  std::vector<entry> append;              // contiguous
  std::optional<snapshot_ref> install;    // a fetched snapshot takes the log's place; index 0: nothing does
  std::optional<log_index> drop_below;    // entries with a lower index are no longer needed
};

/// A message that may leave once write `after` is durable (0: at once).
struct send {
  node_id to;
  message body;
  std::uint64_t after = 0;
};

enum class refusal : std::uint8_t { none, not_leader, overloaded, transferring, change_in_progress, invalid };

/// Answers propose, reconfigure and transfer. For propose: accepted at (index, term), which commits or is overwritten.
struct proposal_result {
  std::uint64_t id = 0;
  refusal why = refusal::none;
  log_index index = 0;
  log_term term = 0;
};

struct read_ready {
  std::uint64_t id = 0;
  log_index index = 0; // answer once this is applied; 0: refused, not leader
};

enum class role : std::uint8_t { follower, pre_candidate, candidate, leader };

struct role_changed {
  raft::role role{};
  log_term term = 0;
  node_id leader{}; // 0: unknown
};

struct fetch_snapshot {
  node_id from;
  snapshot_ref ref;
};

/// Read entries [first, last] back from the log, stopping early at `max_bytes` but with at least one.
struct load {
  std::uint64_t id = 0;
  log_index first = 0;
  log_index last = 0;
  std::size_t max_bytes = 0;
};

struct outputs {
  std::vector<write> writes;
  std::vector<send> sends;
  std::vector<entry> committed; // in order, each exactly once per start, all kinds
  std::vector<proposal_result> proposals;
  std::vector<read_ready> reads;
  std::vector<role_changed> roles;
  std::vector<fetch_snapshot> fetches;
  std::vector<load> loads;
  std::optional<host_time> timer;   // call with `tick` no later than this; replaces the timer set before
  std::optional<std::string> fatal; // a broken invariant: stop this replica, recover from the log

  /// Keeps what the vectors have allocated: a host reuses one object for all its calls.
  void clear() {
    writes.clear();
    sends.clear();
    committed.clear();
    proposals.clear();
    reads.clear();
    roles.clear();
    fetches.clear();
    loads.clear();
    timer.reset();
    fatal.reset();
  }
};

} // namespace sluice::raft
