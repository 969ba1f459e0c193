// A whole node: the one place that builds the others and puts them together.
#pragma once

#include "actors/cluster_router.hpp"
#include "actors/partition.hpp"
#include "actors/payment_desk.hpp"
#include "actors/settlement.hpp"
#include "actors/worker.hpp"
#include "http/bridge.hpp"
#include "http/io_thread.hpp"
#include "http/provider_client.hpp"
#include "http/push_hub.hpp"
#include "http/read_models.hpp"
#include "node/cluster.hpp"
#include "node/config.hpp"
#include "node/event_feed.hpp"
#include "node/folder_lock.hpp"
#include "node/identity.hpp"
#include "storage/checkpoint_writer.hpp"
#include "storage/log_writer.hpp"
#include "storage/rocks_store.hpp"

#include <caf/all.hpp>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace sluice::node {

/// Started by its constructor, stopped by `stop`. In between everything runs on its own threads.
class node {
public:
  explicit node(const config& settings);
  ~node();

  /// Takes checkpoints, so that the next start is quick, and ends every thread. A second call does nothing.
  void stop();

  /// Reads the clients' certificate again; a mistake keeps the one in use.
  void reload_certificate();

  /// Why the node does not serve yet; empty once it does.
  std::vector<std::string> not_ready() const;

  std::uint16_t port() const;

  // For tools that run a node in their own process.
  actors::router& routes() { return *routes_; }

  http::read_models& models() { return models_; }

private:
  // building
  void open_store();
  void restore();
  void start_actors();
  void start_writers();
  void start_desk();
  void start_partitions();
  void start_edge();
  partition::config partition_config(partition_id partition) const;
  partition::start recover(partition_id partition);
  void forget_untrue(partition_id partition);

  // running
  void watch();
  void look_at_partitions();
  void watch_memory();
  std::vector<partition::status> seen() const;
  proto::NodeStatus own_status() const;
  void take_over_secrets();

  // what others ask
  http::node_services services();
  void inspect(std::function<void()> work);
  bool pass_on(const std::string& what, facts_question asked, const std::function<void(std::string)>& done);
  void await_checkpoint(std::uint32_t p, log_index wanted, const std::function<void(std::string)>& done);
  void read_feed(event_number event, std::function<void(std::string)> done,
                 std::function<std::string(const event_feed&)> read);
  std::optional<std::string> wait_for_leader(partition_id partition, const std::string& what,
                                             const std::string& argument);
  void ask_leader(partition_id partition, const std::string& what, const std::string& argument,
                  std::function<void(std::string)> done);
  void answer(const std::string& what, const std::string& argument, std::function<void(std::string)> done);
  void list_entities(std::function<void(std::string)> done);
  std::string inspect_log(partition_id partition, std::optional<log_index> after, std::size_t limit);
  std::string metrics();
  void make_backup(std::function<void(std::string manifest, std::string error)> done);
  std::filesystem::path backup_folder() const;
  bool answer_backup(const std::string& what, const std::string& argument,
                     const std::function<void(std::string)>& done);

  // stopping
  void hand_over();
  void finish_requests();
  void save_all();
  void stop_partitions();

  config config_;
  std::optional<folder_lock> folder_; // before the store: it is the last to go
  identity identity_;
  std::unique_ptr<storage::rocks_store> store_;
  std::unique_ptr<storage::log_writer> log_;
  std::unique_ptr<storage::checkpoint_writer> checkpoints_;
  http::edge edge_;
  http::read_models models_;
  std::unique_ptr<cluster> cluster_;
  std::string http_address_;
  std::unique_ptr<actors::cluster_router> routes_;
  std::unique_ptr<http::provider_client> provider_;
  std::unique_ptr<caf::actor_system_config> caf_config_;
  std::unique_ptr<caf::actor_system> caf_;
  std::vector<actors::partition_actor> partitions_;
  std::unique_ptr<actors::settlement> settlement_;
  actors::payment_desk_actor desk_;
  actors::desk_figures desk_figures_;
  std::unique_ptr<actors::effect_port> effects_;
  std::unique_ptr<http::push_hub> pushes_;
  std::unique_ptr<http::bridge_services> bridge_services_;
  std::vector<std::unique_ptr<http::io_thread>> io_threads_;
  std::vector<std::unique_ptr<http::bridge>> bridges_;

  // what the watch thread saw last
  mutable std::mutex seen_lock_;
  std::vector<partition::status> seen_;
  std::atomic<bool> serving_{false};

  actors::worker backups_{"backup", 5}; // waits for other nodes: on its own
  std::uint64_t backups_begun_ = 0;     // that thread's
  std::atomic<bool> backing_up_{false};
  actors::worker inspector_{"inspector"}; // slow looks at the store: verify, audit; may wait for other nodes' pages
  actors::worker pages_{"facts"};         // those: never waits for anybody

  std::atomic<bool> stopping_{false};
  std::mutex stop_lock_;
  std::condition_variable stop_wake_;
  std::thread watch_;
};

/// Prometheus text of everything the node counts.
std::string metrics_text(const http::edge& edge, const http::read_models& models,
                         const std::vector<partition::status>& partitions, storage::log_writer& log,
                         const storage::log_store& store, const actors::desk_figures& desk,
                         const http::provider_client& provider, std::uint64_t in_flight, cluster& peers);

} // namespace sluice::node
