// This node's part in its cluster: lines to the others, who they are, where replicas and leaders belong.
#pragma once

#include "actors/cluster_router.hpp"
#include "actors/peer_desk.hpp"
#include "cluster/link/links.hpp"
#include "domain/publications.hpp"
#include "http/bridge.hpp"
#include "http/read_models.hpp"
#include "node/catalogue_port.hpp"
#include "node/config.hpp"
#include "node/identity.hpp"
#include "sluice/peer.pb.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace sluice::node {

/// `tick` and `attach_*` belong to the node's own threads; the rest is thread-safe.
class cluster {
public:
  /// Listens, so that its port is known; talks to nobody yet. Throws start_failure.
  cluster(const config& settings, storage::log_store& store);
  ~cluster();

  /// Where other nodes reach this one.
  const std::string& peer_address() const { return peer_address_; }

  struct parts {
    identity* who = nullptr;
    actors::cluster_router* routes = nullptr;
    http::read_models* models = nullptr;
    std::string http_address;
    bool holds_replicas = true;
    std::function<void(const std::string& what, const std::string& argument, std::function<void(std::string)> done)>
        answer; // see actors::peer_desk
    std::function<void(partition_id, std::uint64_t)> given_up;
  };

  /// Before the actors: they send through it.
  void attach(parts p);
  /// The actors are there: lines may open.
  void start();

  /// Lines close; nothing comes in any more.
  void stop();

  actors::peer_desk& desk() { return *desk_; }

  const link::links& lines() const { return *links_; }

  /// Ten times a second. `seen` is what the partitions here looked like a moment ago.
  void tick(const std::vector<partition::status>& seen, const proto::NodeStatus& status);

  /// Answers what operators wait for, where it is done by now. Part of `tick`.
  void settle_waits();

  /// Leadership of everything led here goes to others that can take it; true once nothing is left that could go.
  bool hand_over_all(const std::vector<partition::status>& seen);

  // ---- for operators ----

  /// GET /admin/v1/cluster.
  std::string describe() const;
  /// By partition: the memory of a node that has a replica is nearly used up.
  void note_full_nodes(std::vector<std::atomic<bool>>& partitions) const;
  /// Done once somebody else leads it (`to`, if set); an error if nobody took over within a few seconds.
  void transfer(partition_id partition, node_id to, http::node_services::on_done done);
  void rebalance(http::node_services::on_done done);
  using on_placed = std::function<void(std::optional<http::node_services::event_place>)>;
  /// Where the event is; nothing if its partition's leader does not say.
  void place(event_number event, on_placed done);
  /// Brings the event's slot to that partition, or says how far it is.
  void move(event_number event, partition_id to, const http::node_services::on_moved& done);
  /// Done once every node that can be reached knows the event in this revision, or soon after: whoever defined an event
  /// may use it anywhere.
  void spread(const std::string& slug, std::uint32_t revision, std::function<void()> done);
  /// Done once it is certain that no replica is left on that draining node, or soon after with why it is not.
  void may_remove(node_id node, http::node_services::on_done done);
  /// Answers what another node asks about partitions led here.
  bool answer(const std::string& what, const std::string& argument, const std::function<void(std::string)>& done);

private:
  using clock = std::chrono::steady_clock;
  class gate; // hears of the links before the desk is there

  void let_in(const std::string& certified, const std::string& request, link::listener::on_joined done);
  void found(const std::vector<partition::status>& seen);
  void announce();
  void follow_catalogue(const domain::catalogue_update& catalogue);
  void watch_leaders(const std::vector<partition::status>& seen);
  void note_departures(const domain::catalogue_update& catalogue, const std::vector<partition::status>& seen);
  void place_replicas(const domain::catalogue_update& catalogue, const std::vector<partition::status>& seen);
  void balance_leaders(const domain::catalogue_update& catalogue, const std::vector<partition::status>& seen);
  std::vector<node_id> active_members(const domain::catalogue_update& catalogue) const;
  std::vector<node_id> may_lead(const domain::catalogue_update& catalogue) const;
  bool is_reachable(node_id node) const;
  std::map<node_id, std::shared_ptr<const proto::NodeStatus>> fresh_statuses() const;
  template <class Message>
  void tell(partition_id partition, Message message);
  void move(event_number event, partition_id to, int tries, const http::node_services::on_moved& done);

  struct whereabouts {
    std::optional<partition_id> at; // nothing: nobody says so right now
    std::optional<partition_id> moving_to;
    bool is_known = false; // something of the event is there
  };

  void find(event_number event, int tries, const std::function<void(const whereabouts&)>& done);
  void take_off_lost(const domain::catalogue_update& catalogue, const std::vector<partition::status>& seen);
  void look_for(const domain::catalogue_entry& entry);
  void answer_place(const std::string& argument, const std::function<void(std::string)>& done);
  void answer_move(const std::string& argument, const std::function<void(std::string)>& done);
  void answer_slots(const std::string& argument, const std::function<void(std::string)>& done);
  std::string name_of(node_id node) const;
  std::vector<node_id> reachable_others() const;
  std::string why_not_remove(node_id node) const;
  /// Looks ten times a second whether it is over; `done` says whether that came in time.
  void await(std::function<bool()> is_over, std::chrono::milliseconds patience, std::function<void(bool in_time)> done);
  void await_event(const std::string& slug, std::uint32_t revision, std::function<void()> done);

  config settings_;
  storage::log_store& store_;
  parts parts_;
  std::string peer_address_;
  std::unique_ptr<gate> gate_;
  std::unique_ptr<link::links> links_;
  std::unique_ptr<actors::peer_desk> desk_;
  std::unique_ptr<catalogue_port> catalogue_;

  struct absence {
    clock::time_point since; // when a leader was last seen
    bool told = false;
  };

  struct departure {
    bool is_over = false; // it was moved away, and its replica here is of before; as on disk
    clock::time_point since;
  };

  struct wait {
    std::function<bool()> is_over;
    clock::time_point until;
    std::function<void(bool)> done;
  };

  mutable std::mutex lock_;
  proto::NodeStatus own_;                                    // as of the last tick
  std::vector<wait> waits_;                                  // at most waits_max
  std::shared_ptr<const domain::catalogue_update> followed_; // the catalogue the lines are set up for
  std::atomic<bool> founding_{false};
  std::atomic<bool> announced_{false};
  std::atomic<bool> announcing_{false};
  std::atomic<bool> rebalance_wished_{false};

  struct {
    std::set<partition_id> settled; // only of the watch's thread
    std::set<event_number> asked;   // under way
    std::set<event_number> found;
  } lost_; // see take_off_lost

  std::map<partition_id, absence> leaderless_;
  std::map<partition_id, departure> departures_;
  clock::time_point placed_at_{};
  clock::time_point status_told_{};
  clock::time_point balanced_at_{};
  std::map<partition_id, std::pair<log_term, clock::time_point>> led_since_;
};

} // namespace sluice::node
