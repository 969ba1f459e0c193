// What goes wrong, who administers, and who uses the cluster meanwhile.
#include "raft_sim_cluster.hpp"

namespace sluice::sim {

void cluster_sim::again(kind what, std::int64_t mean) {
  if (mean > 0)
    schedule(now_ + dice_.about(mean), what);
}

void cluster_sim::schedule_faults() {
  again(kind::crash, weather_.crash_every);
  again(kind::pause, weather_.pause_every);
  again(kind::split, weather_.split_every);
  again(kind::slow_disk, weather_.slow_disk_every);
  again(kind::transfer, weather_.transfer_every);
  again(kind::spurious_hint, weather_.hint_every);
  again(kind::change_members, weather_.change_every);
  again(kind::wipe, weather_.wipe_every);
  again(kind::administer, 500 * ms);
  again(kind::ambush, weather_.ambush_every);
  if (weather_.plot == plot::siege)
    schedule(weather_.storm - dice_.between(300 * ms, 1500 * ms), kind::besiege);
  again(kind::client, second / weather_.proposals_per_second);
  if (weather_.reads_per_second > 0)
    again(kind::reader, second / weather_.reads_per_second);
}

void cluster_sim::fault(const event& e) {
  auto always = e.what == kind::administer || e.what == kind::client || e.what == kind::reader || e.what == kind::hint;
  if (!stormy_ && !always)
    return;
  switch (e.what) {
  case kind::crash:
    crash_some();
    return again(kind::crash, weather_.crash_every);
  case kind::harass: {
    auto& r = nodes_[e.node];
    if (r.core && r.life == e.life)
      crash(r, dice_.between(20 * ms, weather_.plot == plot::none ? 600 * ms : 1500 * ms));
    return;
  }
  case kind::pause: {
    auto* r = dice_.coin() ? leader() : random_up();
    if (r) {
      ++counts_.pauses;
      pause(*r, now_ + dice_.spread(20 * ms, weather_.pause_max));
    }
    return again(kind::pause, weather_.pause_every);
  }
  case kind::split:
    split();
    return again(kind::split, weather_.split_every);
  case kind::unsplit:
    cut_ = {};
    return;
  case kind::slow_disk: {
    auto* r = dice_.coin() ? leader() : random_up();
    if (r) {
      ++counts_.slow_disks;
      r->disk.slow_until = now_ + dice_.between(100 * ms, 4 * second);
      // An election while entries are still being written.
      if (weather_.hint_every > 0 && dice_.coin())
        schedule(now_ + dice_.between(1 * ms, 500 * ms), kind::spurious_hint, 0, 0, 1);
    }
    return again(kind::slow_disk, weather_.slow_disk_every);
  }
  case kind::transfer: {
    auto* l = leader();
    if (l && now_ >= l->paused_until) {
      ++counts_.transfers;
      auto* to = dice_.coin() ? random_up() : nullptr;
      give(*l, raft::transfer{0, to ? to->id : node_id{}});
    }
    return again(kind::transfer, weather_.transfer_every);
  }
  case kind::hint: {
    auto& r = nodes_[e.node];
    if (r.core && now_ >= r.paused_until) {
      ++counts_.hints;
      give(r, raft::peer_down{node_id{e.slot}});
    }
    return;
  }
  case kind::spurious_hint: {
    if (dice_.coin())
      hint_all();
    else if (auto* r = random_up(); r && now_ >= r->paused_until) {
      ++counts_.hints;
      give(*r, raft::peer_down{r->core->leader()});
    }
    return e.slot == 0 ? again(kind::spurious_hint, weather_.hint_every) : void();
  }
  case kind::besiege:
    return besiege();
  case kind::ambush:
    if (e.slot == 1) {
      for (auto& link : cut_[e.node])
        link = true; // its heartbeats would keep the follower loyal
      return;
    }
    ambush();
    return again(kind::ambush, weather_.ambush_every);
  case kind::change_members:
    change_members();
    return again(kind::change_members, weather_.change_every);
  case kind::administer:
    administer();
    return e.slot == 0 ? again(kind::administer, 500 * ms) : void();
  case kind::vacate: {
    auto& r = nodes_[e.node];
    auto what = vacancies_.take(e.slot);
    if (r.core && r.life == e.life && now_ >= r.paused_until && !r.checkpointing)
      give(r, what);
    return;
  }
  case kind::wipe:
    wipe();
    return again(kind::wipe, weather_.wipe_every);
  case kind::client:
    client();
    return again(kind::client, second / weather_.proposals_per_second);
  case kind::reader:
    reader();
    return again(kind::reader, second / weather_.reads_per_second);
  default:
    return;
  }
}

// ---- crashes --------------------------------------------------------------------------------------------------------

/// Keeps a prefix of what was written and not synced: often none, often all, sometimes a part.
void cluster_sim::crash(replica& r, std::int64_t down_for) {
  ++counts_.crashes;
  auto& disk = r.disk;
  auto keep = dice_.below(3) == 0 ? 0 : dice_.coin() ? disk.queue.size() : dice_.below(disk.queue.size() + 1);
  counts_.writes_forgotten += disk.queue.size() - keep;
  for (std::size_t i = 0; i < keep; ++i) {
    auto& w = disk.queue[i];
    if (w.state && r.lost && disk.state.rejoining && !w.state->rejoining)
      r.lost = false;
    perform(r, w);
  }
  if (telling())
    say(std::to_string(r.id.value) + " crashes, keeps " + std::to_string(keep) + " of " +
        std::to_string(disk.queue.size()) + " unsynced writes, down for " + std::to_string(down_for / ms) + " ms");
  disk.queue.clear();
  disk.syncing = 0;
  r.core.reset();
  r.held.clear();
  r.paused_until = 0;
  resume(r); // drops what waited
  if (down_for >= 0)
    schedule(now_ + down_for, kind::start, r.id.value - 1, r.life);
  if (!dice_.permille(weather_.hint_permille))
    return;
  for (auto& other : nodes_)
    if (other.core && !cut_[r.id.value - 1][other.id.value - 1])
      schedule(now_ + dice_.between(200, 5 * ms), kind::hint, other.id.value - 1, 0, r.id.value);
}

void cluster_sim::crash_some() {
  auto down_for = [this] { return dice_.spread(5 * ms, weather_.restart_max); };
  if (dice_.permille(weather_.all_permille)) {
    ++counts_.power_cuts;
    for (auto& r : nodes_)
      if (r.core)
        crash(r, down_for());
    return;
  }
  std::size_t victims = dice_.permille(weather_.many_permille) ? 1 + dice_.below(3) : 1;
  for (std::size_t i = 0; i < victims; ++i) {
    auto* r = dice_.permille(weather_.leader_bias_permille) ? leader() : random_up();
    if (r)
      crash(*r, down_for());
  }
}

/// What a new leader does reaches a few only, and then it dies.
void cluster_sim::harass(replica& leader) {
  auto me = leader.id.value - 1;
  if (weather_.plot == plot::dance)
    choreograph(leader);
  auto one_way = weather_.latency_max + weather_.disk_max;
  if (weather_.plot == plot::figure_eight || weather_.plot == plot::dance) {
    // Nobody hears of it; or one does, and it dies between two of its messages.
    auto alone = weather_.plot == plot::figure_eight && dice_.coin();
    auto confidant = dice_.below(nodes_.size());
    for (std::size_t i = 0; i < nodes_.size(); ++i)
      cut_[me][i] = alone || (i != confidant && (weather_.plot == plot::figure_eight || dice_.coin()));
    auto lives = alone ? dice_.between(one_way, 50 * ms + one_way) : dice_.between(0, 14 * one_way);
    schedule(now_ + lives, kind::harass, me, leader.life);
    schedule(now_ + lives + 1, kind::unsplit);
    return;
  }
  if (dice_.coin()) {
    for (std::size_t i = 0; i < nodes_.size(); ++i)
      cut_[me][i] = dice_.coin();
    schedule(now_ + dice_.spread(50 * ms, 1 * second), kind::unsplit);
  }
  if (dice_.coin())
    schedule(now_ + dice_.spread(1 * ms, 300 * ms), kind::harass, me, leader.life);
}

/// Every leader is asked for another change of a configuration of four: one more voter, or one less.
void cluster_sim::choreograph(const replica& leader) {
  auto next = safety_.members();
  auto move = [](std::set<node_id>& from, std::set<node_id>& to, node_id n) {
    from.erase(n);
    to.insert(n);
  };
  std::vector<node_id> out, in;
  for (auto v : next.voters)
    if (v != leader.id)
      out.push_back(v);
  for (auto l : next.learners)
    in.push_back(l);
  auto grow = next.voters.size() < 4 || (next.voters.size() == 4 && dice_.coin());
  if (grow && !in.empty())
    move(next.learners, next.voters, in[dice_.below(in.size())]);
  else if (!out.empty())
    move(next.voters, next.learners, out[dice_.below(out.size())]);
  target_ = next;
  ++counts_.member_changes;
}

/// The leader goes on alone for a while, with loss all around.
void cluster_sim::besiege() {
  auto* l = leader();
  if (!l)
    return;
  ++counts_.splits;
  auto me = l->id.value - 1;
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    cut_[i][me] = cut_[me][i] = true;
  weather_.split_every = 0; // it lasts to the end
}

/// One follower alone gets the leader's entries, and is still writing them when the others look for a new leader.
void cluster_sim::ambush() {
  auto* l = leader();
  auto* slow = random_up();
  if (!l || !slow || slow == l || now_ < l->paused_until)
    return;
  ++counts_.slow_disks;
  if (telling())
    say("ambush of " + std::to_string(l->id.value) + " and " + std::to_string(slow->id.value));
  slow->disk.slow_until = now_ + 300 * ms;
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    cut_[l->id.value - 1][i] = i != slow->id.value - 1;
  schedule(now_ + dice_.between(20 * ms, 600 * ms), kind::unsplit);
  client();
  schedule(now_ + dice_.between(10, 10 * ms), kind::ambush, l->id.value - 1, 0, 1);
  schedule(now_ + dice_.between(1 * ms, 100 * ms), kind::spurious_hint, 0, 0, 1);
}

/// Everybody believes that the leader's process died.
void cluster_sim::hint_all() {
  for (auto& r : nodes_)
    if (r.core && now_ >= r.paused_until && r.core->leader() != r.id) {
      ++counts_.hints;
      give(r, raft::peer_down{r.core->leader()});
    }
}

void cluster_sim::split() {
  ++counts_.splits;
  auto n = nodes_.size();
  cut_ = {};
  if (weather_.partial_splits && dice_.coin()) {
    auto p = dice_.between(100, 700);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j)
        cut_[i][j] = dice_.permille(static_cast<std::uint64_t>(p));
  } else if (dice_.coin()) {
    // One node, the leader rather than another.
    auto* r = dice_.coin() ? leader() : random_up();
    auto me = r ? r->id.value - 1 : 0;
    auto in = !weather_.partial_splits || dice_.coin();
    auto out = !in || !weather_.partial_splits || dice_.coin();
    for (std::size_t i = 0; i < n; ++i) {
      cut_[i][me] = in;
      cut_[me][i] = out;
    }
  } else {
    std::vector<bool> side(n);
    for (std::size_t i = 0; i < n; ++i)
      side[i] = dice_.coin();
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j)
        cut_[i][j] = side[i] != side[j];
  }
  if (telling()) {
    std::string links;
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j)
        if (cut_[i][j] && i != j)
          links += " " + std::to_string(i + 1) + ">" + std::to_string(j + 1);
    say("split, links cut:" + links);
  }
  schedule(now_ + dice_.spread(50 * ms, weather_.split_max), kind::unsplit);
}

