#include "actors/local_router.hpp"

#include "core/assert.hpp"

#include <utility>

namespace sluice::actors {

local_router::local_router(node_id node, std::uint64_t incarnation, std::uint32_t partitions)
    : node_{node}, incarnation_{incarnation}, places_{partitions}, partitions_(partitions) {}

void local_router::attach(partition_id partition, partition_actor actor) {
  std::unique_lock lock{lock_};
  partitions_[partition.value] = std::move(actor);
}

void local_router::detach_all() {
  std::unique_lock lock{lock_};
  for (auto& handle : partitions_)
    handle = nullptr;
}

partition_actor local_router::handle_of(partition_id partition) const {
  std::shared_lock lock{lock_};
  return partition.value < partitions_.size() ? partitions_[partition.value] : partition_actor{};
}

partition_id local_router::place_of(event_number event) const {
  if (!any_moved_.load(std::memory_order_acquire))
    return places_.of_event(event);
  std::shared_lock lock{lock_};
  return ways_.place_of(places_, event);
}

void local_router::learn(const partition::slot_home& home) {
  if (home.partition.value >= places_.partitions())
    return;
  std::unique_lock lock{lock_};
  ways_.learn(home.slot, home.by, home.partition);
  any_moved_.store(!ways_.empty(), std::memory_order_release);
}

void local_router::propose(partition_id to, std::vector<partition::proposal> batch) {
  if (auto handle = handle_of(to))
    caf::anon_send(handle, proposals{std::make_shared<std::vector<partition::proposal>>(std::move(batch))});
}

void local_router::ask(partition_id to, std::vector<partition::query> batch) {
  if (auto handle = handle_of(to))
    caf::anon_send(handle, questions{std::make_shared<std::vector<partition::query>>(std::move(batch))});
}

std::uint8_t local_router::add_port(answer_port& port) {
  SLUICE_ASSERT(port_count_ < ports_.size(), "too many bridges in one process");
  ports_[port_count_] = &port;
  return port_count_++;
}

partition::origin local_router::origin_of(std::uint8_t port, std::uint64_t number) const {
  return {node_, incarnation_, std::uint64_t{port} << 56 | number};
}

void local_router::give_back(std::vector<partition::answer_out> answers, std::vector<partition::refusal_out> refusals) {
  std::array<std::vector<partition::answer_out>, 64> answers_of;
  std::array<std::vector<partition::refusal_out>, 64> refusals_of;
  auto is_ours = [&](const partition::origin& o) {
    return o.node == node_ && o.incarnation == incarnation_ && port_of(o) < port_count_;
  };
  for (auto& a : answers)
    if (is_ours(a.to))
      answers_of[port_of(a.to)].push_back(std::move(a));
  for (auto& r : refusals) {
    if (r.moved)
      learn(*r.moved);
    if (is_ours(r.to))
      refusals_of[port_of(r.to)].push_back(r);
  }
  for (std::uint8_t port = 0; port < port_count_; ++port)
    if (!answers_of[port].empty() || !refusals_of[port].empty())
      ports_[port]->take(std::move(answers_of[port]), std::move(refusals_of[port]));
}

} // namespace sluice::actors
