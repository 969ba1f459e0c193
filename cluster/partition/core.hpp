// The core of one partition replica: proposals become log entries, committed entries become supersteps, and what entities
// want becomes answers, notes, effects and facts. As pure as the machines: a CAF actor hosts it and ships batches to entity
// actors, the simulator hosts it and calls machines directly.
#pragma once

#include "cluster/partition/deadline_index.hpp"
#include "cluster/partition/entity_table.hpp"
#include "cluster/partition/outbox.hpp"
#include "cluster/partition/pace.hpp"
#include "cluster/partition/slots.hpp"
#include "cluster/partition/state_hashes.hpp"
#include "cluster/partition/superstep.hpp"
#include "cluster/partition/types.hpp"
#include "cluster/raft/core.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace sluice::proto {
class FoundedAnew;
class SlotArrives;
class SlotClaimed;
class SlotPart;
} // namespace sluice::proto

namespace sluice::partition {

struct config {
  partition_id partition;
  raft::config consensus;
  std::uint64_t incarnation = 0;                   // of this process; fences answers of earlier ones
  std::function<partition_id(event_number)> place; // where a placement group was dealt out to
  std::uint32_t founding = 1;                      // how often the cluster began, with what was left of it or a
  std::vector<partition_id> lost;                  // backup; partitions of which this time nothing was left
  std::string pulse;                               // the body of a pulse
  std::size_t entry_commands_max = 4096;           // see pace.hpp
  std::size_t entry_bytes_max = 1024 * 1024;
  std::size_t command_bytes_max = 8 * 1024 * 1024; // refused beyond: no line to another replica would take it
  std::size_t waiting_commands_max = 16 * 1024;    // refused as overloaded beyond
  std::size_t waiting_bytes_max = 8 * 1024 * 1024;
  std::size_t checkpoint_log_bytes = 24 * 1024 * 1024; // a checkpoint begins after this much log
  log_index checkpoint_entries = 100'000;              // or this many entries
  log_index kept_entries = 20'000;                     // of log kept behind a checkpoint, at most, so that a replica
  std::size_t kept_bytes = 48 * 1024 * 1024;           // which was away for a moment needs no checkpoint
  std::size_t collect_per_turn = 64;                   // shares asked for at a time while a checkpoint is taken
  milliseconds cold_start_max{5'000};                  // log time an outage may add
  log_index compare_entries = 256;                     // between two comparisons of the replicas' states; all alike
  std::chrono::seconds resend{1};                      // of unacknowledged notes
  std::size_t notes_under_way_max = 256;               // per destination
  entity_table::limits entities;
};

/// Figures for `inspect` and metrics.
struct status {
  raft::status consensus;
  log_index applied = 0;
  log_index checkpoint_index = 0;
  log_term checkpoint_term = 0;
  std::uint64_t checkpoint = 0;
  bool leading = false;
  std::size_t waiting_commands = 0;
  std::size_t active_entities = 0;
  std::size_t active_sessions = 0;
  std::size_t open_effects = 0;
  std::size_t outbox = 0;
  std::uint64_t state_hash = 0;
  entry_time time;
  std::uint64_t entries_total = 0;
  std::uint64_t commands_total = 0;
  std::uint64_t refused_total = 0;
  bool checkpointing = false;
  bool halted = false;          // the voters' states differ
  std::size_t moving_slots = 0; // on their way from here or to here
  std::uint32_t founding = 1;   // see config; the last that is executed here
  event_number last_event;      // the highest number that was ever executed here
};

/// What would come of moving a slot to a partition.
struct slot_prospect {
  enum class kind : std::uint8_t { possible, under_way, done, elsewhere, impossible };

  kind is = kind::impossible;
  partition_id where; // elsewhere
  std::string why;    // impossible
};

/// A checkpoint's number in the store that has it, as a snapshot's opaque manifest.
std::shared_ptr<const std::string> manifest_of(std::uint64_t checkpoint);
/// 0: there is none.
std::uint64_t checkpoint_in(const raft::snapshot_ref& ref);

/// Owned by one partition actor, hence unsynchronised. Deterministic in its inputs. `handle` is total: what it can not
/// use it drops; a broken invariant comes out as `fatal` or `halted`, after which it refuses what is asked of it and does
/// nothing more.
class core {
public:
  explicit core(config settings);

  void handle(const reading& now, input in, outputs& out);

  partition::status status() const;

  bool leading() const { return leading_; }

  log_index applied() const { return applied_; }

  std::uint64_t state_hash() const { return state_hash_; }

  const slot_table& slots() const { return slots_; }

  /// Whether anything of the event was ever executed here, and is not forgotten.
  bool knows(event_number event) const { return roster_.contains(entity_ref::of_event(event)); }

