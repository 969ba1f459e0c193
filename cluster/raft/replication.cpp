// The leader feeds the other replicas (thesis 3.5), in parallel with its own disk (10.2.1), as a pipeline (10.2.2).
#include "cluster/raft/impl.hpp"

#include <algorithm>

namespace sluice::raft {

namespace {

constexpr std::size_t entry_overhead = 32; // of an entry on the wire, so that empty ones are bounded as well

} // namespace

// ---- peers ----------------------------------------------------------------------------------------------------------

progress* core::impl::find_peer(node_id n) {
  auto found = std::find_if(peers_.begin(), peers_.end(), [n](const progress& p) { return p.node == n; });
  return found == peers_.end() ? nullptr : &*found;
}

const progress* core::impl::find_peer(node_id n) const {
  auto found = std::find_if(peers_.begin(), peers_.end(), [n](const progress& p) { return p.node == n; });
  return found == peers_.end() ? nullptr : &*found;
}

/// The peers are the members in force but ourselves. Who is one from the beginning of a leadership is heard for the first time
/// in it; who comes later may have been one before.
void core::impl::sync_peers(bool leadership_begins) {
  auto& m = members();
  std::erase_if(peers_, [&m](const progress& p) { return !m.voters.contains(p.node) && !m.learners.contains(p.node); });
  auto before = peers_.size();
  auto since = leadership_begins ? round_ : round_ + 1;
  auto add = [this, since](node_id n) {
    if (n != settings_.self && !find_peer(n))
      peers_.emplace_back(n, log_.last_index() + 1, now_, since);
  };
  std::for_each(m.voters.begin(), m.voters.end(), add);
  std::for_each(m.learners.begin(), m.learners.end(), add);
  if (peers_.size() > before)
    round_ = since;
  if (before == 0 && !peers_.empty())
    heartbeat_at_ = now_;
}

bool core::impl::recently_heard(node_id n) const {
  auto* p = find_peer(n);
  return n == settings_.self || (p && now_ - p->heard <= timeout_max_ && !p->lost_its_log());
}

/// A leader that can not reach a majority must not hold up those who could elect another (thesis 6.2).
void core::impl::check_quorum() {
  if (bug(planted_bug::no_check_quorum))
    return;
  if (!majority([this](node_id v) { return recently_heard(v); }))
    become_follower(term_, {});
}

// ---- sending --------------------------------------------------------------------------------------------------------

void core::impl::feed_all() {
  if (role_ != role::leader)
    return;
  for (auto& p : peers_)
    feed(p);
}

void core::impl::feed(progress& p) {
  switch (p.state) {
  case flow::probe:
    if (!p.probe_out)
      send_entries(p);
    break;
  case flow::replicate:
    while (p.next <= log_.last_index() && window_open(p) && send_entries(p))
      ;
    // Under load the commit index rides on entries; an idle follower is told at once instead of with the heartbeat.
    if (p.state == flow::replicate && p.flights.empty() && p.load_id == 0 && p.commit_sent < std::min(commit_, p.match))
      send_empty(p);
    break;
  case flow::snapshot:
    break;
  }
}

bool core::impl::window_open(const progress& p) const {
  return p.load_id == 0 && p.flights.size() < settings_.in_flight_requests_max &&
         p.flight_bytes < settings_.in_flight_bytes_max;
}

append_request core::impl::request_for(const progress& p) const {
  append_request m;
  m.term = term_;
  m.prev_index = p.next - 1;
  m.prev_term = log_.term_at(m.prev_index);
  m.commit = commit_;
  m.round = round_;
  return m;
}

/// One request. False when there is nothing to wait for a next one: the entries are on the disk, or gone.
bool core::impl::send_entries(progress& p) {
  if (p.next <= log_.base_index()) {
    offer_snapshot(p);
    return false;
  }
  auto m = request_for(p);
  auto bare = p.state == flow::probe && (p.probe_bare || !log_.is_cached(p.next));
  if (!bare && p.next <= log_.last_index() && !log_.is_cached(p.next)) {
    request_load(p);
    return false;
  }
  std::size_t bytes = 0;
  for (auto i = p.next; !bare && i <= log_.last_index(); ++i) {
    auto& e = log_.at(i);
    if (!m.entries.empty() && bytes + e.bytes() + entry_overhead > settings_.append_bytes_max)
      break;
    bytes += e.bytes() + entry_overhead;
    m.entries.push_back(e);
  }
  launch(p, std::move(m));
  return true;
}

void core::impl::launch(progress& p, append_request m) {
  p.commit_sent = m.commit;
  if (p.state == flow::probe) {
    p.probe_out = true;
  } else if (!m.entries.empty()) {
    std::size_t bytes = 0;
    for (auto& e : m.entries)
      bytes += e.bytes() + entry_overhead;
    p.next = m.entries.back().index + 1;
    p.flights.push_back({m.entries.back().index, bytes});
    p.flight_bytes += bytes;
  }
  post(p.node, std::move(m));
}

void core::impl::send_empty(progress& p) {
  if (p.next <= log_.base_index())
    return offer_snapshot(p);
  auto m = request_for(p);
  p.commit_sent = m.commit;
  post(p.node, std::move(m));
}

/// On a grid of the host's clock, the same for all cores of a process: what their leaders send leaves in one envelope.
host_time core::impl::next_beat() const {
  return host_time{(now_.time_since_epoch() / heartbeat_every_ + 1) * heartbeat_every_};
}

/// Sent at a fixed pace, whatever else goes out: its answer does not wait for the follower's disk, and as it names the
/// place before `next`, it finds out about every request that was lost.
void core::impl::heartbeat() {
  if (role_ != role::leader)
    return;
  heartbeat_at_ = next_beat();
  members_due_ = true;
  for (auto& p : peers_)
    heartbeat(p);
}

void core::impl::heartbeat(progress& p) {
  if (p.state == flow::probe && !(bug(planted_bug::lost_probe) && p.probe_out)) {
    p.probe_bare = p.probe_bare || p.probe_out; // a node that is away is not sent the same entries over and over
    send_entries(p);
    return;
  }
  if (p.state == flow::replicate)
    return send_empty(p);
  // It is busy fetching: just say that we are there. The place before the first entry matches everywhere.
  append_request m;
  m.term = term_;
  m.round = round_;
  post(p.node, std::move(m));
  if (p.offered && now_ - p.offered_at >= timeout_max_) {
    if (p.offer_failed)
      return offer_snapshot(p);
    p.offered_at = now_;
    post(p.node, snapshot_offer{term_, *p.offered, round_});
  }
}

// ---- answers --------------------------------------------------------------------------------------------------------

void core::impl::on(node_id from, append_reply& m) {
  if (heed_term(m.term) || m.term < term_ || role_ != role::leader)
    return;
  auto* p = find_peer(from);
  if (!p)
    return;
  if (m.match > log_.last_index() || m.round > round_ || m.round < p->since_round) {
    ++dropped_;
    return;
  }
  p->heard = now_;
  p->round = std::max(p->round, m.round);
  p->standing = std::max(p->standing, m.standing); // one that says less is late
  if (m.success)
    matched(*p, m);
  else
    mismatched(*p, m);
}

void core::impl::matched(progress& p, const append_reply& m) {
  p.match = std::max(p.match, m.match);
  p.landed(p.match);
  if (p.state == flow::probe && (m.accepted_prev + 1 == p.next || m.match >= p.next)) {
    p.probe_bare = false;
    p.enter(flow::replicate);
  }
  p.next = std::max(p.next, p.match + 1);
}

void core::impl::mismatched(progress& p, const append_reply& m) {
  // The logs are known to be equal up to `match`: such a rejection is older than that knowledge.
  if (m.rejected_prev <= p.match || p.state == flow::snapshot) {
    if (bug(planted_bug::stale_rejection_freezes))
      p.enter(flow::snapshot);
    return;
  }
  if (p.state == flow::probe ? m.rejected_prev + 1 != p.next : m.rejected_prev >= p.next)
    return;
  // Where the follower has a run of a term we know, the logs may meet at the end of ours; else before its run.
  auto meet = m.conflict_term == 0 ? 0 : log_.last_of_term(m.conflict_term, m.rejected_prev - 1);
  auto hint = meet > 0 ? meet + 1 : m.conflict_first;
  p.enter(flow::probe);
  p.next = std::clamp(hint, p.match + 1, m.rejected_prev);
  p.probe_bare = true;
}

// ---- entries that left the cache ------------------------------------------------------------------------------------

void core::impl::request_load(progress& p) {
  if (p.load_id != 0 || now_ < p.load_again)
    return;
  p.load_id = ++last_load_id_;
  p.load_again = now_ + heartbeat_every_; // a host that finds nothing must not keep us busy
  out_->loads.push_back({p.load_id, p.next, log_.first_cached() - 1, settings_.append_bytes_max});
}

void core::impl::on(loaded& in) {
  auto found = std::find_if(peers_.begin(), peers_.end(), [&in](auto& p) { return p.load_id == in.load_id; });
  if (in.load_id == 0 || found == peers_.end())
    return; // asked for in another leadership, or before a rejection
  auto& p = *found;
  p.load_id = 0;
  if (in.entries.empty() || p.next <= log_.base_index())
    return; // compacted meanwhile: the next feed offers the checkpoint
  auto expected = p.next;
  for (auto& e : in.entries)
    if (e.index != expected++ || !log_.holds(e.index, e.term)) {
      ++dropped_;
      return;
    }
  p.load_again = now_;
  auto m = request_for(p);
  m.entries = std::move(in.entries);
  launch(p, std::move(m));
}

} // namespace sluice::raft
