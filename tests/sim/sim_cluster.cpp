#include "sim_cluster.hpp"

#include <algorithm>

namespace sluice::simulation {

sim_cluster::sim_cluster(scene& run, checkers& all, sim_provider& provider, const partition_map& places)
    : run_{run}, checkers_{all}, places_{places}, net_{run, *this}, vacancies_{mix(run.options.seed) ^ 0x7AC} {
  const auto& plan = run.settings;
  for (std::uint32_t n = 1; n <= plan.nodes; ++n)
    nodes_.emplace_back(run, all, provider, *this, node_id{n});
  for (std::uint32_t p = 0; p < places.partitions(); ++p) {
    raft::membership m;
    for (std::uint32_t i = 0; i < plan.replicas; ++i)
      m.voters.insert(node_id{(p + i) % plan.nodes + 1});
    founders_.push_back(m);
    targets_.push_back(m);
    all.cluster.founded({p}, m);
  }
}

void sim_cluster::found() {
  for (auto& n : nodes_)
    n.boot();
  administer();
  watch();
}

void sim_cluster::watch() {
  constexpr micros every = 100 * ms;
  for (std::uint32_t p = 0; p < places_.partitions(); ++p)
    if (!can_work({p}))
      checkers_.cluster.outage({p}, every);
  run_.time.after(every, [this] { watch(); });
}

bool sim_cluster::can_work(partition_id p) {
  auto* l = leader(p);
  if (l == nullptr || l->node().clock().paused())
    return false;
  auto me = l->node().id();
  auto members = l->core().status().consensus.members;
  std::size_t reached = 0;
  for (auto v : members.voters) {
    auto& n = node(v);
    auto* r = n.up() && !n.clock().paused() ? n.find(p) : nullptr;
    bool is_cut = v != me && (net_.is_cut(me, v) || net_.is_cut(v, me));
    reached += r != nullptr && !is_cut && !r->core().status().consensus.rejoining ? 1 : 0;
  }
  return 2 * reached > members.voters.size();
}

void sim_cluster::aim(partition_id p, raft::membership target) {
  targets_[p.value] = std::move(target);
  for (auto& n : nodes_)
    if (n.up() && targets_[p.value].voters.contains(n.id()))
      n.clock().after(0, [&n, p] { n.host(p); });
}

void sim_cluster::administer() {
  for (std::uint32_t p = 0; p < places_.partitions(); ++p)
    if (checkers_.cluster.members({p}) != targets_[p])
      if (auto* l = leader({p}); l != nullptr && !l->node().clock().paused())
        l->node().clock().after(0, [l, target = targets_[p]] { l->handle(partition::reconfigure{target}); });
  for (std::uint32_t p = 0; p < places_.partitions(); ++p)
    vacate({p});
  run_.time.after(500 * ms, [this] { administer(); });
}

/// Who is not a member any more is told so after a while, when it may be one again.
void sim_cluster::vacate(partition_id p) {
  auto* l = leader(p);
  auto known = l != nullptr ? l->core().status().consensus : raft::status{};
  if (l == nullptr || known.members_index == 0 || known.members_index > known.commit_index)
    return;
  for (auto& n : nodes_) {
    auto* r = n.up() ? n.find(p) : nullptr;
    bool is_wanted = targets_[p.value].voters.contains(n.id()) || known.members.voters.contains(n.id()) ||
                     known.members.learners.contains(n.id());
    if (r == nullptr || is_wanted || run_.untrue.contains({n.id(), p}) ||
        r->core().status().consensus.term > known.term || vacancies_.below(3) != 0)
      continue;
    auto late = vacancies_.between(10, 1'000) * ms;
    n.clock().after(late, [r, known] { r->handle(partition::vacate{{known.members_term, known.members_index}}); });
  }
}

bool sim_cluster::is_settled() {
  for (std::uint32_t p = 0; p < places_.partitions(); ++p) {
    if (checkers_.cluster.members({p}) != targets_[p])
      return false;
    for (auto member : targets_[p].voters) {
      auto& n = node(member);
      auto* r = n.up() ? n.find({p}) : nullptr;
      if (r == nullptr || n.disk().has_lost({p}))
        return false;
      auto s = r->core().status().consensus;
      if (s.rejoining || s.members != targets_[p])
        return false;
    }
  }
  return true;
}

replica* sim_cluster::leader(partition_id p) {
  replica* best = nullptr;
  log_term term = 0;
  for (auto& n : nodes_)
    if (auto* r = n.up() ? n.find(p) : nullptr; r != nullptr && r->core().leading())
      if (auto t = r->core().status().consensus.term; t > term) {
        best = r;
        term = t;
      }
  return best;
}

std::vector<node_id> sim_cluster::candidates(partition_id p) const {
  const auto& m = checkers_.cluster.members(p);
  std::vector<node_id> all{m.voters.begin(), m.voters.end()};
  for (auto v : target(p).voters)
    if (!m.voters.contains(v))
      all.push_back(v);
  return all;
}

} // namespace sluice::simulation
