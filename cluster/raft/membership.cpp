// One server at a time (thesis 4.1-4.2), towards a declared target: learners are added, caught up, promoted; voters are
// removed when their replacement votes. With the correction of 2015: no change before an entry of the own term is
// committed, or two leaders could each commit a different first change with majorities that do not meet.
#include "cluster/raft/impl.hpp"
#include "cluster/raft/validate.hpp"

#include <algorithm>

namespace sluice::raft {

void core::impl::on(reconfigure& in) {
  if (role_ != role::leader)
    return answer(in.id, refusal::not_leader);
  if (!sane(in.target)) {
    ++dropped_;
    return answer(in.id, refusal::invalid);
  }
  // A new target replaces the old one: an administrator must be able to give up on a node that never catches up.
  target_ = std::move(in.target);
  members_due_ = true;
  answer(in.id, refusal::none);
}

bool core::impl::may_change_members() const {
  if (role_ != role::leader || transfer_)
    return false;
  if (!own_term_committed() && !bug(planted_bug::change_before_own_commit))
    return false;
  return configs_.latest_index() <= commit_ || bug(planted_bug::change_before_previous);
}

/// Looked at with every heartbeat, and when a commit allows the next step: the way of a proposal stays short.
void core::impl::change_members() {
  if (!members_due_ || role_ != role::leader)
    return;
  members_due_ = false;
  // A voter that lost its log comes back as a learner first, also without an administrator.
  if (!target_ &&
      std::any_of(peers_.begin(), peers_.end(), [this](auto& p) { return p.lost_its_log() && is_voter(p.node); }))
    target_ = members();
  if (!may_change_members())
    return;
  auto outside = !is_voter(settings_.self);
  if (!target_ && !outside)
    return;
  auto next = target_ ? next_step() : std::nullopt;
  if (next && bug(planted_bug::changes_two_at_once))
    next = target_;
  if (next) {
    append({log_.last_index() + 1, term_, entry_kind::members, nullptr,
            std::make_shared<const membership>(std::move(*next))});
    sync_peers(false);
  } else if (outside || !target_->voters.contains(settings_.self)) {
    // All that is left is our own removal: another leader has to do it (thesis 4.2.2 and 3.10).
    auto to = now_ >= resign_at_ ? best_successor(target_ ? &*target_ : nullptr) : node_id{};
    if (!to)
      return;
    resign_at_ = now_ + 4 * timeout_max_;
    start_transfer(to);
  }
}

std::optional<membership> core::impl::next_step() const {
  auto& now = members();
  auto next = add_learner(now);
  if (!next)
    next = promote(now);
  if (!next)
    next = remove_voter(now);
  if (!next)
    next = remove_learner(now);
  return next;
}

/// Everybody starts as a learner: a new voter that still lacks the log would cost availability (thesis 4.2.1).
std::optional<membership> core::impl::add_learner(const membership& now) const {
  auto add = [&now](const std::set<node_id>& wanted) -> std::optional<membership> {
    for (auto n : wanted)
      if (!now.voters.contains(n) && !now.learners.contains(n)) {
        auto next = now;
        next.learners.insert(n);
        return next;
      }
    return std::nullopt;
  };
  auto next = add(target_->voters);
  return next ? next : add(target_->learners);
}

std::optional<membership> core::impl::promote(const membership& now) const {
  // While an old voter waits for its removal, that goes first: the size stays within one of the target's.
  auto surplus = std::any_of(now.voters.begin(), now.voters.end(),
                             [this](node_id v) { return v != settings_.self && !target_->voters.contains(v); });
  if (surplus && now.voters.size() > target_->voters.size())
    return std::nullopt;
  for (auto n : now.learners) {
    if (!target_->voters.contains(n) || !caught_up(n))
      continue;
    auto next = now;
    next.learners.erase(n);
    next.voters.insert(n);
    if (stays_alive(next))
      return next;
  }
  return std::nullopt;
}

std::optional<membership> core::impl::remove_voter(const membership& now) const {
  auto awaited = std::any_of(target_->voters.begin(), target_->voters.end(),
                             [&now](node_id v) { return !now.voters.contains(v); });
  auto removable = now.voters.size() > target_->voters.size() || !awaited;
  std::optional<membership> best;
  for (auto v : now.voters) {
    auto* p = find_peer(v);
    if (!p || (!p->lost_its_log() && (target_->voters.contains(v) || !removable)))
      continue; // never ourselves
    auto next = now;
    next.voters.erase(v);
    if (target_->learners.contains(v) || target_->voters.contains(v))
      next.learners.insert(v);
    if (!stays_alive(next))
      continue;
    if (!recently_heard(v))
      return next; // the dead first
    if (!best)
      best = std::move(next);
  }
  return best;
}

std::optional<membership> core::impl::remove_learner(const membership& now) const {
  for (auto n : now.learners)
    if (!target_->voters.contains(n) && !target_->learners.contains(n)) {
      auto next = now;
      next.learners.erase(n);
      return next;
    }
  return std::nullopt;
}

/// Close to the end of the log; and it has the entry that made it a learner, for who knows no members does not vote.
bool core::impl::caught_up(node_id n) const {
  auto* p = find_peer(n);
  return p && p->match >= configs_.latest_index() && p->state == flow::replicate && p->standing == standing::full &&
         now_ - p->heard <= timeout_max_ && p->match + settings_.promote_lag_max >= log_.last_index();
}

/// A configuration whose majority does not answer could never be left again: its own entry would not commit. While its majority
/// is far behind what is committed, nothing new would be: of three, the slow one would be waited for when the quick one goes.
bool core::impl::stays_alive(const membership& next) const {
  return majority_of(next, [this](node_id v) {
    auto* p = find_peer(v);
    auto is_close = v == settings_.self || (p && p->match + settings_.promote_lag_max >= commit_);
    return (recently_heard(v) && is_close) || (!is_voter(v) && caught_up(v));
  });
}

} // namespace sluice::raft
