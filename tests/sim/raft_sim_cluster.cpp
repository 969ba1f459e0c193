#include "raft_sim_cluster.hpp"

#include "core/overloaded.hpp"

namespace sluice::sim {

namespace {

bool later(const event& a, const event& b) {
  return a.at != b.at ? a.at > b.at : a.tie > b.tie;
}

std::string as_text(const raft::message& m) {
  auto n = [](std::uint64_t x) { return std::to_string(x); };
  return std::visit(
      overloaded{
          [&](const raft::vote_request& v) {
            return (v.pre_vote ? "pre_vote? t" : "vote? t") + n(v.term) + " last " + n(v.last_index) + "/" +
                   n(v.last_term) + (v.transfer ? " transfer" : "");
          },
          [&](const raft::vote_reply& v) {
            return std::string(v.pre_vote ? "pre_vote " : "vote ") + (v.granted ? "yes t" : "no t") + n(v.term);
          },
          [&](const raft::append_request& a) {
            return "append t" + n(a.term) + " prev " + n(a.prev_index) + "/" + n(a.prev_term) + " n " +
                   n(a.entries.size()) + " commit " + n(a.commit) + " round " + n(a.round);
          },
          [&](const raft::append_reply& a) {
            return (a.success ? "appended t" + n(a.term) + " match " + n(a.match)
                              : "rejected t" + n(a.term) + " prev " + n(a.rejected_prev) + " conflict " +
                                    n(a.conflict_first) + "/" + n(a.conflict_term)) +
                   " round " + n(a.round) +
                   (a.standing == raft::standing::full ? "" : " standing " + n(static_cast<unsigned>(a.standing)));
          },
          [&](const raft::snapshot_offer& s) {
            return "offer t" + n(s.term) + " snapshot " + n(s.snapshot.index) + "/" + n(s.snapshot.term);
          },
          [&](const raft::snapshot_reply& s) {
            return "snapshot t" + n(s.term) + " " + n(s.index) +
                   (s.installed ? " installed"
                    : s.failed  ? " failed"
                                : "");
          },
          [&](const raft::timeout_now& t) { return "timeout_now t" + n(t.term); },
          [&](const raft::read_request& r) { return "read? t" + n(r.term); },
          [&](const raft::read_reply& r) { return "read t" + n(r.term) + " index " + n(r.index); },
      },
      m);
}

std::string as_text(const raft::membership& m) {
  std::string s = "{";
  for (auto v : m.voters)
    s += " " + std::to_string(v.value);
  s += " |";
  for (auto v : m.learners)
    s += " " + std::to_string(v.value);
  return s + " }";
}

} // namespace

void cluster_sim::say(const std::string& what) {
  options_.trace("step=" + std::to_string(report_.step) + " t=" + std::to_string(now_ / 1000) + "." +
                 std::to_string(now_ % 1000 / 100) + "ms " + what);
}

// ---- events ---------------------------------------------------------------------------------------------------------

void cluster_sim::schedule(std::int64_t at, kind what, std::size_t node, std::uint32_t life, std::uint32_t slot) {
  heap_.push_back({std::max(at, now_), dice_.next(), what, static_cast<std::uint16_t>(node), life, slot});
  std::push_heap(heap_.begin(), heap_.end(), later);
}

/// After times in the heap were changed.
void cluster_sim::reorder() {
  std::make_heap(heap_.begin(), heap_.end(), later);
}

void cluster_sim::run_until(std::int64_t until) {
  while (!heap_.empty() && heap_.front().at <= until) {
    std::pop_heap(heap_.begin(), heap_.end(), later);
    auto e = heap_.back();
    heap_.pop_back();
    now_ = e.at;
    ++report_.step;
    report_.trace_hash = mix(report_.trace_hash ^ (static_cast<std::uint64_t>(e.at) << 8 ^ e.node << 5 ^
                                                   static_cast<std::uint64_t>(e.what)));
    step(e);
  }
  now_ = until;
}

void cluster_sim::step(const event& e) {
  if (e.what > kind::resume)
    return fault(e);
  auto& r = nodes_[e.node];
  if (e.what == kind::resume)
    return now_ >= r.paused_until ? resume(r) : void();
  if (e.what == kind::start) {
    if (!r.core && !r.gone && e.life == r.life)
      boot(r);
    return;
  }
  auto stale = !r.core || (e.life != 0 && e.life != r.life) || (e.what == kind::timer && e.slot != r.timer) ||
               (e.what == kind::deliver && r.away); // who is deaf does not hear what was under way, either
  if (stale) {
    if (e.what == kind::deliver)
      parcels_.take(e.slot);
    else if (e.what == kind::loaded)
      loads_.take(e.slot);
    else if (e.what == kind::fetched || e.what == kind::checkpointed)
      refs_.take(e.slot);
    return;
  }
  if (now_ < r.paused_until) {
    r.missed.push_back(e);
    return;
  }
  local_step(e, r);
}

void cluster_sim::pause(replica& r, std::int64_t until) {
  r.paused_until = until;
  schedule(until, kind::resume, r.id.value - 1);
}

/// All that waited comes at once, in order.
void cluster_sim::resume(replica& r) {
  r.paused_until = 0;
  auto missed = std::move(r.missed);
  r.missed.clear();
  for (auto& e : missed)
    step(e);
}

void cluster_sim::local_step(const event& e, replica& r) {
  switch (e.what) {
  case kind::deliver: {
    auto parcel = parcels_.take(e.slot);
    if (telling())
      say(std::to_string(r.id.value) + " hears from " + std::to_string(parcel.body.from.value) + ": " +
          as_text(parcel.body.body));
    ++counts_.messages;
    return give(r, std::move(parcel.body));
  }
  case kind::timer:
    return give(r, raft::tick{});
  case kind::synced:
    return synced(r, r.disk.syncing);
  case kind::loaded:
    return load(r, loads_.take(e.slot));
  case kind::fetched: {
    auto ok = !stormy_ || !dice_.permille(weather_.fetch_fails_permille);
    return give(r, raft::snapshot_fetched{refs_.take(e.slot), ok});
  }
  case kind::checkpointed: {
    auto ref = refs_.take(e.slot);
    r.checkpointing = false;
    if (r.disk.snapshot && r.disk.snapshot->index >= ref.index)
      return; // a fetched one came first
    r.disk.snapshot = ref;
    ++counts_.snapshots;
    auto keep_from = ref.index + 1 > r.tail ? ref.index + 1 - r.tail : 1;
    return give(r, raft::snapshot_taken{std::move(ref), keep_from});
  }
  default:
    return;
  }
}

// ---- a replica's life -----------------------------------------------------------------------------------------------

replica& cluster_sim::new_node(raft::membership bootstrap) {
  auto& r = nodes_.emplace_back();
  r.id = node_id{static_cast<std::uint32_t>(nodes_.size())};
  r.bootstrap = std::move(bootstrap);
  r.snapshot_every =
      weather_.snapshot_every == 0 ? 0 : weather_.snapshot_every / 2 + dice_.below(weather_.snapshot_every) + 1;
  r.tail = dice_.below(weather_.tail_max + 1);
  r.clock_zero = dice_.between(0, 1'000'000) * second;
  r.clock_rate = dice_.between(950, 1050);
  return r;
}

void cluster_sim::boot(replica& r) {
  ++r.life;
  auto config = weather_.core;
  config.self = r.id;
  config.seed = dice_.next();
  r.core = std::make_unique<raft::core>(config);
  r.shadow = {};
  r.held.clear();
  r.last_write = 0;
  r.disk.syncing = 0;
  r.commit = r.applied = r.disk.snapshot ? r.disk.snapshot->index : 0;
  r.state = r.disk.snapshot ? payload_number(*r.disk.snapshot->manifest) : 0;
  r.members = r.disk.snapshot ? r.disk.snapshot->members : r.bootstrap;
  r.checkpointing = false;
  r.paused_until = 0;

  raft::start s;
  s.durable = r.disk.state;
  s.snapshot = r.disk.snapshot;
  s.bootstrap = r.bootstrap;
  s.may_vote = !r.lost;
  auto& log = r.disk.log;
  r.shadow.entries.reset(log.base());
  r.shadow.base_term = r.disk.snapshot && log.base() == r.disk.snapshot->index ? r.disk.snapshot->term : 0;
  r.shadow.configs.push_back(
      {r.disk.snapshot ? r.disk.snapshot->index : 0, std::make_shared<const raft::membership>(r.members)});
  for (auto i = log.base() + 1; i <= log.last(); ++i) {
    auto& e = log.at(i);
    s.log.push_back(e);
    r.shadow.entries.push({e.term, hash_of_entry(e)});
    if (e.members && e.index > r.shadow.configs.front().index)
      r.shadow.configs.push_back({e.index, e.members});
  }
  if (telling())
    say(std::to_string(r.id.value) + " starts, term " + std::to_string(s.durable.term) + " log " +
        std::to_string(log.base() + 1) + ".." + std::to_string(log.last()) + (r.lost ? ", its log was lost" : ""));
  give(r, std::move(s));
  // With these planted the core never asks to be readmitted: only the harm done counts as a catch.
  if (options_.bug == raft::planted_bug::wiped_node_votes || options_.bug == raft::planted_bug::wiped_node_counts)
    r.lost = false;
}

void cluster_sim::give(replica& r, raft::input in) {
  out_.clear();
  ++counts_.events;
  r.core->handle(r.clock(now_), std::move(in), out_);
  consume(r);
}

void cluster_sim::consume(replica& r) {
  if (out_.fatal)
    violated("node " + std::to_string(r.id.value) + " stopped: " + *out_.fatal);
  // A commit is counted in the configuration before whatever this step appended.
  auto voters = r.shadow.configs.back().members;
  for (auto& w : out_.writes)
    wrote(r, std::move(w));
  check_log(r);
  for (auto& now : out_.roles)
    new_role(r, now);
  check_commit(r, voters->voters);
  if (out_.committed.size() > weather_.core.committed_entries_max)
    violated("more entries handed out than one call may");
  for (auto& e : out_.committed)
    apply(r, e);
  for (auto& s : out_.sends) {
    if (s.after != 0)
      r.held.push_back(std::move(s));
    else
      post(r, s.to, std::move(s.body));
  }
  for (auto& p : out_.proposals)
    proposal_done(p);
  for (auto& done : out_.reads)
    read_done(done);
  auto me = r.id.value - 1;
  for (auto& f : out_.fetches) {
    ++counts_.snapshots_offered;
    auto takes = stormy_ ? dice_.spread(1 * ms, 3 * second) : dice_.between(1 * ms, 100 * ms);
    schedule(now_ + takes, kind::fetched, me, r.life, refs_.put(std::move(f.ref)));
  }
  for (auto& l : out_.loads)
    schedule(now_ + dice_.between(10, 3 * ms), kind::loaded, me, r.life, loads_.put(l));
  if (out_.timer)
    schedule(r.when(*out_.timer), kind::timer, me, r.life, ++r.timer);
  report_.trace_hash = mix(report_.trace_hash ^ (r.core->term() << 40 ^ r.core->last_index() << 20 ^ r.commit));
  if (r.snapshot_every != 0 && !r.checkpointing &&
      r.applied >= (r.disk.snapshot ? r.disk.snapshot->index : 0) + r.snapshot_every)
    checkpoint(r);
}

/// What the core goes by is what it wrote, and what it calls durable is on its disk.
void cluster_sim::check_log(const replica& r) {
  if (!out_.writes.empty()) {
    // The configuration in force is the last one in the own log (thesis 4.1).
    auto& last = *r.shadow.configs.back().members;
    if (&r.core->members() != &last && r.core->members() != last)
      violated("node " + std::to_string(r.id.value) + " goes by configuration " + as_text(r.core->members()) +
               ", its log says " + as_text(last));
  }
  if (r.core->last_index() != r.shadow.entries.last())
    violated("node " + std::to_string(r.id.value) + " holds another log than it wrote");
  auto on_disk = std::max(r.disk.log.last(), r.disk.snapshot ? r.disk.snapshot->index : 0);
  if (r.core->durable_index() > on_disk)
    violated("node " + std::to_string(r.id.value) + " takes index " + std::to_string(r.core->durable_index()) +
             " for durable, its disk ends with " + std::to_string(on_disk));
}

void cluster_sim::new_role(replica& r, const raft::role_changed& now) {
  if (telling())
    say(std::to_string(r.id.value) + " is " +
        (now.role == raft::role::leader          ? "leader"
         : now.role == raft::role::candidate     ? "candidate"
         : now.role == raft::role::pre_candidate ? "pre-candidate"
                                                 : "follower of " + std::to_string(now.leader.value)) +
        " in term " + std::to_string(now.term));
  if (now.role != raft::role::leader)
    return;
  ++counts_.leaders;
  safety_.leads(now.term, r.id);
  // Leader completeness; by log matching the last committed entry speaks for all before it.
  auto top = safety_.committed_before(now.term);
  if (top > r.shadow.entries.base() && r.shadow.term_at(top) != safety_.at(top).term)
    violated("leader completeness: node " + std::to_string(r.id.value) + " leads term " + std::to_string(now.term) +
             " without committed index " + std::to_string(top));
  if (stormy_ && dice_.permille(weather_.harass_permille))
    harass(r);
  schedule(now_ + (weather_.plot == plot::dance ? 100 : dice_.spread(1 * ms, 100 * ms)), kind::administer, 0, 0, 1);
}

void cluster_sim::proposal_done(const raft::proposal_result& p) {
  if (p.id == 0)
    return; // the administrator's
  auto& proposal = proposals_[p.id - 1];
  if (proposal.answered)
    violated("a proposal was answered twice");
  proposal.answered = true;
  if (p.why != raft::refusal::none)
    return;
  proposal.waiting = true;
  proposal.index = p.index;
  proposal.term = p.term;
  waiting_.push_back(p.id);
  ++outstanding_;
  ++counts_.proposed;
}

// ---- network --------------------------------------------------------------------------------------------------------

void cluster_sim::post(replica& r, node_id to, raft::message m) {
  if (to.value == 0 || to.value > nodes_.size())
    violated("a message to nobody");
  if (auto* request = std::get_if<raft::append_request>(&m); request && request->entries.size() > 1) {
    std::size_t bytes = 0;
    for (auto& e : request->entries)
      bytes += e.bytes();
    if (bytes > weather_.core.append_bytes_max)
      violated("a request larger than it may be");
  }
  auto from = r.id.value - 1;
  auto target = to.value - 1;
  if (cut_[from][target] || (stormy_ && dice_.permille(weather_.loss_permille))) {
    ++counts_.lost;
    return;
  }
  auto arrival = now_ + dice_.between(weather_.latency_min, weather_.latency_max);
  if (weather_.fifo) {
    arrival = std::max(arrival, last_arrival_[from][target] + 1);
    last_arrival_[from][target] = arrival;
  }
  if (stormy_ && dice_.permille(weather_.dup_permille)) {
    ++counts_.duplicated;
    auto late = arrival + dice_.between(0, weather_.dup_delay_max);
    schedule(late, kind::deliver, target, 0, parcels_.put({to.value, {r.id, r.life, m}}));
  }
  schedule(arrival, kind::deliver, target, 0, parcels_.put({to.value, {r.id, r.life, std::move(m)}}));
}

// ---- commit and apply -----------------------------------------------------------------------------------------------

void cluster_sim::check_commit(replica& r, const std::set<node_id>& voters) {
  auto commit = r.core->commit_index();
  if (commit == r.commit)
    return;
  if (commit < r.commit)
    violated("node " + std::to_string(r.id.value) + ": the commit index fell from " + std::to_string(r.commit) +
             " to " + std::to_string(commit));
  r.commit = commit;
  if (r.core->is_leader()) {
    count_copies(r, voters, commit);
    safety_.commits(commit, r.core->term(), r.shadow);
    counts_.committed = safety_.committed();
  } else if (commit > safety_.committed() ||
             (commit > r.shadow.entries.base() && r.shadow.term_at(commit) != safety_.at(commit).term))
    violated("node " + std::to_string(r.id.value) + " takes index " + std::to_string(commit) +
             " for committed, which no leader committed");
}

/// A commit is believed only if the disks of a majority of the leader's voters really have the entry.
void cluster_sim::count_copies(const replica& leader, const std::set<node_id>& voters, log_index index) {
  auto term = leader.shadow.term_at(index);
  std::size_t copies = 0;
  for (auto v : voters) {
    auto& disk = node(v).disk;
    auto& before = node(v).forgotten;
    copies += disk.holds(index, term) || (before.has(index) && before.at(index) == term);
  }
  if (2 * copies <= voters.size())
    violated("node " + std::to_string(leader.id.value) + " committed index " + std::to_string(index) + " of term " +
             std::to_string(term) + " with " + std::to_string(copies) + " durable copies among " +
             std::to_string(voters.size()) + " voters");
}

void cluster_sim::apply(replica& r, const raft::entry& e) {
  auto name = "node " + std::to_string(r.id.value);
  if (e.index != r.applied + 1)
    violated(name + " applies index " + std::to_string(e.index) + " after " + std::to_string(r.applied));
  if (e.index > safety_.committed())
    violated(name + " applies uncommitted index " + std::to_string(e.index));
  if (!r.disk.holds(e.index, e.term))
    violated(name + " applies index " + std::to_string(e.index) + ", which is not on its disk");
  r.applied = e.index;
  r.state = mix(r.state ^ hash_of_entry(e));
  if (r.state != safety_.rolling(e.index))
    violated("state machine safety: " + name + " differs at index " + std::to_string(e.index));
  if (e.members)
    r.members = *e.members;
  if (!e.payload)
    return;
  auto& p = proposals_[payload_number(*e.payload) - 1];
  if (p.node != r.id.value || p.life != r.life || p.acknowledged)
    return;
  if (p.index != e.index || p.term != e.term)
    violated(name + " committed a proposal at another place than it said");
  p.acknowledged = true;
  ++counts_.acknowledged;
  if (p.waiting) {
    p.waiting = false;
    --outstanding_;
  }
  if (measuring_)
    report_.longest_gap_us = std::max(report_.longest_gap_us, now_ - last_ack_);
  last_ack_ = now_;
}

void cluster_sim::read_done(const raft::read_ready& done) {
  auto& r = reads_[done.id - 1];
  if (r.done)
    violated("a read was answered twice");
  r.done = true;
  if (done.index == 0)
    return;
  ++counts_.reads;
  if (done.index < r.at_least)
    violated("stale read: index " + std::to_string(done.index) + ", but " + std::to_string(r.at_least) +
             " was committed before it began");
  if (done.index > safety_.committed())
    violated("a read index that is not committed");
}

/// Who is where, for a message.
std::string cluster_sim::portrait() {
  auto s = "target " + as_text(target_) + " committed " + std::to_string(safety_.committed());
  for (auto& r : nodes_)
    if (r.core)
      s += "; " + std::to_string(r.id.value) + (r.core->is_leader() ? " leads" : "") + (r.lost ? " lost" : "") + " t" +
           std::to_string(r.core->term()) + " applied " + std::to_string(r.applied) + " last " +
           std::to_string(r.core->last_index()) + " members " + as_text(r.core->members());
  return s;
}

// ---- who is who -----------------------------------------------------------------------------------------------------

replica* cluster_sim::leader() {
  replica* best = nullptr;
  for (auto& r : nodes_)
    if (r.core && r.core->is_leader() && (!best || r.core->term() > best->core->term()))
      best = &r;
  return best;
}

replica* cluster_sim::random_up() {
  auto first = dice_.below(nodes_.size());
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    auto& r = nodes_[(first + i) % nodes_.size()];
    if (r.core)
      return &r;
  }
  return nullptr;
}

} // namespace sluice::sim
