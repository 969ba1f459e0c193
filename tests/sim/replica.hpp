// The host of one partition core: what the production host does with actors and threads, done with events. Entities answer
// in any order, after any delay, as mailboxes would have it.
#pragma once

#include "digest.hpp"
#include "scene.hpp"

#include "actors/entity_shell.hpp"
#include "cluster/partition/core.hpp"
#include "storage/log_store.hpp"

#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>

namespace sluice::simulation {

class sim_node;

/// Owned by one life of a node.
class replica {
public:
  replica(scene& run, sim_node& node, partition_id id);

  /// From what the disk kept. `bootstrap` counts only on an empty disk.
  void start(const storage::recovered& found, const raft::membership& bootstrap, bool may_vote);
  void handle(partition::input in);
  /// The write is durable: what waited for it leaves.
  void written(std::uint64_t write);
  /// A fetched checkpoint is in force.
  void installed();

  const partition::core& core() const { return *core_; }

  sim_node& node() { return node_; }

private:
  struct entity {
    entity_ref ref;
    std::unique_ptr<actors::entity_shell> shell; // null until its first message
    partition::activation activate{};
    partition::kept_pieces record;
    micros busy_until = 0;
    bool ended = false; // by a reset: its mailbox is gone as well
  };

  using entity_pointer = std::shared_ptr<entity>;

  void carry_out(partition::outputs& out);
  void check_notes(const partition::outputs& out);
  void reset();
  bool is_untrue() const;
  void write(partition::outputs& out);
  void post(const raft::send& s);
  void load(const raft::load& wanted);
  void tell_peers(partition::outputs& out);
  void note_log(const raft::write& w);
  void tell_entities(partition::outputs& out);
  void tell_world(partition::outputs& out);
  void set_timer(host_time at);
  void arm();

  entity_pointer find(const entity_ref& of, partition::activation activate, partition::kept_pieces record);
  template <class What>
  void post(const entity_pointer& to, What what);
  bool wake(entity& e);
  void deliver(entity& e, const partition::delivery& d);
  void save(const entity_pointer& e, const partition::save_request& s);
  void ask(entity& e, partition::ask& a);
  void take_digest();
  void read_digests(const partition::slot_table& slots);
  void close_slots();
  void open_slot(const partition::slot_opened& o);

  scene& run_;
  sim_node& node_;
  partition_id id_;
  std::unique_ptr<partition::core> core_;
  std::map<entity_ref, entity_pointer> entities_;
  std::deque<raft::send> held_;          // until their write is durable
  std::map<log_index, raft::entry> log_; // as written, from what is not executed yet
  bool led_ = false;                     // before the input being handled
  bool was_rejoining_ = false;           // when a membership was last executed
  log_index executing_ = 0;              // the entry whose deliveries are being worked on
  entry_stamps stamps_;                  // of its events
  log_index reached_ = 0;
  digest digest_;
  std::set<entity_ref> touched_; // since the digest was last taken
  static constexpr micros never = std::numeric_limits<micros>::max();
  std::optional<micros> rings_at_; // when the core wants to be called
  micros armed_for_ = never;       // when the event comes that looks at it
  std::uint64_t timer_ = 0;        // of that event
  micros stood_still_at_ = 0;      // for finding a timer that rings for ever
  std::uint64_t ticks_ = 0;
};

} // namespace sluice::simulation