/// A disk loses all or the end of its log. One at a time, and only among three voters or more: with a majority gone
/// nobody could promise anything.
void cluster_sim::wipe() {
  if (target_.voters.size() < 3 || safety_.members().voters.size() < 3)
    return;
  for (auto& r : nodes_) {
    auto small = !r.gone && !r.shadow.configs.empty() && !r.shadow.configs.back().members->voters.empty() &&
                 r.shadow.configs.back().members->voters.size() < 3;
    if (r.lost || small)
      return;
  }
  auto* r = random_up();
  if (!r || r->disk.log.last() == 0)
    return;
  crash(*r, dice_.spread(5 * ms, 2 * second));
  ++counts_.wipes;
  auto& disk = r->disk;
  r->forgotten.reset(disk.log.base());
  for (auto i = disk.log.base() + 1; i <= disk.log.last(); ++i)
    r->forgotten.push(disk.log.at(i).term);
  r->lost = true;
  disk.state.rejoining = false;
  if (dice_.coin()) {
    disk = {};
    if (dice_.coin())
      r->bootstrap = {}; // it knows no cluster until the leader finds it
  } else {
    auto low = std::max(disk.log.base(), disk.snapshot ? disk.snapshot->index : 0);
    disk.log.truncate_from(low + 1 + dice_.below(disk.log.last() - low + 1));
    if (dice_.coin()) {
      auto last = disk.log.last();
      disk.state.term = disk.log.has(last) ? disk.log.at(last).term : disk.snapshot ? disk.snapshot->term : 0;
      disk.state.vote = {};
    }
  }
  if (telling())
    say(std::to_string(r->id.value) + " loses its log, down to " + std::to_string(disk.log.last()));
}

