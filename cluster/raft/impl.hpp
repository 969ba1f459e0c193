// The inside of the core. One class, whose parts live in files of one idea each:
//   core.cpp        inputs, and what follows from each of them: settle()
//   election.cpp    terms, votes, timers           replication.cpp  the leader feeds the others
//   follower.cpp    the others take                commit.cpp       what is committed, what is handed out
//   membership.cpp  one server at a time           transfer.cpp     leadership goes to another
//   snapshot.cpp    compaction, checkpoints        read_index.cpp   reads without the log
//   rejoin.cpp      after a log was lost, or given up
// Order within one call: the input changes the state, then settle() draws every consequence once, then everything
// staged leaves as one write. A message that says something not yet durable names that write.
#pragma once

#include "cluster/raft/config_history.hpp"
#include "cluster/raft/core.hpp"
#include "cluster/raft/log.hpp"
#include "cluster/raft/planted.hpp"
#include "cluster/raft/progress.hpp"
#include "cluster/raft/write_queue.hpp"

#include <map>
#include <set>

namespace sluice::raft {

/// Spreads timeouts; no part of the protocol's safety. SplitMix64.
class dice {
public:
  explicit dice(std::uint64_t seed) : state_{seed} {}

  std::uint64_t next();
  host_clock::duration between(host_clock::duration low, host_clock::duration high);

private:
  std::uint64_t state_;
};

class core::impl {
public:
  explicit impl(const config& settings);

  void handle(host_time now, input in, outputs& out);

  raft::status status() const;

  raft::role role() const { return role_; }

  log_term term() const { return term_; }

  node_id leader() const { return leader_; }

  log_index commit_index() const { return commit_; }

  log_index durable_index() const { return writes_.durable_index(); }

  log_index last_index() const { return log_.last_index(); }

  const config_history& configs() const { return configs_; }

private:
  // ---- inputs
  void on(start& in);
  void on(tick& in);
  void on(received& in);
  void on(propose& in);
  void on(written& in);
  void on(snapshot_taken& in);
  void on(snapshot_fetched& in);
  void on(loaded& in);
  void on(peer_down& in);
  void on(reconfigure& in);
  void on(raft::transfer& in);
  void on(read& in);
  void on(vacate& in);

  // ---- messages
  void on(node_id from, vote_request& m);
  void on(node_id from, vote_reply& m);
  void on(node_id from, append_request& m);
  void on(node_id from, append_reply& m);
  void on(node_id from, snapshot_offer& m);
  void on(node_id from, snapshot_reply& m);
  void on(node_id from, timeout_now& m);
  void on(node_id from, read_request& m);
  void on(node_id from, read_reply& m);

  // ---- core.cpp
  void load_log(start& in);
  bool well_formed(const start& in);
  bool fresh(const received& in);
  void settle();
  void run_timers();
  void arm_timer();
  void announce_role();
  void post(node_id to, message m, std::uint64_t after = 0);
  void answer(std::uint64_t id, refusal why, log_index index = 0);
  void persist_state();
  raft::write& staged();
  void flush_write();
  void fail(std::string why);

  // ---- election.cpp
  const membership& members() const {
    return bug(planted_bug::config_on_commit) ? configs_.at(commit_) : configs_.latest();
  }

  bool is_voter(node_id n) const { return members().voters.contains(n); }

  /// More than half of the voters of the configuration in force; ourselves only if we are one of them.
  template <class Agrees>
  bool majority(Agrees agrees) const {
    return majority_of(members(), agrees);
  }

  template <class Agrees>
  static bool majority_of(const membership& m, Agrees agrees) {
    std::size_t n = 0;
    for (auto v : m.voters)
      n += agrees(v) ? 1 : 0;
    return bug(planted_bug::half_is_majority) ? 2 * n >= m.voters.size() && n > 0 : 2 * n > m.voters.size();
  }

  bool may_campaign() const;
  bool hears_leader() const;
  bool as_complete_as_ours(const vote_request& m) const;
  bool would_vote_for(node_id candidate, const vote_request& m) const;
  void answer_pre_vote(node_id from, const vote_request& m);
  void election_timeout();
  void pre_vote();
  void campaign(bool asked_by_leader);
  void ask_for_votes();
  void become_leader();
  void become_follower(log_term term, node_id new_leader);
  bool heed_term(log_term term);
  void reset_election_timer();

  // ---- follower.cpp
  bool accept_leader(node_id from, log_term term);
  void refuse_stale(node_id from, const append_request& m);
  bool trim_below_base(append_request& m);
  void take(append_request& m);
  void reject(node_id from, const append_request& m);
  void acknowledge(node_id from, const append_request& m, log_index asked_prev);
  void append(entry e);
  void truncate_from(log_index index);