  /// Whether `move_slot` would do anything.
  slot_prospect prospect(slot_number slot, partition_id to) const;

private:
  void on(const reading& now, start in, outputs& out);
  void on(const reading& now, tick in, outputs& out);
  void on(const reading& now, received in, outputs& out);
  void on(const reading& now, propose in, outputs& out);
  void on(const reading& now, ask_all in, outputs& out);
  void on(const reading& now, written in, outputs& out);
  void on(const reading& now, delivered in, outputs& out);
  void on(const reading& now, saved in, outputs& out);
  void on(const reading& now, checkpoint_flushed in, outputs& out);
  void on(const reading& now, checkpoint_committed in, outputs& out);
  void on(const reading& now, checkpoint_now in, outputs& out);
  void on(const reading& now, peer_down in, outputs& out);
  void on(const reading& now, loaded in, outputs& out);
  void on(const reading& now, fetched in, outputs& out);
  void on(const reading& now, reconfigure in, outputs& out);
  void on(const reading& now, transfer in, outputs& out);
  void on(const reading& now, publish_everything in, outputs& out);
  void on(const reading& now, published in, outputs& out);
  void on(const reading& now, compare_state in, outputs& out);
  void on(const reading& now, move_slot in, outputs& out);
  void on(const reading& now, slot_pulled in, outputs& out);
  void on(const reading& now, shrink in, outputs& out);
  void on(const reading& now, vacate in, outputs& out);

  // the log
  void consult(const reading& now, raft::input in, outputs& out);
  void note_sizes(const raft::write& w);
  void follow(const raft::role_changed& role, outputs& out);
  void begin_leading(const reading& now, outputs& out);
  void line_up(proposal p);
  bool is_pulse(const proposal& p) const;
  void propose_pulses(const reading& now);
  void propose_waiting(const reading& now, outputs& out);
  std::vector<proposal> next_batch(std::size_t most);
  void propose_entry(const reading& now, std::vector<proposal> batch, outputs& out);
  void put_back(const reading& now, std::vector<proposal> batch, errc why, outputs& out);
  void refuse(const proposal& p, errc why, outputs& out);
  void refuse_waiting(errc why, outputs& out);
  log_time log_time_at(host_time now) const;

  // execution
  void run(const reading& now, outputs& out);
  void begin_entry(const reading& now, outputs& out);
  bool is_for_nobody(const logged_command& c, outputs& out);
  void deliver(const reading& now, std::vector<delivery> deliveries, outputs& out);
  void finish_entry(const reading& now, outputs& out);
  void carry_out(const entity_ref& from, delivered& d, outputs& out);
  void write_feed(log_index index, const entry_time& now, const std::vector<std::pair<entity_ref, delivered>>& results,
                  outputs& out);
  void at_boundary(const reading& now, outputs& out);
  void publish(const reading& now, outputs& out);
  bool ask_to_publish(const reading& now, const entity_ref& of, outputs& out);
  void passivate(const reading& now, outputs& out);
  void answer_queries(const reading& now, outputs& out);
  void begin_notes(const reading& now);
  void send_notes(outputs& out);
  void forget(event_number event, outputs& out);

  // slots that move
  void take_step(std::string_view body, log_index index, outputs& out);
  void leave(slot_number slot, partition_id to, log_index index, outputs& out);
  void arrive(slot_number slot, const proto::SlotArrives& step, outputs& out);
  void adopt(slot_number slot, const proto::SlotPart& part, log_index index, outputs& out);
  void open(slot_number slot, log_index index, outputs& out);
  void announce(slot_number slot, const slot_state& s);
  void announce_slots();
  void let_go(slot_number slot, log_index fenced, outputs& out);
  void give_up(slot_number slot, partition_id to, std::uint32_t moves, outputs& out);
  void stay(slot_number slot, log_index fenced, outputs& out);
  void stay(slot_number slot, slot_state& s, outputs& out);
  void begin_anew(const proto::FoundedAnew& step, log_index index, outputs& out);
  void begin_anew(slot_number slot, slot_state& s, const std::set<partition_id>& lost, log_index index, outputs& out);
  void pass_on(slot_number slot, slot_state& s, partition_id to, std::uint32_t moves, outputs& out);
  void begin_empty(slot_number slot, slot_state& s, log_index index, outputs& out);
  void claim(slot_number slot, const slot_state& s, std::set<partition_id> others, partition_id by);
  void yield(slot_number slot, const proto::SlotClaimed& step, log_index index, outputs& out);
  void resume_effects(outputs& out, std::optional<slot_number> only = std::nullopt);
  void turn_away(const logged_command& c, outputs& out);
  bool awaits_cleaning() const;
  void propose_step(std::string step);
  void propose_founding();
  void pull_slots(const reading& now, outputs& out);

