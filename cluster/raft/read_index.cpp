// Reads that leave no trace in the log (thesis 6.4): the commit index, once a majority has confirmed, after the read
// arrived, that nobody else leads. No clock decides anything.
#include "cluster/raft/impl.hpp"

namespace sluice::raft {

void core::impl::on(read& in) {
  if (role_ == role::leader)
    return queue_read(in.id, {});
  if (!leader_ || asked_reads_.size() >= settings_.reads_max)
    return out_->reads.push_back({in.id, 0});
  ask_leader_to_read(in.id, false);
}

// ---- the leader -----------------------------------------------------------------------------------------------------

void core::impl::queue_read(std::uint64_t id, node_id from) {
  auto waiting = next_reads_.size() + (in_round_ ? in_round_->reads.size() : 0);
  if (waiting >= settings_.reads_max)
    return answer_read({id, from}, 0, 0);
  if (bug(planted_bug::read_without_round) && own_term_committed())
    return answer_read({id, from}, commit_, log_.last_index());
  if (bug(planted_bug::read_joins_round) && in_round_)
    return in_round_->reads.push_back({id, from});
  next_reads_.push_back({id, from});
}

/// One round at a time; reads that arrive during it wait for the next, since its answers may be older than they are.
void core::impl::serve_reads() {
  while (role_ == role::leader) {
    if (in_round_) {
      if (!round_confirmed(in_round_->round))
        return;
      for (auto& r : in_round_->reads)
        answer_read(r, in_round_->index, in_round_->last);
      in_round_.reset();
    }
    // Before an entry of our own term is committed, older ones may be committed without our knowing (thesis 6.4).
    if (next_reads_.empty() || (!own_term_committed() && !bug(planted_bug::read_before_own_term)))
      return;
    in_round_ = read_round{++round_, commit_, log_.last_index(), std::move(next_reads_)};
    next_reads_.clear();
    for (auto& p : peers_)
      heartbeat(p);
  }
}

bool core::impl::round_confirmed(std::uint64_t round) const {
  return majority([this, round](node_id v) {
    if (v == settings_.self)
      return true;
    auto* p = find_peer(v);
    return p && p->counts() && p->round >= round;
  });
}

void core::impl::answer_read(const waiting_read& r, log_index index, log_index last) {
  if (r.from)
    post(r.from, read_reply{term_, r.id, index, last});
  else
    out_->reads.push_back({r.id, index});
}

void core::impl::on(node_id from, read_request& m) {
  if (heed_term(m.term) || role_ != role::leader || m.term != term_)
    return post(from, read_reply{.term = term_, .id = m.id});
  queue_read(m.id, from);
}

// ---- the follower ---------------------------------------------------------------------------------------------------

/// The id on the wire is drawn at random once per process: an answer to a question of our former life, still on its
/// way, must not be taken for the answer to a question of this one.
void core::impl::ask_leader_to_read(std::uint64_t id, bool for_rejoin) {
  if (ask_id_ == 0)
    ask_id_ = (dice_.next() ^ static_cast<std::uint64_t>(now_.time_since_epoch().count())) >> 1;
  ++ask_id_;
  asked_reads_.emplace(ask_id_, asked_read{id, now_ + timeout_max_, for_rejoin});
  post(leader_, read_request{term_, ask_id_});
}

void core::impl::on(node_id, read_reply& m) {
  heed_term(m.term);
  auto found = asked_reads_.find(m.id);
  if (found == asked_reads_.end())
    return;
  auto asked = found->second;
  asked_reads_.erase(found);
  if (!asked.for_rejoin)
    out_->reads.push_back({asked.id, m.index});
  else if (m.index > 0)
    rejoin_floor_ = m.last;
}

/// Whoever waits is told to ask again: the leader changed.
void core::impl::refuse_reads() {
  if (in_round_)
    for (auto& r : in_round_->reads)
      answer_read(r, 0, 0);
  in_round_.reset();
  for (auto& r : next_reads_)
    answer_read(r, 0, 0);
  next_reads_.clear();
  for (auto& asked : asked_reads_)
    if (!asked.second.for_rejoin)
      out_->reads.push_back({asked.second.id, 0});
  asked_reads_.clear();
}

} // namespace sluice::raft
