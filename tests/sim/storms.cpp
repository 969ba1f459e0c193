#include "storms.hpp"

#include "core/slot.hpp"

#include <algorithm>
#include <iterator>
#include <vector>

namespace sluice::simulation {

void storms::every(micros mean, std::function<void()> what) {
  if (mean == 0)
    return;
  run_.time.after(run_.dice.about(mean), [this, mean, what = std::move(what)]() mutable {
    if (!run_.stormy)
      return;
    what();
    every(mean, std::move(what));
  });
}

void storms::begin() {
  const auto& plan = run_.settings;
  for (auto& n : home_.nodes())
    n.begin_crashing();
  every(plan.wall_jump_every, [this] { jump_clock(); });
  every(plan.pause_every, [this] { pause(); });
  every(plan.slow_spell_every, [this] {
    if (auto* n = some_victim()) {
      ++run_.counts[fault::slow_spell];
      n->writer().slow_down(run_.time.now() + run_.dice.between(200, 4'000) * ms);
    }
  });
  every(plan.full_disk_every, [this] {
    if (auto* n = some_node_up())
      n->disk().fill(run_.time.now() + run_.dice.between(100, 3'000) * ms);
  });
  every(plan.shrink_every, [this] {
    if (auto* n = some_node_up())
      n->clock().after(0, [n] {
        for (auto& [partition, r] : n->replicas())
          r->handle(partition::shrink{});
      });
  });
  every(plan.move_slot_every, [this] { move_slot(); });
  if (plan.nodes == 1)
    return;
  every(plan.mass_crash_every, [this] { crash_many(); });
  every(plan.break_every, [this] { break_link(); });
  every(plan.split_every, [this] { split(); });
  every(plan.isolate_every, [this] { isolate(); });
  every(plan.alarm_every, [this] { alarm(); });
  every(plan.lost_tail_every, [this] { lose_data(fault::lost_tail); });
  every(plan.wiped_disk_every, [this] { lose_data(fault::wiped_disk); });
  every(plan.move_every, [this] { move(); });
  every(plan.transfer_every, [this] { transfer(); });
  every(plan.corrupt_tail_every, [this] { lose_data(fault::corrupt_tail); });
  every(plan.flip_every, [this] { flip_state(); });
}

void storms::end() {
  home_.net().heal();
  // Nobody found out, or nobody could: an operator does.
  bool all_are_true = run_.untrue.empty();
  for (auto [node, partition] : std::set{run_.untrue})
    home_.node(node).forget(partition);
  if (run_.settings.one_stays_dead && all_are_true)
    let_one_die();
  for (auto& n : home_.nodes()) {
    if (n.clock().paused())
      n.clock().resume();
    run_.time.after(run_.dice.between(0, 20 * ms), [&n] {
      if (!n.up() && !n.is_away())
        n.boot();
    });
  }
}

void storms::everybody_back() {
  for (auto& n : home_.nodes())
    if (n.is_away())
      n.come_back();
}

/// Only where every partition has a majority without it, and no change of members waits for it.
void storms::let_one_die() {
  if (run_.settings.nodes < 3)
    return;
  for (auto& n : home_.nodes())
    if (!n.up())
      return;
  if (run_.settings.replicas < 3 || !home_.is_settled())
    return;
  auto& n = run_.dice.one_of(home_.nodes());
  run_.say("one stays dead");
  n.stay_away();
  n.crash();
}

// ---- nodes -------------------------------------------------------------------------------------------------------------

sim_node* storms::some_node_up() {
  std::vector<sim_node*> up;
  for (auto& n : home_.nodes())
    if (n.up() && !n.clock().paused())
      up.push_back(&n);
  return up.empty() ? nullptr : run_.dice.one_of(up);
}

sim_node* storms::some_victim() {
  partition_id p{static_cast<std::uint32_t>(run_.dice.below(home_.places().partitions()))};
  auto* l = run_.dice.below(3) != 0 ? home_.leader(p) : nullptr;
  return l != nullptr && !l->node().clock().paused() ? &l->node() : some_node_up();
}

void storms::crash_many() {
  ++run_.counts[fault::mass_crash];
  bool all = run_.dice.coin();
  for (auto& n : home_.nodes())
    if (n.up() && (all || run_.dice.coin()))
      n.crash(run_.dice.coin() ? std::make_optional(run_.dice.spread(1, 2'000) * ms) : std::nullopt);
}

void storms::pause() {
  if (auto* n = some_victim())
    n->pause(run_.time.now() + run_.dice.spread(20 * ms, run_.settings.pause_max));
}

/// Nobody may lose what a majority of some partition's voters would then have lost.
sim_node* storms::one_that_may_fail() {
  if (!home_.is_settled() || !run_.untrue.empty())
    return nullptr;
  for (std::uint32_t p = 0; p < home_.places().partitions(); ++p)
    if (home_.target({p}).voters.size() < 3)
      return nullptr;
  auto& n = run_.dice.one_of(home_.nodes());
  return n.up() ? &n : nullptr;
}

/// As failing memory might do it, before a checkpoint was written.
void storms::flip_state() {
  auto* n = one_that_may_fail();
  auto partitions = n ? n->disk().partitions() : std::vector<partition_id>{};
  if (partitions.empty())
    return;
  auto p = run_.dice.one_of(partitions);
  if (!home_.target(p).voters.contains(n->id()) || !n->disk().flip_state(p))
    return;
  ++run_.counts[fault::flipped_state];
  run_.untrue.emplace(n->id(), p);
  if (run_.telling())
    run_.say("node " + std::to_string(n->id().value) + ": partition " + std::to_string(p.value) +
             " will be in another state");
  n->crash();
}

void storms::lose_data(fault how) {
  auto* victim = one_that_may_fail();
  if (victim == nullptr)
    return;
  auto& n = *victim;
  bool struck = how != fault::corrupt_tail;
  if (run_.telling())
    run_.say("node " + std::to_string(n.id().value) + ": " + std::string{fault_names[static_cast<std::size_t>(how)]});
  n.crash();
  for (auto p : n.disk().partitions())
    if (how == fault::wiped_disk)
      n.disk().lose_all(p);
    else if (how == fault::lost_tail)
      n.disk().lose_tail(p);
    else
      struck = n.disk().corrupt_tail(p) || struck;
  run_.counts[how] += struck ? 1 : 0;
}

void storms::jump_clock() {
  ++run_.counts[fault::wall_jump];
  auto by = run_.dice.coin() ? run_.dice.between(-3'600'000, 3'600'000) : run_.dice.between(-900, 900);
  if (run_.dice.coin())
    run_.wall_offset_ms += by;
  else
    run_.node_offsets_ms[run_.dice.one_of(home_.nodes()).id()] += by;
}

// ---- links -------------------------------------------------------------------------------------------------------------

void storms::break_link() {
  auto& a = run_.dice.one_of(home_.nodes());
  auto& b = run_.dice.one_of(home_.nodes());
  if (a.id() == b.id())
    return;
  ++run_.counts[fault::broken_link];
  home_.net().break_link(a.id(), b.id());
}

/// Two sides, one way or both; or any links at all.
void storms::split() {
  auto& net = home_.net();
  net.heal();
  auto kind = run_.dice.below(3);
  std::vector<bool> side;
  for (std::size_t i = 0; i <= home_.nodes().size(); ++i)
    side.push_back(run_.dice.coin());
  bool is_any_cut = false;
  std::string text = kind == 0 ? "split" : kind == 1 ? "one-way split" : "links fail";
  for (auto& a : home_.nodes())
    for (auto& b : home_.nodes()) {
      auto from = a.id().value, to = b.id().value;
      bool is_cut = kind == 0 ? side[from] != side[to] : kind == 1 ? side[from] && !side[to] : run_.dice.below(3) == 0;
      if (from == to || !is_cut)
        continue;
      net.cut(a.id(), b.id());
      is_any_cut = true;
      text += " " + std::to_string(from) + ">" + std::to_string(to);
    }
  run_.counts[fault::split] += is_any_cut;
  run_.say(text);
  run_.time.after(run_.dice.spread(100 * ms, run_.settings.split_max), [this, number = ++splits_] {
    if (number == splits_)
      home_.net().heal();
  });
}

/// It goes on believing that it leads.
void storms::isolate() {
  auto* n = some_victim();
  if (n == nullptr)
    return;
  ++run_.counts[fault::isolated_leader];
  auto deaf_only = run_.dice.below(4) == 0;
  if (run_.telling())
    run_.say("node " + std::to_string(n->id().value) + (deaf_only ? " hears nobody" : " is isolated"));
  for (auto& other : home_.nodes())
    if (other.id() != n->id()) {
      home_.net().cut(other.id(), n->id());
      if (!deaf_only)
        home_.net().cut(n->id(), other.id());
    }
  run_.time.after(run_.dice.spread(100 * ms, run_.settings.split_max), [this, number = ++splits_] {
    if (number == splits_)
      home_.net().heal();
  });
}

void storms::alarm() {
  auto* n = some_node_up();
  if (n == nullptr)
    return;
  auto& other = run_.dice.one_of(home_.nodes());
  if (other.id() == n->id())
    return;
  ++run_.counts[fault::false_alarm];
  n->clock().after(0, [n, dead = other.id()] { n->lost_link(dead); });
}

// ---- administration ----------------------------------------------------------------------------------------------------

/// Another node in the place of one; or, while there are five, one more or one less.
void storms::move() {
  if (!run_.untrue.empty())
    return; // who is right is decided by those who are there
  partition_id p{static_cast<std::uint32_t>(run_.dice.below(home_.places().partitions()))};
  auto next = home_.target(p);
  std::vector<node_id> in{next.voters.begin(), next.voters.end()}, out;
  for (auto& n : home_.nodes())
    if (!next.voters.contains(n.id()))
      out.push_back(n.id());
  bool has_odd_size = run_.dice.below(3) == 0 && in.size() != 3; // back to three
  if (out.empty() && in.size() < 5)
    return;
  if (out.empty() || has_odd_size) {
    next.voters.erase(run_.dice.one_of(in));
  } else {
    next.voters.insert(run_.dice.one_of(out));
    if (run_.dice.below(4) != 0)
      next.voters.erase(run_.dice.one_of(in));
  }
  if (next.voters.size() < std::min<std::size_t>(3, run_.settings.replicas))
    return;
  ++run_.counts[fault::moved];
  if (run_.telling()) {
    std::string text = "partition " + std::to_string(p.value) + " shall move to";
    for (auto v : next.voters)
      text += " " + std::to_string(v.value);
    run_.say(text);
  }
  home_.aim(p, std::move(next));
}

void storms::move_slot() {
  auto partitions = home_.places().partitions();
  const auto& events = home_.nodes().front().all_checkers().events();
  if (partitions < 2 || events.empty())
    return;
  auto event = *std::next(events.begin(), static_cast<std::ptrdiff_t>(run_.dice.below(events.size())));
  partition_id to{static_cast<std::uint32_t>(run_.dice.below(partitions))};
  for (std::uint32_t p = 0; p < partitions; ++p) {
    auto* l = home_.leader({p});
    if (l == nullptr || l->node().clock().paused() ||
        l->core().prospect(slot_of(event), to).is != partition::slot_prospect::kind::possible)
      continue;
    ++run_.counts[fault::moved_slot];
    if (run_.telling())
      run_.say("event " + std::to_string(event.value) + " shall move from partition " + std::to_string(p) + " to " +
               std::to_string(to.value));
    l->node().clock().after(0, [l, event, to] { l->handle(partition::move_slot{slot_of(event), to}); });
    if (minds_.coin())
      for (micros later : {20 * ms, 100 * ms, 500 * ms, 2'000 * ms})
        run_.time.after(later, [this, event, p] { call_off(event, {p}); });
    return;
  }
}

/// While it leaves from there and nobody was told.
void storms::call_off(event_number event, partition_id where) {
  auto slot = slot_of(event);
  auto* l = home_.leader(where);
  if (l == nullptr || l->node().clock().paused() ||
      l->core().prospect(slot, where).is != partition::slot_prospect::kind::possible)
    return;
  ++run_.counts[deed::called_off];
  l->node().clock().after(0, [l, slot, where] { l->handle(partition::move_slot{slot, where}); });
}

void storms::transfer() {
  partition_id p{static_cast<std::uint32_t>(run_.dice.below(home_.places().partitions()))};
  auto* l = home_.leader(p);
  if (l == nullptr || l->node().clock().paused())
    return;
  ++run_.counts[fault::transfer];
  auto to = run_.dice.coin() ? run_.dice.one_of(home_.nodes()).id() : node_id{};
  l->node().clock().after(0, [l, to] { l->handle(partition::transfer{to}); });
}

} // namespace sluice::simulation
