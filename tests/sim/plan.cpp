#include "plan.hpp"

#include <algorithm>

namespace sluice::simulation {

namespace {

/// Which classes of faults strike in this run: each with one half, so that no class hides another.
std::bitset<static_cast<std::size_t>(fault::count_)> struck(chance& dice, const run_options& options) {
  std::bitset<static_cast<std::size_t>(fault::count_)> on;
  for (std::size_t i = 0; i < on.size(); ++i)
    on[i] = i < static_cast<std::size_t>(fault::corrupt_tail) && dice.coin();
  // These came last, and have coins of their own: what seeds did before, most of them still do.
  on[static_cast<std::size_t>(fault::corrupt_tail)] = chance{mix(options.seed) ^ 0xDA}.coin();
  on[static_cast<std::size_t>(fault::moved_slot)] = chance{mix(options.seed) ^ 0x510}.below(4) == 0;
  on[static_cast<std::size_t>(fault::flipped_state)] = chance{mix(options.seed) ^ 0xF1}.below(4) == 0;
  if (dice.below(12) == 0)
    on.reset();                                               // the engine in peace
  on.set(static_cast<std::size_t>(fault::overtaken_message)); // in the runs whose links do not keep their order
  return on & ~options.without;
}

void draw_limits(plan& p, chance& dice, bool overload) {
  auto& c = p.cores;
  c.entry_commands_max = dice.coin() ? 4096 : static_cast<std::size_t>(dice.between(1, 4));
  c.entry_bytes_max = dice.below(4) == 0 ? 256 : 1024 * 1024;
  c.checkpoint_entries = static_cast<log_index>(dice.coin() ? dice.between(3, 40) : dice.between(40, 400));
  c.checkpoint_log_bytes = dice.below(4) == 0 ? 2'000 : 24 * 1024 * 1024;
  c.kept_entries = static_cast<log_index>(dice.below(3) == 0 ? 0 : dice.between(0, 50));
  c.collect_per_turn = static_cast<std::size_t>(dice.coin() ? dice.between(1, 3) : 64);
  c.resend = std::chrono::seconds{dice.between(1, 3)};
  c.notes_under_way_max = c.entry_commands_max < 256 ? 8 : 256;
  c.entities.active_sessions_max = static_cast<std::size_t>(dice.coin() ? dice.between(1, 4) : 1000);
  c.entities.idle = std::chrono::seconds{dice.coin() ? dice.between(0, 2) : 60};
  c.entities.shared_idle = std::chrono::seconds{dice.coin() ? dice.between(0, 3) : 600};
  if (overload) {
    c.waiting_commands_max = static_cast<std::size_t>(dice.between(1, 4));
    c.waiting_bytes_max = dice.coin() ? 600 : 8 * 1024 * 1024;
  }
  if (dice.coin())
    c.consensus.committed_entries_max = static_cast<std::size_t>(dice.between(1, 3));
}

/// Limits of consensus small enough to be met, and the network between nodes.
void draw_links(plan& p, chance& dice) {
  auto& c = p.cores.consensus;
  if (dice.coin())
    c.append_bytes_max = static_cast<std::size_t>(dice.spread(100, 100'000));
  if (dice.coin())
    c.in_flight_requests_max = static_cast<std::size_t>(dice.between(1, 8));
  if (dice.below(4) == 0)
    c.cached_bytes_max = static_cast<std::size_t>(dice.spread(1, 20'000));
  if (dice.below(4) == 0)
    c.uncommitted_entries_max = static_cast<std::size_t>(dice.spread(4, 4096));
  p.links_keep_order = dice.below(3) != 0 || !p.faults[static_cast<std::size_t>(fault::overtaken_message)];
  p.faults.set(static_cast<std::size_t>(fault::overtaken_message), !p.links_keep_order);
  p.link_time_min = dice.spread(50, 15 * ms);
  p.link_time_max = p.link_time_min + dice.spread(50, 20 * ms);
  p.hints = dice.coin() ? 800 : dice.below(2) * 200;
  p.chunk_bytes = 200 * static_cast<std::size_t>(dice.spread(1, 50));
  p.bridge_patience = dice.between(200, 1'500) * ms;
}

} // namespace

/// Production's limits, a good network, 1 000 commands a second: each by itself, or a crowd's in bursts.
plan quiet_load(std::uint32_t crowd) {
  plan p;
  p.nodes = p.replicas = 3;
  p.partitions = 4;
  p.events = 8;
  p.users = crowd == 0 ? 320 : 1;
  p.crowd = crowd;
  p.storm = 20 * second;
  p.user_think = 250 * ms;
  p.operator_think = 1'000 * second;
  p.step_delay = 20;
  p.link_time_min = 100;
  p.link_time_max = 300;
  p.request_time = 1 * ms;
  p.digest_every = 1'000'000;
  return p;
}

plan plan::of(const run_options& options) {
  if (options.speed)
    return quiet_load(options.crowd);
  chance dice{mix(options.seed) ^ 0x51D};
  plan p;
  p.partitions = static_cast<std::uint32_t>(dice.between(1, 4));
  p.events = static_cast<std::uint32_t>(dice.between(1, 3));
  p.users = static_cast<std::uint32_t>(dice.between(4, 16));
  p.storm = dice.between(15, 30) * second;
  p.user_think = dice.spread(60, 800) * ms;
  p.operator_think = dice.between(500, 4'000) * ms;
  p.step_delay = dice.coin() ? dice.between(0, 50) : dice.between(0, 5'000);
  p.sync_time = dice.spread(50, 20'000);
  const auto on = p.faults = struck(dice, options);
  auto if_on = [&](fault f, std::int64_t low, std::int64_t high) {
    auto drawn = dice.spread(low, high); // drawn always: a fault left out must not change the others
    return on[static_cast<std::size_t>(f)] ? drawn : 0;
  };
  auto rate = [&](fault f, std::int64_t low, std::int64_t high) {
    return static_cast<std::uint64_t>(if_on(f, low, high));
  };
  draw_limits(p, dice, on[static_cast<std::size_t>(fault::overload)]);
  p.slow_sync = rate(fault::slow_disk, 5, 100);
  p.power_cut = rate(fault::power_cut, 200, 6'000);
  p.crash_every = if_on(fault::crash, 1'500, 15'000) * ms;
  p.down_time = dice.spread(1, 4'000) * ms;
  p.unsynced_kept = on[static_cast<std::size_t>(fault::lost_unsynced)] ? dice.below(2) * dice.below(1'000) : 1'000;
  p.note_lost = rate(fault::lost_note, 20, 400);
  p.note_repeated = rate(fault::repeated_note, 20, 400);
  p.note_late = rate(fault::late_note, 20, 400);
  p.note_time = dice.spread(100, 30'000);
  p.request_lost = rate(fault::lost_request, 5, 150);
  p.answer_lost = rate(fault::lost_answer, 5, 150);
  p.request_repeated = rate(fault::repeated_request, 5, 250);
  p.request_time = dice.spread(100, 80'000);
  p.client_patience = dice.between(300, 2'500) * ms;
  p.provider_error = rate(fault::provider_error, 20, 400);
  p.provider_silent = rate(fault::provider_silence, 20, 400);
  p.provider_late = rate(fault::provider_late, 20, 300);
  p.outage_every = if_on(fault::provider_outage, 4'000, 15'000) * ms;
  p.declined = rate(fault::declined, 60, 400);
  p.capture_refused = rate(fault::capture_refused, 60, 400);
  p.refund_refused = rate(fault::refund_refused, 100, 600);
  p.outcome_repeated = rate(fault::repeated_outcome, 50, 400);
  p.wall_jump_every = if_on(fault::wall_jump, 2'000, 15'000) * ms;
  p.digest_every = std::uint64_t{1} << dice.below(4);
  p.replay = dice.below(4) == 0;
  auto size = dice.below(20);
  p.nodes = size < 4 ? 1 : size < 16 ? 3 : 5;
  p.replicas = p.nodes < 5 || dice.below(4) == 0 ? p.nodes : 3;
  draw_links(p, dice);
  p.message_lost = rate(fault::lost_message, 1, p.links_keep_order ? 5 : 200);
  p.message_late = rate(fault::late_message, 1, p.links_keep_order ? 5 : 100);
  p.message_repeated = rate(fault::repeated_message, 5, 200);
  p.break_every = if_on(fault::broken_link, 500, 8'000) * ms;
  p.split_every = if_on(fault::split, 1'500, 10'000) * ms;
  p.isolate_every = if_on(fault::isolated_leader, 1'500, 10'000) * ms;
  p.alarm_every = if_on(fault::false_alarm, 300, 5'000) * ms;
  p.mass_crash_every = if_on(fault::mass_crash, 3'000, 15'000) * ms;
  p.pause_every = if_on(fault::pause, 1'000, 8'000) * ms;
  p.slow_spell_every = if_on(fault::slow_spell, 2'000, 10'000) * ms;
  p.full_disk_every = if_on(fault::full_disk, 4'000, 15'000) * ms;
  p.lost_tail_every = if_on(fault::lost_tail, 2'000, 10'000) * ms;
  if (on[static_cast<std::size_t>(fault::corrupt_tail)])
    p.corrupt_tail_every = (p.lost_tail_every > 0 ? p.lost_tail_every : 6'000 * ms);
  p.wiped_disk_every = if_on(fault::wiped_disk, 2'000, 10'000) * ms;
  p.move_every = if_on(fault::moved, 1'500, 8'000) * ms;
  p.transfer_every = if_on(fault::transfer, 500, 6'000) * ms;
  if (on[static_cast<std::size_t>(fault::moved_slot)])
    p.move_slot_every = 3 * second;
  p.drift_permille = if_on(fault::clock_drift, 1, 30);
  p.split_max = dice.spread(200, 6'000) * ms;
  p.pause_max = dice.spread(100, 5'000) * ms;
  p.shrink_every = dice.coin() ? dice.between(500, 8'000) * ms : 0;
  p.one_stays_dead = dice.below(3) == 0;
  p.crowd = dice.below(10) == 0 ? static_cast<std::uint32_t>(dice.spread(100, 1'000)) : 0;
  if (options.crowd > 0)
    p.crowd = options.crowd;
  if (p.cores.entry_commands_max < 256 || p.cores.entry_bytes_max < 64 * 1024)
    p.crowd = 0; // where an entry takes few, many would only queue
  if (p.crowd > 0) {
    p.digest_every *= 64; // it reads whole entities, and this line is long
    p.chunk_bytes = 64 * 1024;
  }
  // Two that differ while a third is behind stand still after a thousand entries, rightly: not where entries are many.
  if (on[static_cast<std::size_t>(fault::flipped_state)] && p.crowd == 0) {
    p.flip_every = 4 * second;
    p.cores.compare_entries = 8 + options.seed % 57;
  }
  p.users = std::min(p.users, options.users_max);
  p.events = std::min(p.events, options.events_max);
  p.partitions = std::min(p.partitions, options.partitions_max);
  p.storm = std::min(p.storm, options.storm_max);
  while (p.nodes > options.nodes_max)
    p.nodes -= 2;
  p.replicas = std::min(p.replicas, p.nodes);
  return p;
}

} // namespace sluice::simulation
