// How this node is: for other nodes, and for Prometheus.
#include "node/node.hpp"

#include "domain/feature_level.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <thread>

#include <sys/statvfs.h>
#include <unistd.h>

namespace sluice::node {

namespace {

/// Resident, in bytes.
std::uint64_t memory_in_use() {
  std::ifstream statm{"/proc/self/statm"};
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

void describe(const partition::status& s, std::uint32_t partition, proto::NodeStatus::Replica& out) {
  out.set_partition(partition);
  out.set_term(s.consensus.term);
  out.set_leader(s.consensus.leader.value);
  out.set_leading(s.leading);
  out.set_applied(s.applied);
  out.set_commit(s.consensus.commit_index);
  out.set_last(s.consensus.last_index);
  out.set_checkpoint(s.checkpoint_index);
  out.set_hash(s.state_hash);
  out.set_rejoining(s.consensus.rejoining);
  out.set_halted(s.halted);
  out.set_moving_slots(static_cast<std::uint32_t>(s.moving_slots));
  out.set_first(s.consensus.first_index);
  out.set_active_entities(s.active_entities);
  out.set_open_effects(s.open_effects);
  out.set_members_index(s.consensus.members_index);
  out.set_members_term(s.consensus.members_term);
  for (auto v : s.consensus.members.voters)
    out.mutable_members()->add_voters(v.value);
  for (auto l : s.consensus.members.learners)
    out.mutable_members()->add_learners(l.value);
}

} // namespace

proto::NodeStatus node::own_status() const {
  proto::NodeStatus status;
  status.set_version(SLUICE_VERSION);
  status.set_feature_level(domain::feature_level());
  status.set_serving(serving_ && !stopping_);
  status.set_memory(memory_in_use());
  status.set_memory_full(edge_.crowded);
  status.set_connections(edge_.figures.connections);
  double load = 0;
  if (::getloadavg(&load, 1) == 1)
    status.set_load_percent(static_cast<std::uint32_t>(load * 100 / std::max(1u, std::thread::hardware_concurrency())));

  struct statvfs disk {};

  if (::statvfs(config_.data.c_str(), &disk) == 0) {
    status.set_disk_free(disk.f_bavail * disk.f_frsize);
    status.set_disk_used((disk.f_blocks - disk.f_bfree) * disk.f_frsize);
  }
  auto all = seen();
  for (std::uint32_t p = 0; p < all.size(); ++p)
    describe(all[p], p, *status.add_replicas());
  return status;
}

std::string node::metrics() {
  return metrics_text(edge_, models_, seen(), *log_, *store_, desk_figures_, *provider_, bridge_services_->in_flight,
                      *cluster_);
}

} // namespace sluice::node
