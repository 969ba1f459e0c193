#include "cluster/raft/core.hpp"

#include "cluster/raft/impl.hpp"
#include "cluster/raft/validate.hpp"
#include "core/hash.hpp"

#include <algorithm>

namespace sluice::raft {

std::uint64_t dice::next() {
  state_ += 0x9E3779B97F4A7C15ull;
  auto z = state_;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

host_clock::duration dice::between(host_clock::duration low, host_clock::duration high) {
  auto span = std::max<host_clock::rep>((high - low).count(), 0) + 1;
  return low + host_clock::duration{static_cast<host_clock::rep>(next() % static_cast<std::uint64_t>(span))};
}

namespace {

/// A limit of nothing would stand still; below one of each there is no configuration to speak of.
config usable(config c) {
  c.heartbeat = std::max(c.heartbeat, milliseconds{1});
  c.election_timeout_min = std::max(c.election_timeout_min, c.heartbeat);
  c.election_timeout_max = std::max(c.election_timeout_max, c.election_timeout_min);
  for (auto* limit : {&c.append_bytes_max, &c.in_flight_requests_max, &c.in_flight_bytes_max,
                      &c.uncommitted_entries_max, &c.committed_entries_max, &c.committed_bytes_max})
    *limit = std::max<std::size_t>(*limit, 1);
  return c;
}

} // namespace

core::impl::impl(const config& settings)
    : settings_{usable(settings)}, heartbeat_every_{settings_.heartbeat}, timeout_min_{settings_.election_timeout_min},
      timeout_max_{settings_.election_timeout_max}, dice_{mix(settings.seed) ^ settings.self.value},
      log_{settings.cached_bytes_max} {}

// ---- one call ------------------------------------------------------------------------------------------------------

namespace {

/// How much of the outputs was there before this call.
struct output_mark {
  std::size_t writes, sends, committed, proposals, reads, roles, fetches, loads;

  explicit output_mark(const outputs& o)
      : writes{o.writes.size()}, sends{o.sends.size()}, committed{o.committed.size()}, proposals{o.proposals.size()},
        reads{o.reads.size()}, roles{o.roles.size()}, fetches{o.fetches.size()}, loads{o.loads.size()} {}

  template <class T>
  static void cut(std::vector<T>& v, std::size_t n) {
    v.erase(v.begin() + static_cast<std::ptrdiff_t>(n), v.end());
  }

  void roll_back(outputs& o) const {
    cut(o.writes, writes);
    cut(o.sends, sends);
    cut(o.committed, committed);
    cut(o.proposals, proposals);
    cut(o.reads, reads);
    cut(o.roles, roles);
    cut(o.fetches, fetches);
    cut(o.loads, loads);
  }
};

} // namespace

void core::impl::handle(host_time now, input in, outputs& out) {
  if (dead_)
    return;
  now_ = std::max(now_, now);
  out_ = &out;
  output_mark before{out};
  if (started_ || std::holds_alternative<start>(in))
    std::visit([this](auto& i) { on(i); }, in);
  else
    ++dropped_;
  if (started_ && !dead_)
    settle();
  // Nothing leaves a replica whose invariants are broken, not even what looked right a moment before.
  if (dead_)
    before.roll_back(out);
  out_ = nullptr;
}

/// Every consequence of what the input changed, once.
void core::impl::settle() {
  run_timers();
  if (role_ == role::leader) {
    advance_commit();
    change_members();
    carry_out_transfer();
    serve_reads();
    feed_all();
  }
  apply();
  rejoin();
  flush_write();
  announce_role();
  arm_timer();
}

void core::impl::on(tick&) {
  armed_.reset(); // the host's timer is spent
}

void core::impl::on(received& in) {
  if (!in.from || in.from == settings_.self || !sane(in.body) || !fresh(in)) {
    ++dropped_;
    return;
  }
  std::visit([this, &in](auto& m) { on(in.from, m); }, in.body);
}

/// False for a message of an earlier process of the sender. A new process may have lost what the old one had made
/// durable, so a leader forgets what it knew about that log.
bool core::impl::fresh(const received& in) {
  constexpr std::size_t senders_max = 1024; // strangers must not fill the memory
  if (incarnations_.size() >= senders_max)
    std::erase_if(incarnations_, [this](auto& seen) {
      return !members().voters.contains(seen.first) && !members().learners.contains(seen.first);
    });
  auto& seen = incarnations_[in.from];
  if (in.incarnation < seen)
    return false;
  auto restarted = seen != 0 && in.incarnation > seen;
  seen = in.incarnation;
  auto* p = restarted ? find_peer(in.from) : nullptr;
  if (p)
    p->restarted();
  return true;
}

void core::impl::on(propose& in) {
  if (role_ != role::leader)
    return answer(in.id, refusal::not_leader);
  if (!in.payload) {
    ++dropped_;
    return answer(in.id, refusal::invalid);
  }
  if (transfer_)
    return answer(in.id, refusal::transferring); // thesis 3.10: the successor has to catch up with a standing target
  // The tail counts from what was handed out, not from the commit index: a leader whose own disk lags behind the
  // majority would otherwise gather entries without bound. A payload over the limit is let through alone.
  auto tail = log_.last_index() - log_.applied_index();
  auto bytes = log_.unapplied_bytes();
  if (tail >= settings_.uncommitted_entries_max ||
      (bytes > 0 && bytes + in.payload->size() > settings_.uncommitted_bytes_max))
    return answer(in.id, refusal::overloaded);
  auto index = log_.last_index() + 1;
  append({index, term_, entry_kind::commands, std::move(in.payload), nullptr});
  answer(in.id, refusal::none, index);
}

void core::impl::on(written& in) {
  if (!writes_.confirmed(in.write_id)) {
    ++dropped_;
    return;
  }
  if (installing_ && install_write_ <= in.write_id)
    installing_ = false; // the host's state is the checkpoint's now
  if (campaign_when_durable_ && writes_.durable_index() == log_.last_index()) {
    campaign_when_durable_ = false;
    if (campaign_asked_)
      campaign(true);
    else
      pre_vote();
  }
}

void core::impl::on(peer_down& in) {
  // Only a hint: the wait becomes short, but the pre-vote still has to find a majority that lost the leader as well.
  if (role_ != role::follower || !leader_ || in.node != leader_)
    return;
  heard_leader_.reset();
  leader_ = {};
  election_at_ = std::min(election_at_, now_ + dice_.between(milliseconds{10}, milliseconds{50}));
}

// ---- start ---------------------------------------------------------------------------------------------------------

void core::impl::on(start& in) {
  if (started_) {
    ++dropped_;
    return;
  }
  started_ = true;
  if (!well_formed(in))
    return;
  term_ = in.durable.term;
  vote_ = in.durable.vote;
  configs_.reset(0, std::move(in.bootstrap));
  if (in.snapshot) {
    snapshot_ = std::move(in.snapshot);
    log_.reset(snapshot_->index, snapshot_->term);
    configs_.reset(snapshot_->index, snapshot_->members);
    commit_ = snapshot_->index; // a checkpoint holds committed entries only
  }
  load_log(in);
  writes_.reset(log_.last_index());
  rejoining_ = (in.durable.rejoining || !in.may_vote) && !bug(planted_bug::wiped_node_votes);
  if (rejoining_ && !in.durable.rejoining)
    persist_state(); // it stays so over any number of restarts
  reset_election_timer();
  // A single voter has nobody to wait for (thesis 3.4 with a majority of one).
  if (may_campaign() && members().voters.size() == 1 && is_voter(settings_.self))
    campaign(false);
}

bool core::impl::well_formed(const start& in) {
  auto place = in.snapshot ? in.snapshot->index : 0;
  auto term = log_term{0};
  auto previous = log_index{0};
  for (auto& e : in.log) {
    if (e.index == 0 || e.term == 0 || e.term < term || !sane(e) || (previous != 0 && e.index != previous + 1))
      return fail("the stored log is damaged at index " + std::to_string(previous + 1)), false;
    if (in.snapshot && e.index == place && e.term != in.snapshot->term)
      return fail("the stored log contradicts its checkpoint at index " + std::to_string(place)), false;
    term = e.term;
    previous = e.index;
  }
  if (!in.log.empty() && in.log.front().index > place + 1)
    return fail("the stored log begins after its checkpoint, at index " + std::to_string(in.log.front().index)), false;
  if (term > in.durable.term || (in.snapshot && in.snapshot->term > in.durable.term))
    return fail("the stored term is lower than that of the stored log"), false;
  if (in.snapshot && (in.snapshot->index == 0 || !sane(in.snapshot->members)))
    return fail("the stored checkpoint has no index or no members"), false;
  if (!in.bootstrap.voters.empty() && !sane(in.bootstrap))
    return fail("the bootstrap membership names a node twice"), false;
  return true;
}

/// The log may reach below the checkpoint: a tail kept for followers. Its first entry then only marks the place before.
void core::impl::load_log(start& in) {
  if (in.log.empty())
    return;
  auto checkpoint = log_.last_index();
  if (in.log.back().index < checkpoint) {
    staged().drop_below = checkpoint + 1;
    return;
  }
  auto next = in.log.begin();
  if (next->index <= checkpoint) {
    if (next->index == 1)
      log_.reset(0, 0);
    else {
      log_.reset(next->index, next->term);
      ++next;
    }
  }
  for (; next != in.log.end(); ++next) {
    if (next->kind == entry_kind::members && next->index > checkpoint)
      configs_.append(next->index, next->members);
    log_.append(std::move(*next));
  }
  log_.applied_to(checkpoint);
}

// ---- outputs -------------------------------------------------------------------------------------------------------

raft::write& core::impl::staged() {
  any_staged_ = true;
  return staged_;
}

void core::impl::flush_write() {
  if (!any_staged_)
    return;
  staged_.id = writes_.next_id();
  writes_.issued(log_.last_index(), now_);
  out_->writes.push_back(std::move(staged_));
  staged_ = {};
  any_staged_ = false;
}

void core::impl::persist_state() {
  staged().state = hard_state{term_, vote_, rejoining_};
  state_write_ = writes_.next_id();
}

/// No message leaves before the term and vote it speaks for are durable (thesis 3.8).
void core::impl::post(node_id to, message m, std::uint64_t after) {
  after = std::max(after, state_write_);
  if (bug(planted_bug::vote_reply_early) && std::holds_alternative<vote_reply>(m))
    after = 0;
  if (bug(planted_bug::campaign_unpersisted) && std::holds_alternative<vote_request>(m))
    after = 0;
  if (bug(planted_bug::ack_early) && std::holds_alternative<append_reply>(m))
    after = 0;
  out_->sends.push_back({to, std::move(m), after <= writes_.done_id() ? 0 : after});
}

void core::impl::answer(std::uint64_t id, refusal why, log_index index) {
  out_->proposals.push_back({id, why, index, why == refusal::none ? term_ : 0});
}

void core::impl::announce_role() {
  if (role_ == announced_.role && term_ == announced_.term && leader_ == announced_.leader)
    return;
  announced_ = {role_, term_, leader_};
  out_->roles.push_back(announced_);
}

void core::impl::fail(std::string why) {
  if (dead_)
    return;
  dead_ = true;
  out_->fatal = std::move(why);
}

// ---- time ----------------------------------------------------------------------------------------------------------

void core::impl::run_timers() {
  if (role_ == role::leader) {
    if (!peers_.empty() && now_ >= heartbeat_at_) {
      if (transfer_ && now_ >= transfer_->until)
        transfer_.reset();
      check_quorum();
      leave_slow_disk();
      heartbeat();
    }
    return;
  }
  while (!asked_reads_.empty() && asked_reads_.begin()->second.until <= now_) {
    auto& asked = asked_reads_.begin()->second;
    if (!asked.for_rejoin)
      out_->reads.push_back({asked.id, 0});
    asked_reads_.erase(asked_reads_.begin());
  }
  if (now_ >= election_at_)
    election_timeout();
  else if (role_ != role::follower && now_ >= ask_again_at_)
    ask_for_votes();
}

void core::impl::arm_timer() {
  std::optional<host_time> next;
  auto sooner = [&next](host_time t) { next = next ? std::min(*next, t) : t; };
  if (role_ == role::leader) {
    if (!peers_.empty())
      sooner(heartbeat_at_);
  } else {
    if (leader_ || may_campaign())
      sooner(election_at_);
    if (role_ != role::follower)
      sooner(ask_again_at_);
    if (!asked_reads_.empty())
      sooner(asked_reads_.begin()->second.until);
  }
  if (!installing_ && log_.applied_index() < std::min(commit_, writes_.durable_index()))
    sooner(now_); // more to hand out than one call may
  if (!next)
    return;
  // A deadline that moved away is armed again when the old one rings: most of them move with every message.
  if (armed_ && now_ < *armed_ && *armed_ <= *next)
    return;
  armed_ = next;
  out_->timer = next;
}

// ---- figures -------------------------------------------------------------------------------------------------------

raft::status core::impl::status() const {
  raft::status s;
  s.role = role_;
  s.term = term_;
  s.leader = leader_;
  s.first_index = log_.base_index() + 1;
  s.last_index = log_.last_index();
  s.durable_index = writes_.durable_index();
  s.commit_index = commit_;
  s.snapshot_index = snapshot_ ? snapshot_->index : 0;
  s.members = members();
  s.members_index = configs_.latest_index();
  s.members_term = log_.term_at(s.members_index);
  for (auto& p : peers_)
    s.peers.push_back({p.node, p.match, !is_voter(p.node), p.state == flow::snapshot});
  s.dropped_messages = dropped_;
  s.rejoining = rejoining_;
  return s;
}

// ---- the public face -----------------------------------------------------------------------------------------------

core::core(const config& settings) : impl_{std::make_unique<impl>(settings)} {}

core::~core() = default;
core::core(core&&) noexcept = default;
core& core::operator=(core&&) noexcept = default;

void core::handle(host_time now, input in, outputs& out) {
  impl_->handle(now, std::move(in), out);
}

raft::status core::status() const {
  return impl_->status();
}

bool core::is_leader() const {
  return impl_->role() == role::leader;
}

log_term core::term() const {
  return impl_->term();
}

node_id core::leader() const {
  return impl_->leader();
}

log_index core::commit_index() const {
  return impl_->commit_index();
}

log_index core::durable_index() const {
  return impl_->durable_index();
}

log_index core::last_index() const {
  return impl_->last_index();
}

const membership& core::members() const {
  return impl_->configs().latest();
}

const membership& core::members_at(log_index index) const {
  return impl_->configs().at(index);
}

} // namespace sluice::raft
