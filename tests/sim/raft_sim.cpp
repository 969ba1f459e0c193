#include "raft_sim.hpp"

#include "raft_sim_cluster.hpp"

namespace sluice::sim {

raft_sim_counts& raft_sim_counts::operator+=(const raft_sim_counts& o) {
  constexpr auto n = sizeof(raft_sim_counts) / sizeof(std::uint64_t);
  auto* mine = &events;
  auto* theirs = &o.events;
  for (std::size_t i = 0; i < n; ++i)
    mine[i] += theirs[i];
  return *this;
}

cluster_sim::cluster_sim(const raft_sim_options& options)
    : options_{options}, dice_{mix(options.seed * 0x9E3779B97F4A7C15ull + 1)}, weather_{forecast(dice_)},
      counts_{report_.counts} {
  report_.seed = options.seed;
}

raft_sim_report cluster_sim::run() {
  try {
    if (telling())
      say("plot " + std::to_string(static_cast<int>(weather_.plot)) + ", " + std::to_string(weather_.voters) +
          " voters, storm of " + std::to_string(weather_.storm / ms) + " ms");
    prepare();
    storm();
    heal();
    work();
    drain();
  } catch (const violation& v) {
    report_.ok = false;
    report_.violation = v.what;
    if (telling())
      say("VIOLATION " + v.what);
  }
  report_.virtual_us = now_;
  return report_;
}

void cluster_sim::prepare() {
  for (int i = 1; i <= weather_.voters; ++i)
    target_.voters.insert(node_id{static_cast<std::uint32_t>(i)});
  for (int i = 1; i <= weather_.learners; ++i)
    target_.learners.insert(node_id{static_cast<std::uint32_t>(weather_.voters + i)});
  safety_.begins_with(target_);
  for (int i = 0; i < weather_.voters + weather_.learners; ++i) {
    new_node(target_);
    schedule(dice_.between(0, 200 * ms), kind::start, static_cast<std::size_t>(i));
  }
  schedule_faults();
}

void cluster_sim::storm() {
  run_until(weather_.storm);
}

/// The network works, nobody is paused; everybody starts, except perhaps a minority.
void cluster_sim::heal() {
  stormy_ = false;
  if (telling())
    say("the storm is over");
  cut_ = {};
  weather_.fifo = true; // what overtakes on one link costs a pipeline of one-entry messages most of its pace
  weather_.latency_min = std::min(weather_.latency_min, 10 * ms);
  weather_.latency_max = std::min(weather_.latency_max, 20 * ms);
  weather_.disk_min = std::min(weather_.disk_min, 5 * ms);
  weather_.disk_max = std::min(weather_.disk_max, 10 * ms);
  weather_.proposals_per_second = std::clamp<std::int64_t>(weather_.proposals_per_second, 20, 500);
  weather_.outstanding_max = std::max<std::size_t>(weather_.outstanding_max, 20);
  for (auto& e : heap_)
    if (e.what == kind::fetched)
      e.at = std::min(e.at, now_ + 100 * ms);
  reorder();
  core_of_health_ = target_;
  if (weather_.minority_stays_dead || weather_.minority_stays_deaf) {
    auto away = (target_.voters.size() - 1) / 2;
    while (core_of_health_.voters.size() > target_.voters.size() - away) {
      auto* l = leader();
      auto victim =
          l && core_of_health_.voters.contains(l->id) && dice_.coin() ? l->id : *core_of_health_.voters.begin();
      core_of_health_.voters.erase(victim);
      auto& r = node(victim);
      r.away = true;
      if (weather_.minority_stays_dead) {
        if (r.core)
          crash(r, -1);
        r.gone = true;
      }
      for (auto& row : cut_)
        row[victim.value - 1] = true;
    }
  }
  for (auto& r : nodes_) {
    resume(r);
    r.disk.slow_until = 0;
    if (!r.core && !r.gone)
      boot(r);
  }
}

/// Under load: a leader, and answers all the time.
void cluster_sim::work() {
  constexpr auto election_max = 5 * second;
  constexpr auto catch_up_max = 60 * second;
  constexpr auto gap_max = 2 * second;
  auto healed = now_;
  auto wait_for = [&](auto&& done, std::int64_t most, const std::string& what) {
    for (auto began = now_; !done(); run_until(now_ + 20 * ms))
      if (now_ > began + most)
        violated("liveness: " + what + " within " + std::to_string(most / second) +
                 " s after the storm: " + portrait());
  };
  schedule(now_, kind::client); // at a low rate the next one may be far ahead
  auto elected = [&] {
    auto* l = leader();
    return l && !l->away ? l : nullptr;
  };
  wait_for(elected, election_max, "no leader");
  report_.leader_us = now_ - healed;
  // If the majority needs a node that was away for long, that one catches up first; where a message takes one entry, entry
  // by entry.
  auto backlog = elected()->core->last_index();
  auto entries = static_cast<std::int64_t>(backlog - std::min(backlog, safety_.committed()));
  wait_for([&] { return safety_.committed() >= backlog; }, catch_up_max + entries * 20 * ms, "no commit");
  last_ack_ = now_;
  measuring_ = true;
  // Where a voter goes, the majority of the others may lack so many entries.
  auto lag_max = static_cast<std::int64_t>(weather_.core.promote_lag_max) * 20 * ms;
  auto is_changing = [&] {
    auto* l = elected();
    return l && l->core->status().members_index > l->core->status().commit_index;
  };
  for (auto end = now_ + 3 * second; now_ < end; run_until(now_ + 100 * ms))
    if (auto most = gap_max + (is_changing() ? lag_max : 0); now_ - last_ack_ > most)
      violated("liveness: no acknowledgement for " + std::to_string(most / ms) + " ms under load: " + portrait());
  measuring_ = false;
  loaded_ = false;
}

/// Without load: everybody gets to the same place, in the configuration that was asked for.
void cluster_sim::drain() {
  constexpr auto patience = 20 * second; // without any progress
  // Nothing is proposed any more: the log grows only by the steps of a change of members.
  constexpr log_index steps_max = 200;
  auto rest = safety_.committed() + proposals_.size() + steps_max;
  auto end = now_ + patience;
  log_index far = 0;
  while (!converged()) {
    log_index applied = 0;
    for (auto& r : nodes_)
      applied += r.applied;
    if (applied > far)
      end = now_ + patience;
    far = std::max(far, applied);
    if (now_ > end)
      violated("liveness: replicas did not converge: " + portrait());
    if (safety_.committed() > rest)
      violated("liveness: the log grows although nobody asks for anything: " + portrait());
    run_until(now_ + 50 * ms);
  }
  run_until(now_ + 2 * second);
  for (auto& r : reads_)
    if (!r.done && node(node_id{r.node}).core && node(node_id{r.node}).life == r.life)
      violated("a read was never answered");
  for (auto& p : proposals_)
    if (p.acknowledged && (p.index > safety_.committed() || safety_.at(p.index).term != p.term))
      violated("an acknowledged proposal is not in the log");
}

bool cluster_sim::converged() {
  auto* l = leader();
  if (!l || l->core->members() != target_)
    return false;
  auto top = safety_.committed();
  auto& m = core_of_health_;
  auto there = [&](node_id n) {
    auto& r = node(n);
    return r.core && (!r.lost || m.learners.contains(n)) && r.applied == top && r.core->members() == target_ &&
           r.state == safety_.rolling(top);
  };
  return l->core->last_index() == top && std::all_of(m.voters.begin(), m.voters.end(), there) &&
         std::all_of(m.learners.begin(), m.learners.end(), there);
}

raft_sim_report run_raft_sim(const raft_sim_options& options) {
#ifdef SLUICE_PLANTED_BUGS
  raft::active_bug = options.bug;
#endif
  return cluster_sim{options}.run();
}

} // namespace sluice::sim
