// Leadership goes to another replica without an election timeout (thesis 3.10).
#include "cluster/raft/impl.hpp"

namespace sluice::raft {

void core::impl::on(raft::transfer& in) {
  if (role_ != role::leader)
    return answer(in.id, refusal::not_leader);
  if (transfer_)
    return answer(in.id, refusal::transferring);
  if (in.to == settings_.self)
    return answer(in.id, refusal::none);
  auto to = in.to ? in.to : best_successor(nullptr);
  auto* p = to ? find_peer(to) : nullptr;
  if (!p || !is_voter(to) || !p->counts() || !recently_heard(to))
    return answer(in.id, refusal::invalid);
  start_transfer(to);
  answer(in.id, refusal::none);
}

/// The voter that has most of the log, among those that answer.
node_id core::impl::best_successor(const membership* among) const {
  const progress* best = nullptr;
  for (auto& p : peers_) {
    auto eligible = is_voter(p.node) && recently_heard(p.node) && (!among || among->voters.contains(p.node));
    if (eligible && (!best || p.match > best->match))
      best = &p;
  }
  return best ? best->node : node_id{};
}

void core::impl::start_transfer(node_id to) {
  transfer_ = transfer_state{to, now_ + timeout_max_};
}

/// No proposals are taken meanwhile, so the successor catches up; then it need not wait for its timer. If it does not
/// take over within an election timeout, we go on (run_timers).
void core::impl::carry_out_transfer() {
  if (!transfer_ || transfer_->asked || role_ != role::leader)
    return;
  auto* p = find_peer(transfer_->to);
  if (!p)
    return transfer_.reset();
  if (p->match < log_.last_index())
    return;
  transfer_->asked = true;
  post(p->node, timeout_now{term_});
}

/// A leader whose disk hangs can not answer its clients, though the others commit without it. Who has more on disk than
/// we have takes over; if all disks hang, nobody has, or nobody catches up in time.
void core::impl::leave_slow_disk() {
  if (role_ != role::leader || transfer_ || now_ < resign_at_ || writes_.waiting(now_) < 2 * timeout_max_)
    return;
  auto to = best_successor(nullptr);
  if (!to || find_peer(to)->match <= writes_.durable_index())
    return;
  resign_at_ = now_ + 4 * timeout_max_;
  start_transfer(to);
}

void core::impl::on(node_id from, timeout_now& m) {
  if (m.term != term_ || role_ != role::follower || leader_ != from || !may_campaign())
    return;
  campaign(true);
}

} // namespace sluice::raft
