// The router of a node that holds every partition itself.
#pragma once

#include "actors/handles.hpp"
#include "actors/router.hpp"

#include <array>
#include <atomic>
#include <vector>

namespace sluice::actors {

class local_router final : public router {
public:
  local_router(node_id node, std::uint64_t incarnation, std::uint32_t partitions);

  /// Before any request.
  void attach(partition_id partition, partition_actor actor);
  /// Drops the handles, so that the actors can end.
  void detach_all();

  const partition_map& places() const override { return places_; }

  void propose(partition_id to, std::vector<partition::proposal> proposals) override;
  void ask(partition_id to, std::vector<partition::query> queries) override;
  std::uint8_t add_port(answer_port& port) override;
  partition::origin origin_of(std::uint8_t port, std::uint64_t number) const override;

  /// Called by partition and entity actors. Answers for an earlier incarnation of this process are dropped.
  void give_back(std::vector<partition::answer_out> answers, std::vector<partition::refusal_out> refusals);

private:
  node_id node_;
  std::uint64_t incarnation_;
  partition_map places_;
  std::vector<partition_actor> partitions_;
  std::array<answer_port*, 64> ports_{};
  std::uint8_t port_count_ = 0;
};

} // namespace sluice::actors