// ---- administration -------------------------------------------------------------------------------------------------

void cluster_sim::change_members() {
  if (nodes_.size() + 6 > nodes_max)
    return;
  auto voters_min = weather_.wipe_every > 0 ? std::size_t{3} : std::size_t{1};
  auto next = target_;
  auto pick = [this](const std::set<node_id>& of) {
    auto i = of.begin();
    std::advance(i, static_cast<std::ptrdiff_t>(dice_.below(of.size())));
    return *i;
  };
  auto fresh = [this, &next] {
    // A new node; or one that was removed and still has its old log.
    if (dice_.coin())
      for (auto& r : nodes_)
        if (!r.gone && !r.lost && !next.voters.contains(r.id) && !next.learners.contains(r.id))
          return r.id;
    auto& r = new_node({});
    boot(r);
    return r.id;
  };
  switch (dice_.below(7)) {
  case 0:
  case 1: { // replace one
    auto old = pick(next.voters);
    next.voters.insert(fresh());
    next.voters.erase(old);
    break;
  }
  case 2: // grow
    if (next.voters.size() < 6)
      next.voters.insert(fresh());
    break;
  case 3: // shrink
    if (next.voters.size() > voters_min)
      next.voters.erase(pick(next.voters));
    break;
  case 4: // a voter becomes a learner
    if (next.voters.size() > voters_min) {
      auto v = pick(next.voters);
      next.voters.erase(v);
      next.learners.insert(v);
    }
    break;
  case 5: // a learner becomes a voter, or goes, or comes
    if (next.learners.empty())
      next.learners.insert(fresh());
    else {
      auto l = pick(next.learners);
      next.learners.erase(l);
      if (dice_.coin() && next.voters.size() < 6)
        next.voters.insert(l);
    }
    break;
  case 6: { // everybody
    auto n = std::max(voters_min, std::min<std::size_t>(next.voters.size(), 3));
    next.voters.clear();
    while (next.voters.size() < n)
      next.voters.insert(fresh());
    break;
  }
  }
  target_ = std::move(next);
  ++counts_.member_changes;
  administer();
}

