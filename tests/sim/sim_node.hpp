// One node: its disk, its clocks, its writers, its replicas, its bridge and its desk; crashes and restarts.
#pragma once

#include "checkers.hpp"
#include "disk_writer.hpp"
#include "node_clock.hpp"
#include "payment_desk.hpp"
#include "replica.hpp"
#include "scene.hpp"
#include "sim_disk.hpp"
#include "sim_provider.hpp"

#include "cluster/partition_map.hpp"

#include <functional>
#include <map>
#include <memory>

namespace sluice::simulation {

/// How a command or query ended for whoever sent it.
struct node_answer {
  std::shared_ptr<const domain::reply> reply; // null: refused by the node
  errc why{};
};

/// Owned by one run; outlives its own crashes.
class sim_node {
public:
  sim_node(scene& run, checkers& all, sim_provider& provider, const partition_map& places, node_id id);

  void boot();
  void crash();
  /// A checkpoint of everything, then the end.
  void stop_cleanly(std::function<void()> stopped);
  void begin_crashing();

  bool up() const { return up_; }

  /// A client's request arrives. Dropped silently when the node is down.
  void request(const entity_ref& to, std::shared_ptr<const domain::message> m, bool is_query,
               std::function<void(const node_answer&)> done);

  // ---- for its replicas ----
  partition::reading reading() const;
  node_id id() const { return id_; }

  node_clock& clock() { return clock_; }

  sim_disk& disk() { return disk_; }

  disk_writer& writer() { return *writer_; }

  checkers& all_checkers() { return checkers_; }

  partition::config config_of(partition_id partition) const;
  void answer(const entry_stamp& at, const partition::origin& to, const domain::reply& r, bool is_query);
  void refuse(const partition::refusal_out& refusal);
  void send_note(partition_id to, partition::proposal note);
  void charge(const partition::effect_out& effect);

  const std::map<partition_id, std::unique_ptr<replica>>& replicas() const { return replicas_; }

private:
  struct pending {
    entity_ref to;
    std::shared_ptr<const domain::message> what;
    std::function<void(const node_answer&)> done;
  };

  void settle(const entity_ref& session, const domain::charge_settled& outcome);
  void propose(const entity_ref& to, std::string body, std::uint64_t request);
  void on_durable(const disk_writer::durable& d);
  /// After every event of this node: a power cut within it takes effect now.
  void after_event();

  scene& run_;
  checkers& checkers_;
  sim_provider& provider_;
  const partition_map& places_;
  node_id id_;
  node_clock clock_;
  sim_disk disk_;
  bool up_ = false;
  std::uint64_t incarnation_ = 0;
  micros host_offset_ = 0; // the steady clock begins anywhere

  std::unique_ptr<disk_writer> writer_;
  std::unique_ptr<payment_desk> desk_;
  std::map<partition_id, std::unique_ptr<replica>> replicas_;
  std::uint64_t next_request_ = 1;
  std::map<partition_id, micros> notes_until_; // when the last note sent there arrives
  std::map<std::uint64_t, pending> pending_;
};

} // namespace sluice::simulation
