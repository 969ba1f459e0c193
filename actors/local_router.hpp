// The router of a node that holds every partition itself.
#pragma once

#include "actors/handles.hpp"
#include "actors/router.hpp"

#include <array>
#include <atomic>
#include <shared_mutex>
#include <vector>

namespace sluice::actors {

class local_router final : public router {
public:
  local_router(node_id node, std::uint64_t incarnation, std::uint32_t partitions);

  void attach(partition_id partition, partition_actor actor);
  /// Drops the handles, so that the actors can end.
  void detach_all();

  const partition_map& places() const override { return places_; }

  partition_id place_of(event_number event) const override;
  void learn(const partition::slot_home& home) override;

  void propose(partition_id to, std::vector<partition::proposal> proposals) override;
  void ask(partition_id to, std::vector<partition::query> queries) override;
  std::uint8_t add_port(answer_port& port) override;
  partition::origin origin_of(std::uint8_t port, std::uint64_t number) const override;

  /// Called by partition and entity actors. Answers for an earlier incarnation of this process are dropped.
  void give_back(std::vector<partition::answer_out> answers, std::vector<partition::refusal_out> refusals) override;

  std::uint64_t way_to(partition_id) const override { return 0; }

  node_id node() const { return node_; }

  std::uint64_t incarnation() const { return incarnation_; }

  /// Empty: this node has no replica of it.
  partition_actor handle_of(partition_id partition) const;

private:
  node_id node_;
  std::uint64_t incarnation_;
  partition_map places_;
  mutable std::shared_mutex lock_;
  std::vector<partition_actor> partitions_;
  std::atomic<bool> any_moved_{false};
  slot_ways ways_;
  std::array<answer_port*, 64> ports_{};
  std::uint8_t port_count_ = 0;
};

} // namespace sluice::actors
