// The bridge of one node: takes a client's request to the leader of its partition, wherever that is, and tries again with
// the same bytes until there is an answer or the client has long given up.
#pragma once

#include "node_clock.hpp"
#include "scene.hpp"

#include "cluster/partition/types.hpp"
#include "cluster/partition_map.hpp"
#include "domain/messages.hpp"
#include "domain/replies.hpp"

#include <functional>
#include <map>
#include <memory>

namespace sluice::simulation {

class sim_node;

/// How a command or query ended for whoever sent it.
struct node_answer {
  std::shared_ptr<const domain::reply> reply; // null: refused by the node
  errc why{};
};

/// What was asked, and its answer.
using burst_handler = std::function<void(const domain::message&, const node_answer&)>;

/// Owned by one life of a node.
class bridge {
public:
  bridge(scene& run, sim_node& node) : run_{run}, node_{node} {}

  void request(const entity_ref& to, std::shared_ptr<const domain::message> m, bool is_query,
               std::function<void(const node_answer&)> done);

  /// Commands that belong together, sent together and again together. `done` hears of each.
  void request_all(const entity_ref& to, const std::vector<std::shared_ptr<const domain::message>>& all,
                   const burst_handler& done);

  // ---- what comes back ----
  void answered(const partition::origin& to, partition_id partition, log_index index,
                std::shared_ptr<const domain::reply> reply);
  void refused(const partition::refusal_out& refusal, node_id hint);

  void learn(const partition::slot_home& home) { ways_.learn(home.slot, home.by, home.partition); }

  // ---- what it knows ----
  /// Somebody leads, or (0) nobody is known to.
  void leads(partition_id partition, log_term term, node_id leader);
  void leads_not(partition_id partition, node_id who);
  void lost_link(node_id to);
  node_id leader_of(partition_id partition) const;

private:
  struct pending {
    entity_ref to;
    partition_id partition;
    std::shared_ptr<const domain::message> what;
    std::string body; // of a command
    bool is_query = false;
    std::function<void(const node_answer&)> done;
    node_id sent_to;
    std::uint32_t tries = 0;
    micros until = 0;
    bool in_burst = false; // sent again with the others
  };

  struct lead {
    log_term term = 0;
    node_id node;
  };

  /// Commands and questions that leave together.
  struct batch {
    std::vector<partition::proposal> commands;
    std::vector<partition::query> questions;
  };

  void begin(const entity_ref& to, std::shared_ptr<const domain::message> m, bool is_query,
             std::function<void(const node_answer&)> done, bool in_burst);
  /// Its time is over: whoever asked was told.
  bool gave_up(std::map<std::uint64_t, pending>::iterator late);
  void send(std::uint64_t number);
  void again(std::uint64_t number, micros wait);
  void burst_again(std::uint64_t first, std::uint64_t end);
  void flush(node_id to, partition_id partition);
  node_id choose(const pending& p);
  partition_id place_of(event_number event) const;

  scene& run_;
  sim_node& node_;
  std::uint64_t next_ = 1;
  std::map<std::uint64_t, pending> pending_;
  std::map<partition_id, lead> leads_;
  slot_ways ways_;
  std::map<std::pair<node_id, partition_id>, batch> leaving_;
};

} // namespace sluice::simulation
