#include "raft_sim_weather.hpp"

#include <iterator>

namespace sluice::sim {

namespace {

void network(weather& w, chance& dice) {
  if (dice.coin())
    w.loss_permille = static_cast<std::uint64_t>(dice.spread(1, 300));
  if (dice.coin()) {
    w.dup_permille = static_cast<std::uint64_t>(dice.spread(1, 400));
    w.dup_delay_max = dice.spread(1 * ms, 5 * second);
  }
  w.latency_min = dice.spread(100, 60 * ms);
  w.latency_max = w.latency_min + dice.spread(50, 60 * ms);
  w.fifo = dice.coin();
}

void faults(weather& w, chance& dice) {
  if (dice.coin()) {
    w.crash_every = dice.between(200 * ms, 5 * second);
    w.leader_bias_permille = dice.below(1001);
    w.many_permille = dice.coin() ? dice.below(300) : 0;
    w.all_permille = dice.coin() ? dice.below(300) : 0;
  }
  w.restart_max = dice.spread(20 * ms, 4 * second);
  if (dice.coin())
    w.pause_every = dice.between(300 * ms, 5 * second);
  w.pause_max = dice.spread(50 * ms, 4 * second);
  if (dice.coin())
    w.split_every = dice.between(300 * ms, 5 * second);
  w.split_max = dice.spread(100 * ms, 4 * second);
  w.partial_splits = dice.coin();
  if (dice.coin())
    w.slow_disk_every = dice.between(500 * ms, 5 * second);
  if (dice.coin())
    w.transfer_every = dice.between(300 * ms, 5 * second);
  if (dice.coin())
    w.change_every = dice.between(500 * ms, 5 * second);
  if (dice.coin())
    w.wipe_every = dice.between(1 * second, 10 * second);
  if (dice.coin())
    w.hint_every = dice.between(200 * ms, 5 * second);
  w.hint_permille = dice.coin() ? 800 : 0;
  // Figure 8 of the Raft paper needs one short leadership after the other, each with entries on a few nodes only.
  if (dice.below(3) == 0)
    w.harass_permille = static_cast<std::uint64_t>(dice.between(100, 900));
}

void load(weather& w, chance& dice) {
  w.proposals_per_second = dice.spread(2, 1000);
  w.outstanding_max = static_cast<std::size_t>(dice.spread(1, 1000));
  w.payload_max = dice.spread(8, 4000);
  w.reads_per_second = dice.coin() ? dice.spread(1, 200) : 0;
  if (dice.below(4) != 0)
    w.snapshot_every = static_cast<log_index>(dice.spread(5, 20'000));
  w.tail_max = static_cast<log_index>(dice.spread(0, 2'000));
  w.fetch_fails_permille = dice.coin() ? 300 : 0;
}

/// Limits small enough to be met.
void limits(weather& w, chance& dice) {
  auto& c = w.core;
  if (dice.coin())
    c.append_bytes_max = static_cast<std::size_t>(dice.spread(100, 100'000));
  if (dice.coin())
    c.in_flight_requests_max = static_cast<std::size_t>(dice.between(1, 8));
  if (dice.coin())
    c.in_flight_bytes_max = static_cast<std::size_t>(dice.spread(100, 1'000'000));
  if (dice.coin())
    c.uncommitted_entries_max = static_cast<std::size_t>(dice.spread(4, 4096));
  if (dice.coin())
    c.uncommitted_bytes_max = static_cast<std::size_t>(dice.spread(100, 1'000'000));
  if (dice.coin())
    c.cached_bytes_max = static_cast<std::size_t>(dice.spread(1, 100'000));
  if (dice.coin())
    c.committed_entries_max = static_cast<std::size_t>(dice.spread(1, 100));
  if (dice.coin())
    c.reads_max = static_cast<std::size_t>(dice.spread(1, 100));
  if (dice.coin())
    c.promote_lag_max = static_cast<log_index>(dice.spread(1, 1000));
}

void direct(weather& w, chance& dice) {
  switch (w.plot) {
  case plot::none:
    return;
  case plot::figure_eight:
    // What decides is which entry arrived when the leader died: one entry a message, and few of them.
    w.voters = dice.coin() ? 3 : 5;
    w.core.append_bytes_max = 1;
    w.core.in_flight_requests_max = static_cast<std::size_t>(dice.between(1, 2));
    w.harass_permille = static_cast<std::uint64_t>(dice.between(500, 1000));
    w.proposals_per_second = dice.between(2, 40);
    w.latency_min = dice.between(500, 15 * ms);
    w.latency_max = w.latency_min + dice.between(100, 15 * ms);
    w.restart_max = dice.between(50 * ms, 700 * ms);
    w.change_every = w.wipe_every = w.pause_every = 0;
    w.disk_max = w.disk_min + dice.between(100, 5 * ms);
    return;
  case plot::dance:
    w.voters = 4;
    w.learners = 2;
    w.harass_permille = static_cast<std::uint64_t>(dice.between(500, 1000));
    w.change_every = w.wipe_every = w.pause_every = 0;
    w.core.promote_lag_max = 1000;
    w.proposals_per_second = dice.between(2, 40);
    w.latency_max = w.latency_min + dice.between(100, 15 * ms);
    w.disk_max = w.disk_min + dice.between(100, 5 * ms);
    w.restart_max = dice.between(50 * ms, 700 * ms);
    return;
  case plot::amnesia:
    w.voters = dice.coin() ? 3 : 5;
    w.change_every = w.wipe_every = w.pause_every = 0;
    w.disk_min = dice.between(1 * ms, 30 * ms);
    w.disk_max = w.disk_min + dice.between(10 * ms, 300 * ms);
    w.latency_max = w.latency_min + dice.between(100, 15 * ms);
    w.hint_every = dice.between(50 * ms, 500 * ms);
    w.crash_every = dice.between(50 * ms, 500 * ms);
    w.leader_bias_permille = dice.below(300);
    w.restart_max = dice.between(10 * ms, 300 * ms);
    w.slow_disk_every = dice.coin() ? dice.between(300 * ms, 1 * second) : 0;
    w.harass_permille = dice.below(800);
    w.loss_permille = static_cast<std::uint64_t>(dice.between(0, 100));
    w.split_every = dice.between(200 * ms, 1 * second);
    w.split_max = dice.between(50 * ms, 500 * ms);
    w.partial_splits = true;
    w.proposals_per_second = dice.between(2, 40);
    w.storm = dice.between(5 * second, 15 * second);
    if (dice.coin()) {
      w.ambush_every = 700 * ms;
      w.crash_every = w.slow_disk_every = w.split_every = w.hint_every = w.transfer_every = 0;
      w.harass_permille = 0;
    }
    return;
  case plot::echo:
    w.voters = 3;
    w.change_every = w.wipe_every = w.crash_every = w.split_every = 0;
    w.harass_permille = 0;
    w.dup_permille = 500;
    w.dup_delay_max = dice.between(300 * ms, 4 * second);
    w.hint_every = dice.between(300 * ms, 2 * second);
    w.latency_max = w.latency_min + dice.between(100, 15 * ms);
    w.disk_min = dice.between(1 * ms, 20 * ms);
    w.disk_max = w.disk_min + dice.between(10 * ms, 100 * ms);
    w.proposals_per_second = dice.between(10, 200);
    w.storm = dice.between(5 * second, 15 * second);
    return;
  case plot::siege:
    w.voters = dice.coin() ? 3 : 5;
    w.change_every = w.wipe_every = 0;
    w.minority_stays_dead = true;
    w.loss_permille = std::max<std::uint64_t>(w.loss_permille, 100);
    w.storm = dice.between(2 * second, 6 * second);
    return;
  }
}

} // namespace

weather forecast(chance& dice) {
  weather w;
  auto size = dice.below(10);
  w.voters = size < 1 ? 1 : size < 6 ? 3 : 5;
  w.storm = dice.between(5 * second, 40 * second);
  network(w, dice);
  faults(w, dice);
  load(w, dice);
  limits(w, dice);
  w.disk_min = dice.spread(20, 5 * ms);
  w.disk_max = w.disk_min + dice.spread(20, 100 * ms);
  auto chosen = dice.below(10);
  constexpr plot plots[] = {plot::figure_eight, plot::dance, plot::siege, plot::amnesia, plot::echo};
  if (chosen < std::size(plots))
    w.plot = plots[chosen];
  direct(w, dice);
  auto quiet_members = w.plot != plot::dance && w.change_every == 0 && w.wipe_every == 0 && w.voters >= 3;
  if (quiet_members && !w.minority_stays_dead && dice.coin())
    (dice.coin() ? w.minority_stays_dead : w.minority_stays_deaf) = true;
  return w;
}

} // namespace sluice::sim
