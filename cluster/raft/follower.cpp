// The receiving side of AppendEntries (thesis 3.5, Figure 3.1).
#include "cluster/raft/impl.hpp"

namespace sluice::raft {

/// Every message only a leader sends goes through here, after its term was found not to be stale.
bool core::impl::accept_leader(node_id from, log_term term) {
  if (term == term_ && (role_ == role::leader || (leader_ && leader_ != from))) {
    fail("two leaders in term " + std::to_string(term)); // election safety (thesis 3.4) is gone
    return false;
  }
  if (term > term_ || role_ != role::follower || leader_ != from)
    become_follower(term, from);
  heard_leader_ = now_;
  campaign_when_durable_ = false;
  reset_election_timer();
  return true;
}

void core::impl::on(node_id from, append_request& m) {
  if (m.term < term_)
    return refuse_stale(from, m);
  if (!accept_leader(from, m.term))
    return;
  auto asked_prev = m.prev_index;
  if (!trim_below_base(m))
    return acknowledge(from, m, asked_prev);
  if (!log_.holds(m.prev_index, m.prev_term))
    return reject(from, m);
  take(m);
  if (dead_)
    return;
  auto verified = m.prev_index + m.entries.size();
  if (bug(planted_bug::commit_unverified))
    verified = log_.last_index();
  commit_to(std::min(m.commit, verified));
  acknowledge(from, m, asked_prev);
}

/// Nothing in the answer may be read as a match: by the time it arrives the receiver may lead the term it names.
void core::impl::refuse_stale(node_id from, const append_request& m) {
  append_reply reply{.term = term_};
  if (bug(planted_bug::stale_reply_match))
    reply = {.term = term_,
             .success = true,
             .match = log_.last_index(),
             .accepted_prev = m.prev_index,
             .standing = own_standing()};
  post(from, reply);
}

/// What lies at or below our compaction point is committed, hence equal to the leader's, and is not looked at again.
/// False when nothing of the request is left.
bool core::impl::trim_below_base(append_request& m) {
  auto base = log_.base_index();
  if (m.prev_index >= base)
    return true;
  if (bug(planted_bug::below_compaction))
    truncate_from(std::max(commit_, base) + 1);
  auto n = std::min<std::size_t>(m.entries.size(), base - m.prev_index);
  if (n > 0) {
    m.prev_term = m.entries[n - 1].term;
    m.prev_index = m.entries[n - 1].index;
    m.entries.erase(m.entries.begin(), m.entries.begin() + static_cast<std::ptrdiff_t>(n));
  }
  return m.prev_index == base;
}

void core::impl::take(append_request& m) {
  auto e = m.entries.begin();
  // What we hold already stays: a late or repeated request must not cut what came after it.
  while (e != m.entries.end() &&
         (log_.holds(e->index, e->term) || (bug(planted_bug::keeps_conflicts) && e->index <= log_.last_index())))
    ++e;
  if (bug(planted_bug::truncates_always) && e == m.entries.end() && !m.entries.empty())
    truncate_from(std::max(m.entries.back().index, commit_) + 1);
  if (e == m.entries.end())
    return;
  if (e->index <= log_.last_index()) {
    if (e->index <= commit_)
      return fail("the leader of term " + std::to_string(m.term) + " contradicts committed index " +
                  std::to_string(e->index));
    truncate_from(e->index);
  }
  for (; e != m.entries.end(); ++e)
    append(std::move(*e));
}

/// Names the whole run of the conflicting term, so that the leader skips it in one step (thesis 3.5, the optimisation).
void core::impl::reject(node_id from, const append_request& m) {
  append_reply reply{.term = term_, .rejected_prev = m.prev_index, .round = m.round, .standing = own_standing()};
  if (m.prev_index > log_.last_index()) {
    reply.conflict_first = log_.last_index() + 1;
  } else {
    if (m.prev_index <= commit_)
      return fail("the leader of term " + std::to_string(m.term) + " contradicts committed index " +
                  std::to_string(m.prev_index));
    reply.conflict_term = log_.term_at(m.prev_index);
    reply.conflict_first = std::max(log_.run_start(m.prev_index), commit_ + 1);
  }
  post(from, reply);
}

/// Acknowledges what is durable and was verified by this request, never more: a longer suffix may be of an old term.
/// A heartbeat is answered at once with what is durable by now, so that a slow disk does not look like a dead node.
void core::impl::acknowledge(node_id from, const append_request& m, log_index asked_prev) {
  auto match = m.prev_index + m.entries.size();
  if (m.entries.empty())
    match = std::min(match, writes_.durable_index());
  if (bug(planted_bug::ack_unmatched_suffix))
    match = log_.last_index();
  append_reply reply{.term = term_, .success = true, .match = match, .accepted_prev = asked_prev, .round = m.round};
  reply.standing = own_standing();
  post(from, reply, writes_.covering(match));
}

void core::impl::append(entry e) {
  // In force from here on, committed or not (thesis 4.1).
  if (e.kind == entry_kind::members) {
    auto at = bug(planted_bug::config_wrong_index) && !staged_.append.empty() ? staged_.append.front().index : e.index;
    configs_.append(at, e.members);
  }
  staged().append.push_back(e);
  log_.append(std::move(e));
}

void core::impl::truncate_from(log_index index) {
  if (index > log_.last_index())
    return;
  staged().truncate_from = index;
  log_.truncate_from(index);
  if (!bug(planted_bug::config_not_reverted))
    configs_.truncate_from(index);
  writes_.cut(index - 1);
}

} // namespace sluice::raft
