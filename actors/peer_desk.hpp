// Where what other nodes say comes in, and what replicas, bridges and operators here want of other nodes goes out.
#pragma once

#include "actors/cluster_router.hpp"
#include "actors/messages.hpp"
#include "actors/snapshot_transfer.hpp"
#include "actors/worker.hpp"
#include "cluster/link/links.hpp"
#include "storage/log_store.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace sluice::proto {
class NodeQuestion;
class NodeStatus;
class PeerItem;
class PulledSlot;
} // namespace sluice::proto

namespace sluice::actors {

/// Thread-safe. Outlives the actors that use it.
class peer_desk final : public link::listener, public peer_port, public publication_port {
public:
  struct hooks {
    /// Publications of all leaders, for this node's bridges.
    publication_port* models = nullptr;
    /// What a peer wants to know of this node (an event's proof, an entity's insides); `done` from any thread.
    std::function<void(const std::string& what, const std::string& argument, std::function<void(std::string)> done)>
        answer;
    /// See link::listener.
    std::function<void(const std::string& name, const std::string& request, on_joined done)> let_in;
    /// A checkpoint that was being fetched never comes.
    std::function<void(partition_id, std::uint64_t)> given_up;
  };

  /// `store` null: this node holds no replica.
  peer_desk(cluster_router& routes, storage::log_store* store, hooks how);
  ~peer_desk() override;

  /// Before any traffic.
  void connect(link::links& links);

  // ---- of replicas ----

  void send(partition_id partition, node_id to, const raft::message& m) override;
  void load(partition_id partition, const raft::load& what) override;
  void fetch(partition_id partition, const partition::fetch_out& what) override;
  void leads(partition_id partition, log_term term) override;
  void follows(partition_id partition, log_term term, node_id leader) override;
  void compare(partition_id partition, const partition::hash_out& hash) override;
  void pull(partition_id partition, const partition::slot_pull& what) override;
  void begun(partition_id partition, std::uint64_t attempt);

  // ---- publications: first to the bridges here, then to all others ----

  void take(partition_id partition, const std::vector<partition::publication_out>& publications) override;

  // ---- of the links ----

  void received(node_id from, std::uint64_t incarnation, const std::string& envelope) override;
  void opened(node_id to) override;
  void renewed(node_id from) override;
  void lost(node_id node) override;
  void asked_to_join(const std::string& name, const std::string& request, on_joined done) override;

  // ---- of the node ----

  /// To be called several times a second.
  void tick();
  void tell_status(const proto::NodeStatus& status);
  /// The latest word of each node, with its age.
  std::map<node_id, std::pair<std::shared_ptr<const proto::NodeStatus>, std::chrono::milliseconds>> statuses() const;
  /// `done` exactly once, empty when no answer came.
  void ask(node_id to, const std::string& what, const std::string& argument,
           std::function<void(std::optional<std::string>)> done);

  snapshot_transfer* transfer() { return transfer_.get(); }

  struct figures {
    std::uint64_t nonsense = 0;  // items dropped because they make no sense
    std::uint64_t packed = 0;    // bytes of items that were packed, before
    std::uint64_t packed_to = 0; // and after
  };

  figures count() const { return {nonsense_, packed_, packed_to_}; }

  void stop();

private:
  using clock = std::chrono::steady_clock;

  struct heard {
    std::shared_ptr<const proto::NodeStatus> status;
    clock::time_point at;
  };

  struct asked {
    std::function<void(std::optional<std::string>)> done;
    clock::time_point until;
  };

  bool dispatch(node_id from, std::uint64_t incarnation, proto::PeerItem& item, std::size_t& room);
  void answer(node_id from, const proto::NodeQuestion& question);
  void give_slot(partition_id to, const partition::slot_pull& what, std::function<void(std::string)> done);
  bool pulled_slot(const proto::PulledSlot& part);
  template <class Message>
  void tell(partition_id partition, Message message);

  cluster_router& routes_;
  storage::log_store* store_;
  hooks how_;
  link::links* links_ = nullptr;
  std::unique_ptr<snapshot_transfer> transfer_;
  worker reader_{"log-reader"};
  worker slot_reader_{"slot-reader", 5};

  mutable std::mutex lock_;
  std::map<node_id, heard> heard_;
  std::map<std::uint64_t, asked> asked_;
  std::uint64_t next_question_ = 1;
  std::set<std::pair<partition_id, slot_number>> giving_; // slots of which a part is being read, by where they go
  std::atomic<std::uint64_t> nonsense_{0};
  std::atomic<std::uint64_t> packed_{0};
  std::atomic<std::uint64_t> packed_to_{0};
};

} // namespace sluice::actors