  // checkpoints
  void maybe_begin_checkpoint(const reading& now, outputs& out);
  void drive_checkpoint(const reading& now, outputs& out);
  std::string encode_record() const;
  bool restore_record(const std::string& record);
  log_index keep_from() const;

  // replication
  void begin_fetch(const raft::fetch_snapshot& wanted, outputs& out);
  void install(const reading& now, outputs& out);
  void start_over();
  void note_hash(outputs& out);
  void compare_hashes(outputs& out);
  void halt(outputs& out);

  void set_timer(const reading& now, outputs& out);
  void fail(std::string why, outputs& out);
  std::string where() const;

  config config_;
  raft::core raft_;
  raft::outputs raft_out_; // scratch
  bool failed_ = false;

  // a function of the log: part of the checkpoint
  log_index applied_ = 0;
  log_term applied_term_ = 0; // of the entry at applied_
  entry_time last_;
  std::uint64_t state_hash_ = 0;
  deadline_index deadlines_;
  std::map<std::pair<entity_ref, std::string>, std::string> open_effects_;
  outbox outbox_;
  inbox inbox_;
  std::set<entity_ref> roster_; // events, blocks, areas and the catalogue's own: what publishes
  slot_table slots_;
  std::uint32_t founding_ = 1;          // see config
  std::set<event_number> ended_groups_; // groups that were forgotten: numbers are never used again, nothing wakes them

  // execution
  std::deque<raft::entry> committed_;
  superstep step_;
  std::vector<delivery> parked_; // for entities just being passivated
  entity_table entities_;
  std::set<partition_id> notes_seen_;   // senders to acknowledge after this entry
  std::vector<std::string_view> steps_; // of slots, in this entry
  std::uint64_t entry_hash_ = 0;        // of what this entry's other commands did without any entity
  host_time passivated_{};              // when idle sessions were last looked for
  bool shrink_due_ = false;

  // leadership
  bool leading_ = false;
  host_time led_since_{};
  log_time led_from_{};
  log_index proposed_ = 0; // last index proposed by this leader
  pace pace_;
  host_time propose_from_{}; // not before: consensus has just refused
  log_index committed_to_ = 0;
  wall_time last_wall_{}; // stamped last
  std::deque<proposal> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::uint64_t next_propose_id_ = 1;
  bool publish_due_ = false;                // everything, at the next boundary
  std::set<entity_ref> publish_asleep_;     // what of it has yet to be woken
  std::optional<entity_ref> publish_woken_; // what was, and has not published yet

  struct pulling {
    std::string position;
    host_time asked{};
    bool proposed = false; // what came is on its way through the log
  };

  std::map<slot_number, pulling> pulling_;
  courier courier_;
  bool notes_due_ = false;  // there may be something for it
  host_time notes_begun_{}; // when it last began with what is not acknowledged
  std::optional<host_time> raft_timer_;

  // reads
  std::uint64_t next_read_id_ = 1;
  std::map<std::uint64_t, std::vector<query>> reads_;
  std::vector<std::pair<log_index, std::vector<query>>> ready_reads_;

  // checkpoints
  std::uint64_t attempts_ = 0;
  std::uint64_t checkpoint_ = 0; // in force
  log_index checkpoint_index_ = 0;
  log_term checkpoint_term_ = 0;
  std::uint64_t taking_ = 0; // in progress
  log_index taking_index_ = 0;
  raft::snapshot_ref taking_ref_;
  std::string taking_record_;
  bool ended_ = false;        // all pieces handed out
  bool committing_ = false;   // the write that puts it in force is under way
  std::size_t log_bytes_ = 0; // since the last cut
  bool forced_ = false;
  std::vector<event_number> forgotten_;                     // groups whose records go with the next checkpoint
  std::vector<event_number> taking_forgotten_;              // with the one in progress
  std::deque<std::pair<log_index, std::size_t>> log_sizes_; // of entries written by this process, by index

  // replication
  std::uint64_t fetching_ = 0;                       // number of the checkpoint being fetched
  std::optional<fetched> to_install_;                // at the next boundary
  std::optional<raft::fetch_snapshot> fetch_wanted_; // once the own checkpoint in progress is in force
  state_hashes hashes_{config_.compare_entries};
  std::map<node_id, std::uint64_t> incarnations_; // of the replicas' processes, as heard last

  std::uint64_t entries_total_ = 0;
  std::uint64_t commands_total_ = 0;
  std::uint64_t refused_total_ = 0;
};

} // namespace sluice::partition