/// Tells the leader where to go, again and again, as a catalogue does; switches off who is no longer needed.
void cluster_sim::administer() {
  auto* l = leader();
  if (l && now_ >= l->paused_until)
    give(*l, raft::reconfigure{0, target_});
  if (safety_.members() != target_)
    return;
  for (auto& r : nodes_) {
    if (r.gone || target_.voters.contains(r.id) || target_.learners.contains(r.id))
      continue;
    auto end = dice_.below(4);
    if (end == 1 && r.core && l) { // it may be taken back meanwhile
      auto known = l->core->status();
      if (known.members == target_ && known.members_index <= known.commit_index)
        schedule(now_ + dice_.spread(1 * ms, 2 * second), kind::vacate, r.id.value - 1, r.life,
                 vacancies_.put({known.members_term, known.members_index}));
    }
    if (end != 0)
      continue;
    if (r.core)
      crash(r, -1);
    r.gone = true;
    r.lost = false;
  }
}

// ---- use ------------------------------------------------------------------------------------------------------------

void cluster_sim::client() {
  // A client gives up after a while; whether its proposal ever commits stays open.
  while (!waiting_.empty() && proposals_[waiting_.front() - 1].at + 500 * ms < now_) {
    auto& p = proposals_[waiting_.front() - 1];
    if (p.waiting) {
      p.waiting = false;
      --outstanding_;
    }
    waiting_.pop_front();
  }
  if (!loaded_ || outstanding_ >= weather_.outstanding_max)
    return;
  auto* r = dice_.below(10) == 0 ? random_up() : leader();
  if (!r || !r->core || now_ < r->paused_until)
    return;
  proposals_.push_back({now_, r->id.value, r->life});
  std::uint64_t id = proposals_.size();
  std::string payload(static_cast<std::size_t>(dice_.spread(8, weather_.payload_max)), 'p');
  std::memcpy(payload.data(), &id, sizeof id);
  give(*r, raft::propose{id, std::make_shared<const std::string>(std::move(payload))});
  if (!proposals_.back().answered)
    violated("a proposal was not answered at once");
}

void cluster_sim::reader() {
  auto* r = dice_.coin() ? leader() : random_up();
  if (!loaded_ || !r || now_ < r->paused_until)
    return;
  reads_.push_back({safety_.committed(), r->id.value, r->life});
  give(*r, raft::read{reads_.size()});
}

} // namespace sluice::sim
