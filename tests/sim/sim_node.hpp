// One node: its disk, its clocks, its writers, its replicas, its bridge and its desk; crashes, pauses and restarts.
#pragma once

#include "bridge.hpp"
#include "checkers.hpp"
#include "disk_writer.hpp"
#include "fetcher.hpp"
#include "node_clock.hpp"
#include "payment_desk.hpp"
#include "peer_net.hpp"
#include "replica.hpp"
#include "scene.hpp"
#include "sim_disk.hpp"
#include "sim_provider.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>

namespace sluice::simulation {

class sim_cluster;

/// Owned by one run; outlives its own crashes.
class sim_node {
public:
  sim_node(scene& run, checkers& all, sim_provider& provider, sim_cluster& home, node_id id);

  // ---- its life ----
  void boot();
  /// `down`: for how long; empty: as the plan says.
  void crash(std::optional<micros> down = std::nullopt);
  /// A checkpoint of everything, then the end.
  void stop_cleanly(std::function<void()> stopped);
  void begin_crashing();
  void pause(micros until);

  /// No boot until `come_back`.
  void stay_away() { is_away_ = true; }

  bool is_away() const { return is_away_; }

  void come_back();

  bool up() const { return up_; }

  /// A client's request arrives. Dropped silently when the node is down.
  void request(const entity_ref& to, std::shared_ptr<const domain::message> m, bool is_query,
               std::function<void(const node_answer&)> done);
  /// So does a burst of commands.
  void request_all(const entity_ref& to, std::vector<std::shared_ptr<const domain::message>> all, burst_handler done);

  // ---- from other nodes ----
  void receive(node_id from, std::uint64_t incarnation, parcel what);
  /// To a node that may have died.
  void lost_link(node_id to);

  // ---- for its replicas, its bridge and its fetcher ----
  partition::reading reading() const;
  /// Of this node's clock, in virtual time.
  micros until(host_time at) const;

  node_id id() const { return id_; }

  std::uint64_t incarnation() const { return incarnation_; }

  sim_cluster& home() { return home_; }

  node_clock& clock() { return clock_; }

  sim_disk& disk() { return disk_; }

  disk_writer& writer() { return *writer_; }

  fetcher& fetches() { return *fetcher_; }

  checkers& all_checkers() { return checkers_; }

  partition::config config_of(partition_id partition) const;
  void send(node_id to, parcel what);
  void propose(partition_id partition, std::vector<partition::proposal> all);
  void ask(partition_id partition, std::vector<partition::query> all);
  /// To an entry's commands, or to queries. Those for one node travel together.
  void answer(partition_id partition, log_index index, const entry_stamps& stamps,
              const std::vector<partition::answer_out>& all, bool is_query);
  void refuse(partition_id by, const partition::refusal_out& refusal);
  void send_note(partition_id to, partition::proposal note);
  void charge(partition_id partition, const partition::effect_out& effect);
  /// Its charges are the next partition's.
  void leaves(partition_id partition, event_number event);
  node_id leader_of(partition_id partition);
  void pull_slot(partition_id to, const partition::slot_pull& what);
  void learn(const partition::slot_home& home);
  void role_changed(partition_id partition, const raft::role_changed& role);
  void leading_began(partition_id partition, log_term term);
  void leading_ended(partition_id partition);

  /// Null: no replica of it is here.
  replica* find(partition_id partition);
  void host(partition_id partition);
  /// It ends, and begins again without what it kept of that partition.
  void forget(partition_id partition);

  const std::map<partition_id, std::unique_ptr<replica>>& replicas() const { return replicas_; }

private:
  void on(node_id from, std::uint64_t incarnation, raft_parcel& p);
  void on(node_id from, std::uint64_t incarnation, commands_parcel& p);
  void on(node_id from, std::uint64_t incarnation, questions_parcel& p);
  void on(node_id from, std::uint64_t incarnation, answers_parcel& p);
  void on(node_id from, std::uint64_t incarnation, refusal_parcel& p);
  void on(node_id from, std::uint64_t incarnation, leads_parcel& p);
  void on(node_id from, std::uint64_t incarnation, hash_parcel& p);
  void on(node_id from, std::uint64_t incarnation, chunk_request& p);
  void on(node_id from, std::uint64_t incarnation, chunk_parcel& p);
  void on(node_id from, std::uint64_t incarnation, slot_request& p);
  void on(node_id from, std::uint64_t incarnation, slot_parcel& p);

  void settle(const entity_ref& session, const domain::charge_settled& outcome);
  void on_durable(const disk_writer::durable& d);
  /// After every event of this node: a power cut within it takes effect now.
  void after_event();

  scene& run_;
  checkers& checkers_;
  sim_provider& provider_;
  sim_cluster& home_;
  node_id id_;
  node_clock clock_;
  sim_disk disk_;
  bool up_ = false;
  bool is_away_ = false;
  bool has_founded_ = false;
  std::set<partition_id> to_forget_; // as the store remembers it
  std::uint64_t incarnation_ = 0;
  micros host_offset_ = 0;         // the steady clock begins anywhere
  std::int64_t host_rate_ = 1'000; // permille

  std::unique_ptr<disk_writer> writer_;
  std::unique_ptr<payment_desk> desk_;
  std::unique_ptr<bridge> bridge_;
  std::unique_ptr<fetcher> fetcher_;
  std::map<partition_id, std::unique_ptr<replica>> replicas_;
  std::map<partition_id, micros> notes_until_; // when the last note sent there arrives
};

} // namespace sluice::simulation
