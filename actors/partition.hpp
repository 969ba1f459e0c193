// The actor around a partition core: it only carries. Inputs come as messages, outputs go to the log writer, the entities,
// the bridges and the desks.
#pragma once

#include "actors/entity.hpp"
#include "actors/handles.hpp"
#include "actors/messages.hpp"
#include "actors/router.hpp"
#include "storage/checkpoint_writer.hpp"
#include "storage/log_store.hpp"
#include "storage/log_writer.hpp"

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>

namespace sluice::actors {

/// What a partition works with. All of it outlives the actors.
struct partition_services {
  storage::log_store* store = nullptr;
  storage::log_writer* log = nullptr;
  storage::checkpoint_writer* checkpoints = nullptr;
  router* routes = nullptr;
  publication_port* publications = nullptr;
  effect_port* effects = nullptr;
  peer_port* peers = nullptr; // null: this node is alone
  std::function<partition::reading()> clock;
  std::function<void(partition_id, const raft::role_changed&)> role_changed; // for logs; may be empty
};

class partition_host final : public partition_actor::base {
public:
  partition_host(caf::actor_config& cfg, partition::config settings, partition::start found,
                 partition_services services);

  const char* name() const override { return "partition"; }

protected:
  behavior_type make_behavior() override;
  void on_exit() override;

private:
  void feed(partition::input in);
  /// One step of the core and what comes of it.
  void step(const std::function<void()>& handle);
  void carry_out();
  void write_log();
  void replicate();
  void became_durable_up_to(std::uint64_t write_id, std::chrono::microseconds took);
  void end_all();
  void tell_roles();
  void tell_entities();
  void deliver_all();
  /// The entity, made if it is to be.
  entity_actor& active(const entity_ref& of, partition::activation how, const partition::kept_pieces& record);
  void end_group(event_number event);
  void set_timer();

  partition_id partition_;
  partition_services services_;
  partition::core core_;
  partition::start found_;
  partition::outputs out_;
  std::unordered_map<entity_ref, entity_actor> entities_;
  std::optional<host_time> timer_;
  std::uint64_t timer_set_ = 0;
  std::deque<raft::send> held_; // until the write each depends on is durable
  std::uint64_t durable_ = 0;   // the latest write that is
};

/// What recovery found, as the core wants it. `bootstrap` is used if the partition never had a member; a replica that may
/// not vote has lost a part of its log, and comes back as a learner.
partition::start start_from(const storage::recovered& found, raft::membership bootstrap, bool may_vote);

/// The store's fact that this replica's state is not to be believed: set before the process ends, looked for at its start.
std::string untrue_fact(partition_id partition);

/// Who was a member at the end of what the disk kept.
raft::membership members_of(const raft::start& found);

/// Log entries as the store and as consensus see them.
raft::entry entry_from(const storage::stored_entry& e);

/// A raft write as the store wants it.
storage::log_batch to_batch(partition_id partition, const partition::log_write& w);

} // namespace sluice::actors
