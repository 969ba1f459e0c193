// The router of a node in a cluster: requests go to the partition's leader, wherever it is, and answers come back.
#pragma once

#include "actors/local_router.hpp"
#include "cluster/link/links.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

namespace sluice::proto {
class ForwardedAnswers;
class ForwardedCommands;
class ForwardedQuestions;
} // namespace sluice::proto

namespace sluice::actors {

/// Thread-safe. Keeps the best it knows of who leads what: newer terms win, a hint that is wrong costs a refusal and a retry.
class cluster_router final : public router {
public:
  cluster_router(node_id node, std::uint64_t incarnation, std::uint32_t partitions);

  /// Before any request; the links outlive the router's traffic.
  void connect(link::links& links) { links_ = &links; }

  local_router& local() { return local_; }

  const partition_map& places() const override { return local_.places(); }

  partition_id place_of(event_number event) const override { return local_.place_of(event); }

  void learn(const partition::slot_home& home) override { local_.learn(home); }

  void propose(partition_id to, std::vector<partition::proposal> proposals) override;
  void ask(partition_id to, std::vector<partition::query> queries) override;
  void give_back(std::vector<partition::answer_out> answers, std::vector<partition::refusal_out> refusals) override;
  std::uint64_t way_to(partition_id partition) const override;

  std::uint8_t add_port(answer_port& port) override { return local_.add_port(port); }

  partition::origin origin_of(std::uint8_t port, std::uint64_t number) const override {
    return local_.origin_of(port, number);
  }

  // ---- who leads ----

  void leader_is(partition_id partition, log_term term, node_id leader);
  /// Whatever was sent to it may be lost.
  void line_changed(node_id node);
  node_id leader_of(partition_id partition) const;
  /// Partitions this node leads, with their terms.
  std::vector<std::pair<partition_id, log_term>> led_here() const;

  // ---- from other nodes; for the links' thread. False: it makes no sense. ----

  bool take(node_id from, const proto::ForwardedCommands& commands);
  bool take(node_id from, const proto::ForwardedQuestions& questions);
  bool take(const proto::ForwardedAnswers& answers);

private:
  struct way {
    node_id leader;
    log_term term = 0;
    std::uint64_t version = 1;
  };

  way way_of(partition_id partition) const;
  /// Says to each that somebody else leads, or nobody.
  template <class Asked>
  void refuse(const std::vector<Asked>& batch);
  bool send(node_id to, const std::string& item);

  local_router local_;
  link::links* links_ = nullptr;
  mutable std::mutex lock_;
  std::vector<way> ways_;
};

} // namespace sluice::actors