  // ---- replication.cpp
  progress* find_peer(node_id n);
  const progress* find_peer(node_id n) const;
  void sync_peers(bool leadership_begins);
  void feed_all();
  void feed(progress& p);
  bool send_entries(progress& p);
  void launch(progress& p, append_request m);
  void send_empty(progress& p);
  host_time next_beat() const;
  void heartbeat();
  void heartbeat(progress& p);
  append_request request_for(const progress& p) const;
  bool window_open(const progress& p) const;
  void request_load(progress& p);
  void matched(progress& p, const append_reply& m);
  void mismatched(progress& p, const append_reply& m);
  bool recently_heard(node_id n) const;
  void check_quorum();

  // ---- commit.cpp
  void advance_commit();
  log_index committed_by_majority() const;
  void commit_to(log_index index);
  void apply();

  // ---- membership.cpp
  void change_members();
  bool may_change_members() const;
  std::optional<membership> next_step() const;
  std::optional<membership> add_learner(const membership& now) const;
  std::optional<membership> promote(const membership& now) const;
  std::optional<membership> remove_voter(const membership& now) const;
  std::optional<membership> remove_learner(const membership& now) const;
  bool caught_up(node_id n) const;
  bool stays_alive(const membership& next) const;

  bool own_term_committed() const { return commit_ >= term_start_; }

  // ---- transfer.cpp
  node_id best_successor(const membership* among) const;
  void start_transfer(node_id to);
  void carry_out_transfer();
  void leave_slow_disk();

  // ---- snapshot.cpp
  void offer_snapshot(progress& p);
  void install(const snapshot_ref& ref);
  bool has_all_of(const snapshot_ref& ref) const;
  void reply_installed(node_id from, log_index index, std::uint64_t round);

  // ---- read_index.cpp
  struct waiting_read {
    std::uint64_t id;
    node_id from; // 0: our own host
  };

  void queue_read(std::uint64_t id, node_id from);
  void serve_reads();
  bool round_confirmed(std::uint64_t round) const;
  void answer_read(const waiting_read& r, log_index index, log_index last);
  void ask_leader_to_read(std::uint64_t id, bool for_rejoin);
  void refuse_reads();

  // ---- rejoin.cpp
  void rejoin();
  raft::standing own_standing() const;

  const config settings_;
  const host_clock::duration heartbeat_every_, timeout_min_, timeout_max_;
  dice dice_;

  // ---- of one call
  host_time now_{};
  outputs* out_ = nullptr;
  raft::write staged_;
  bool any_staged_ = false;

  // ---- the replica
  bool started_ = false;
  bool dead_ = false;
  log_term term_ = 0;
  node_id vote_{};
  raft::role role_{raft::role::follower};
  node_id leader_{};
  log_view log_;
  config_history configs_;
  write_queue writes_;
  std::uint64_t state_write_ = 0; // the last write with a hard state
  log_index commit_ = 0;
  std::optional<snapshot_ref> snapshot_;
  std::map<node_id, std::uint64_t> incarnations_;
  std::uint64_t dropped_ = 0;
  role_changed announced_;
  std::optional<host_time> armed_;

  // ---- as follower or candidate
  host_time election_at_{};
  host_time ask_again_at_{};
  std::optional<host_time> heard_leader_;
  bool campaign_when_durable_ = false;
  bool campaign_asked_ = false; // by the leader: a transfer
  std::set<node_id> votes_;
  std::optional<snapshot_ref> fetching_;
  log_term offer_term_ = 0; // of the offer heard last
  std::uint64_t offer_round_ = 0;
  bool installing_ = false;
  std::uint64_t install_write_ = 0;

  // ---- as leader
  std::vector<progress> peers_;
  log_index term_start_ = 0; // our no-op
  host_time heartbeat_at_{};
  std::uint64_t last_load_id_ = 0;
  std::optional<membership> target_;
  bool members_due_ = false; // something a membership change may wait for has happened
  host_time resign_at_{};    // not before: a successor that fails must not stop the proposals for good

  struct transfer_state {
    node_id to;
    host_time until;
    bool asked = false;
  };

  std::optional<transfer_state> transfer_;

  // ---- reads
  struct read_round {
    std::uint64_t round = 0;
    log_index index = 0;
    log_index last = 0;
    std::vector<waiting_read> reads;
  };

  std::uint64_t round_ = 0;
  std::optional<read_round> in_round_;
  std::vector<waiting_read> next_reads_;

  struct asked_read {
    std::uint64_t id;
    host_time until;
    bool for_rejoin;
  };

  std::map<std::uint64_t, asked_read> asked_reads_; // of our own host, at the leader
  std::uint64_t ask_id_ = 0;

  // ---- after a log was lost, or given up
  bool rejoining_ = false;
  std::optional<log_index> rejoin_floor_;
  host_time rejoin_ask_at_{};
};

} // namespace sluice::raft
