// Who leads: terms, votes, pre-votes and the timers behind them (thesis 3.4, 4.2.3, 9.6).
#include "cluster/raft/impl.hpp"

namespace sluice::raft {

// ---- who may --------------------------------------------------------------------------------------------------------

/// A voter of the configuration in force; or one whose removal is in its log and not known to be committed: its log may
/// be the only complete one left among those the old configuration still needs (thesis 4.2.2).
bool core::impl::may_campaign() const {
  if (rejoining_)
    return false;
  if (is_voter(settings_.self))
    return true;
  if (bug(planted_bug::nonvoter_refuses_vote))
    return false;
  auto* before = configs_.previous();
  return before && before->voters.contains(settings_.self) && configs_.latest_index() > commit_;
}

/// Who heard a leader within the minimum timeout lets nobody disturb it (thesis 4.2.3).
bool core::impl::hears_leader() const {
  if (role_ == role::leader)
    return true;
  if (bug(planted_bug::sticky_for_ever))
    return heard_leader_.has_value();
  return heard_leader_ && now_ - *heard_leader_ < timeout_min_;
}

/// The election restriction (thesis 3.6.1). Compared with all of our log, also what is still being written: those
/// entries may be acknowledged as soon as the write is done, and an acknowledgement counts as of now.
bool core::impl::as_complete_as_ours(const vote_request& m) const {
  if (bug(planted_bug::votes_for_short_log))
    return true;
  auto last = log_.last_index();
  if (bug(planted_bug::votes_by_durable_log))
    last = std::max(writes_.durable_index(), log_.base_index());
  auto last_term = log_.term_at(last);
  return m.last_term > last_term || (m.last_term == last_term && m.last_index >= last);
}

/// Votes do not depend on any configuration, neither ours nor the candidate's: either may be the outdated one, and a
/// vote refused for it could cost the majority (thesis 4.2.2). Who knows of no cluster at all has nothing to vote
/// about.
bool core::impl::would_vote_for(node_id candidate, const vote_request& m) const {
  if (rejoining_ || members().voters.empty())
    return false;
  if (bug(planted_bug::nonvoter_refuses_vote) && (!is_voter(settings_.self) || !is_voter(candidate)))
    return false;
  return as_complete_as_ours(m);
}

// ---- the voter ------------------------------------------------------------------------------------------------------

void core::impl::on(node_id from, vote_request& m) {
  if (m.pre_vote)
    return answer_pre_vote(from, m);
  if (m.term > term_) {
    if (hears_leader() && !m.transfer)
      return; // thesis 4.2.3: neither term nor vote change
    become_follower(m.term, {});
  }
  auto free = !vote_ || vote_ == from || bug(planted_bug::votes_twice);
  auto granted = m.term == term_ && free && role_ == role::follower && !leader_ && would_vote_for(from, m);
  if (granted && vote_ != from) {
    vote_ = from;
    persist_state();
  }
  if (granted)
    reset_election_timer();
  post(from, vote_reply{term_, granted, false});
}

/// Changes nothing here (thesis 9.6). A denial carries our own term, so that a candidate of a low term, who may have
/// the best log of all, learns where to begin.
void core::impl::answer_pre_vote(node_id from, const vote_request& m) {
  auto granted = m.term > term_ && !hears_leader() && would_vote_for(from, m);
  auto told = granted ? m.term : term_;
  if (!granted && bug(planted_bug::prevote_denial_hides_term))
    told = std::min(term_, m.term - 1);
  if (told > 0)
    post(from, vote_reply{told, granted, true});
}

// ---- the candidate --------------------------------------------------------------------------------------------------

void core::impl::election_timeout() {
  if (!bug(planted_bug::sticky_for_ever))
    heard_leader_.reset();
  leader_ = {};
  reset_election_timer();
  if (may_campaign())
    pre_vote();
}

/// Asks whether a campaign could succeed before it disturbs anybody with a new term (thesis 9.6).
void core::impl::pre_vote() {
  // The requests name our last entry as one we have: it must survive a crash first.
  if (writes_.durable_index() < log_.last_index() && !bug(planted_bug::campaign_unpersisted)) {
    campaign_when_durable_ = true;
    campaign_asked_ = false;
    return;
  }
  role_ = role::pre_candidate;
  votes_ = {settings_.self};
  if (majority([this](node_id v) { return votes_.contains(v); }))
    return campaign(false);
  ask_for_votes();
}

void core::impl::campaign(bool asked_by_leader) {
  if (writes_.durable_index() < log_.last_index() && !bug(planted_bug::campaign_unpersisted)) {
    campaign_when_durable_ = true;
    campaign_asked_ = asked_by_leader;
    return;
  }
  role_ = role::candidate;
  leader_ = {};
  heard_leader_.reset();
  ++term_;
  vote_ = settings_.self;
  votes_ = {settings_.self};
  campaign_asked_ = asked_by_leader;
  persist_state();
  reset_election_timer();
  if (majority([this](node_id v) { return votes_.contains(v); }))
    return become_leader();
  ask_for_votes();
}

/// Repeated while the campaign lasts: a lost request must not cost a whole timeout.
void core::impl::ask_for_votes() {
  ask_again_at_ = now_ + 2 * heartbeat_every_;
  auto pre = role_ == role::pre_candidate;
  vote_request m{pre ? term_ + 1 : term_, log_.last_index(), log_.last_term(), pre, !pre && campaign_asked_};
  for (auto v : members().voters)
    if (v != settings_.self && !votes_.contains(v))
      post(v, m);
}

void core::impl::on(node_id from, vote_reply& m) {
  if (m.pre_vote && m.granted) {
    if (role_ != role::pre_candidate || m.term != term_ + 1)
      return;
    votes_.insert(from);
    if (majority([this](node_id v) { return votes_.contains(v); }))
      campaign(false);
    return;
  }
  if (heed_term(m.term) || role_ != role::candidate || m.pre_vote || m.term != term_ || !m.granted)
    return;
  votes_.insert(from);
  if (majority([this](node_id v) { return votes_.contains(v); }))
    become_leader();
}

// ---- changing roles -------------------------------------------------------------------------------------------------

void core::impl::become_leader() {
  refuse_reads(); // the old leader's answers would come to nobody
  role_ = role::leader;
  leader_ = settings_.self;
  votes_.clear();
  campaign_when_durable_ = false;
  fetching_.reset(); // all a checkpoint could bring is in this log
  round_ = 0;
  peers_.clear();
  sync_peers(true);
  // Nothing of older terms may be committed by counting, so the term gets an entry of its own at once
  // (thesis 6.4, 3.6.2).
  term_start_ = log_.last_index() + 1;
  members_due_ = true;
  // The very first leader writes down the bootstrap membership instead: whoever joins later knows it from the log
  // alone.
  if (configs_.latest_index() == 0)
    append({term_start_, term_, entry_kind::members, nullptr, std::make_shared<const membership>(members())});
  else
    append({term_start_, term_, entry_kind::noop, nullptr, nullptr});
  heartbeat_at_ = next_beat();
}

void core::impl::become_follower(log_term term, node_id new_leader) {
  if (role_ == role::leader) {
    refuse_reads();
    peers_.clear();
    transfer_.reset();
    target_.reset();
    reset_election_timer();
  } else if (term != term_ || new_leader != leader_)
    refuse_reads();
  if (term != term_) {
    term_ = term;
    vote_ = {};
    heard_leader_.reset();
    persist_state();
  } else if (bug(planted_bug::forgets_vote)) {
    vote_ = {};
    persist_state();
  }
  role_ = role::follower;
  leader_ = new_leader;
  votes_.clear();
  campaign_when_durable_ = false;
}

/// A higher term anywhere makes a follower (thesis 3.3).
bool core::impl::heed_term(log_term term) {
  if (term <= term_)
    return false;
  become_follower(term, {});
  return true;
}

void core::impl::reset_election_timer() {
  election_at_ = now_ + dice_.between(timeout_min_, timeout_max_);
}

} // namespace sluice::raft
