#include "replica.hpp"

#include "raft_bytes.hpp"
#include "sim_cluster.hpp"
#include "sim_node.hpp"

#include "cluster/partition/activation.hpp"
#include "cluster/partition/wire.hpp"
#include "cluster/wire.hpp"
#include "core/overloaded.hpp"
#include "core/planted.hpp"

#include <algorithm>

namespace sluice::simulation {

replica::replica(scene& run, sim_node& node, partition_id id) : run_{run}, node_{node}, id_{id} {}

void replica::start(const storage::recovered& found, const raft::membership& bootstrap, bool may_vote) {
  node_.all_checkers().replay.recovered(id_, found);
  partition::slot_table slots{id_, {}};
  if (proto::PartitionRecord p; found.checkpoint && p.ParseFromString(found.checkpoint->record))
    slots.restore(p);
  read_digests(slots);
  reached_ = found.checkpoint ? found.checkpoint->index : 0;
  core_ = std::make_unique<partition::core>(node_.config_of(id_));
  auto begin = to_start(found, bootstrap);
  begin.consensus.may_vote = may_vote;
  for (const auto& e : begin.consensus.log)
    log_[e.index] = e;
  handle(std::move(begin));
}

/// What the disk keeps as a checkpoint must be what was true at its index. Of an event that is coming, it may be a part.
void replica::read_digests(const partition::slot_table& slots) {
  digest_ = {};
  for (const auto& of : node_.disk().stored_entities(id_)) {
    const auto* s = slots.find(of.event);
    if (s != nullptr && s->where == partition::slot_state::stage::arriving)
      continue;
    auto pieces = node_.disk().peek(id_, of);
    if (!pieces.empty())
      digest_.set(of, digest_of(of, *actors::make_entity(of, pieces)));
  }
}

void replica::written(std::uint64_t write) {
  std::deque<raft::send> waiting;
  for (auto& s : std::exchange(held_, {}))
    if (s.after <= write)
      post(s);
    else
      waiting.push_back(std::move(s));
  held_ = std::move(waiting);
  handle(partition::written{write});
}

void replica::installed() {
  if (core_->applied() == 0)
    return; // it has given up what it had
  read_digests(core_->slots());
  run_.untrue.erase({node_.id(), id_});
  reached_ = core_->applied();
  bool is_due = reached_ % run_.settings.digest_every == 0;
  node_.all_checkers().replay.reached(id_, reached_, core_->state_hash(), is_due ? &digest_ : nullptr);
}

void replica::handle(partition::input in) {
  if (std::holds_alternative<partition::tick>(in)) {
    ticks_ = stood_still_at_ == run_.time.now() ? ticks_ + 1 : 0;
    stood_still_at_ = run_.time.now();
    if (ticks_ > 1'000)
      return run_.fail("host", "partition " + std::to_string(id_.value) + " sets its timer to now, over and over");
  }
  led_ = core_->leading();
  partition::outputs out;
  core_->handle(node_.reading(), std::move(in), out);
  check_notes(out);
  carry_out(out);
}

/// A few at a time, or a partition that can not keep up would only get more behind.
void replica::check_notes(const partition::outputs& out) {
  std::map<partition_id, std::size_t> notes;
  for (const auto& n : out.notes)
    if (n.what.note && ++notes[n.to] > run_.settings.cores.notes_under_way_max)
      return run_.fail("host", "partition " + std::to_string(id_.value) + " sends more than " +
                                   std::to_string(run_.settings.cores.notes_under_way_max) + " notes at once");
}

void replica::carry_out(partition::outputs& out) {
  if (node_.disk().dead())
    return; // the power went during this event: nothing leaves any more
  if (out.fatal && out.untrue && is_untrue()) {
    ++run_.counts[deed::found_untrue];
    return node_.forget(id_);
  }
  if (out.fatal || out.halted)
    return run_.fail(out.fatal ? "fatal" : "halted",
                     "node " + std::to_string(node_.id().value) + " " + (out.fatal ? *out.fatal : *out.halted));
  if (out.reset)
    reset();
  write(out);
  for (const auto& o : out.opened)
    open_slot(o); // and perhaps it is gone again
  tell_entities(out);
  for (const auto& f : out.feed)
    node_.all_checkers().feed(id_, f);
  if (core_->applied() > reached_)
    take_digest();
  tell_peers(out);
  tell_world(out);
  if (out.timer)
    set_timer(*out.timer);
}

bool replica::is_untrue() const {
  return run_.untrue.contains({node_.id(), id_});
}

/// Another state takes the place of theirs; what is in their mailboxes concerns nobody any more.
void replica::reset() {
  for (auto& [of, e] : entities_)
    e->ended = !is_planted(planted::keeps_old_entities);
  if (!is_planted(planted::keeps_old_entities))
    entities_.clear();
  touched_.clear();
  reached_ = core_->applied();
  if (reached_ > 0)
    return;
  ++run_.counts[deed::vacated];
  digest_ = {};
  if (run_.telling())
    run_.say("node " + std::to_string(node_.id().value) + " gives up partition " + std::to_string(id_.value));
}

/// The log as consensus has it, to know what was executed.
void replica::note_log(const raft::write& w) {
  if (w.install)
    log_.clear();
  if (w.truncate_from)
    log_.erase(log_.lower_bound(*w.truncate_from), log_.end());
  for (const auto& e : w.append)
    log_[e.index] = e;
}

void replica::write(partition::outputs& out) {
  for (const auto& b : out.begins) {
    ++run_.counts[deed::checkpoints];
    if (run_.telling())
      run_.say("node " + std::to_string(node_.id().value) + " partition " + std::to_string(id_.value) +
               " begins checkpoint " + std::to_string(b.checkpoint) + " at index " + std::to_string(b.index));
    storage::log_batch attempt;
    attempt.partition = id_;
    attempt.checkpoint_attempt = b.checkpoint;
    node_.writer().submit(std::move(attempt), 0);
  }
  for (auto& w : out.writes) {
    note_log(w.what);
    node_.writer().submit(to_batch(id_, w), w.what.id);
  }
  for (auto& p : out.pieces)
    node_.writer().put(id_, p.checkpoint, std::move(p.of), std::move(p.pieces));
  for (const auto& e : out.ends)
    node_.writer().end(id_, e.checkpoint);
  for (auto& f : out.feed)
    node_.writer().append_feed(id_, f.index, f.record);
}

/// The order matters, and is production's: who is woken for a question may be asked for its share at once; that is asked for
/// before anything newer is delivered, and before its entity ends.
void replica::tell_entities(partition::outputs& out) {
  for (auto& p : out.publishes)
    if (auto e = find(p.of, p.activate, p.record))
      post(e, [this, e, now = p.now] {
        if (!wake(*e))
          return;
        if (node_.all_checkers().follows({node_.id(), node_.incarnation()}, id_))
          for (const auto& published : e->shell->publish_all(now))
            node_.all_checkers().publish(actors::unbox(published));
        handle(partition::published{e->ref});
      });
  for (auto& a : out.asks)
    if (auto e = find(a.what.to, a.activate, a.record))
      post(e, [this, e, asked = std::move(a)]() mutable { ask(*e, asked); });
  for (auto& s : out.saves)
    if (auto e = find(s.of, partition::activation::none, {}))
      post(e, [this, e, s] { save(e, s); });
  for (auto& d : out.deliveries)
    if (auto e = find(d.to, d.activate, d.record))
      post(e, [this, e, delivery = std::move(d)] { deliver(*e, delivery); });
  for (auto event : out.forgotten) {
    std::erase_if(entities_, [&](const auto& known) { return known.first.event == event; });
    std::erase_if(touched_, [&](const auto& of) { return of.event == event; });
    digest_.erase_group(event);
  }
}

replica::entity_pointer replica::find(const entity_ref& of, partition::activation activate,
                                      partition::kept_pieces record) {
  auto known = entities_.find(of);
  if ((known == entities_.end()) != (activate != partition::activation::none)) {
    run_.fail("host", to_string(of) + (known == entities_.end() ? " is not active, but was not to be activated"
                                                                : " is active, but was to be activated"));
    return nullptr;
  }
  if (known != entities_.end())
    return known->second;
  auto made = std::make_shared<entity>();
  made->ref = of;
  made->activate = activate;
  made->record = std::move(record);
  return entities_.emplace(of, std::move(made)).first->second;
}

/// One mailbox: in order, one at a time, sometime.
template <class What>
void replica::post(const entity_pointer& to, What what) {
  auto at = std::max(run_.time.now() + run_.dice.between(0, run_.settings.step_delay), to->busy_until + 1);
  to->busy_until = at;
  node_.clock().after(at - run_.time.now(), [to, doing = std::move(what)]() mutable {
    if (!to->ended)
      doing();
  });
}

bool replica::wake(entity& e) {
  if (e.shell)
    return true;
  auto pieces = partition::pieces_of(e.activate, e.record, [&] { return node_.disk().load(id_, e.ref); });
  if (node_.disk().dead())
    return false;
  e.shell = actors::make_entity(e.ref, pieces, e.activate == partition::activation::adopted);
  if (run_.telling())
    run_.say("wake " + to_string(e.ref) +
             (!e.record.empty() ? " from its record" : " from " + std::to_string(pieces.size()) + " pieces"));
  if (auto hash = digest_of(e.ref, *e.shell); hash != digest_.of(e.ref))
    run_.fail("activation", to_string(e.ref) + " woke up with another state than it went to sleep with");
  return true;
}

void replica::deliver(entity& e, const partition::delivery& d) {
  if (!wake(e))
    return;
  if (executing_ != d.index)
    stamps_.clear();
  executing_ = d.index;
  stamps_[e.ref.event] = {id_, d.as_of, d.now.log, d.now.wall};
  if (!core_->slots().is_shifted(e.ref.event)) // else it has a clock of its own
    node_.all_checkers().replay.stamped(id_, d.index, d.now);
  auto done = e.shell->deliver(d);
  touched_.insert(e.ref);
  handle(std::move(done));
}

void replica::save(const entity_pointer& e, const partition::save_request& s) {
  if (!wake(*e))
    return;
  partition::saved saved{s.of, s.checkpoint, s.passivate, e->shell->save()};
  if (run_.telling())
    run_.say("save " + to_string(s.of) + " for checkpoint " + std::to_string(s.checkpoint) +
             (s.passivate ? ", it goes to sleep" : ""));
  if (s.passivate) {
    ++run_.counts[deed::passivated];
    if (touched_.erase(e->ref) > 0)
      digest_.set(e->ref, digest_of(e->ref, *e->shell));
    auto known = entities_.find(s.of);
    if (known != entities_.end() && known->second == e)
      entities_.erase(known);
  }
  handle(std::move(saved));
}

void replica::ask(entity& e, partition::ask& a) {
  if (!wake(e))
    return;
  entry_stamps stamps{{e.ref.event, {id_, a.as_of, a.now.log, a.now.wall}}};
  node_.answer(id_, a.index, stamps, {{a.what.from, a.as_of, e.shell->ask(a.now, a.what.body)}}, true);
}

/// Right after an entry and before the next one reaches any entity: all of them are as of `applied`.
void replica::take_digest() {
  auto index = core_->applied();
  close_slots();
  auto& all_checkers = node_.all_checkers();
  for (auto i = reached_ + 1; i <= index; ++i) {
    auto e = log_.find(i);
    if (e == log_.end())
      return run_.fail("host", "partition " + std::to_string(id_.value) + " executed index " + std::to_string(i) +
                                   ", which was never written");
    all_checkers.replay.executed(id_, e->second);
    if (!e->second.members)
      continue;
    all_checkers.cluster.changed(id_, i, *e->second.members);
    auto rejoins = core_->status().consensus.rejoining;
    run_.counts[deed::readmitted] += was_rejoining_ && !rejoins ? 1 : 0;
    was_rejoining_ = rejoins;
  }
  log_.erase(log_.begin(), log_.upper_bound(index));
  reached_ = index;
  const digest* all = nullptr;
  if (index % run_.settings.digest_every == 0) {
    for (const auto& of : std::exchange(touched_, {}))
      if (auto known = entities_.find(of); known != entities_.end() && known->second->shell)
        digest_.set(of, digest_of(of, *known->second->shell));
    all = &digest_;
  }
  run_.time.note(core_->state_hash());
  if (!is_untrue())
    all_checkers.replay.reached(id_, index, core_->state_hash(), all);
  if (core_->leading())
    all_checkers.follow({node_.id(), node_.incarnation()}, id_, index);
}

/// What leaves is as it is here, whoever reads it; and so it must be where it comes to.
void replica::close_slots() {
  for (const auto& [slot, s] : core_->slots().all()) {
    if (s.where != partition::slot_state::stage::leaving || is_untrue() ||
        node_.all_checkers().replay.as_fenced(slot, id_, s.fenced) != nullptr)
      continue;
    std::map<entity_ref, std::uint64_t> all;
    for (const auto& of : touched_)
      if (auto known = entities_.find(of);
          known != entities_.end() && known->second->shell && slot_of(of.event) == slot)
        digest_.set(of, digest_of(of, *known->second->shell));
    for (const auto& [of, value] : digest_.values())
      if (of.event && slot_of(of.event) == slot)
        all.emplace(of, value);
    node_.all_checkers().replay.fenced(slot, id_, s.fenced, std::move(all));
  }
}

void replica::open_slot(const partition::slot_opened& o) {
  ++run_.counts[deed::slots_opened];
  const auto* all = node_.all_checkers().replay.as_fenced(o.slot, o.from, o.fenced);
  if (all == nullptr)
    return run_.fail("host", "slot " + std::to_string(o.slot.value) + " is open before anybody closed it");
  for (const auto& [of, value] : *all)
    digest_.set(of, value);
}

void replica::tell_peers(partition::outputs& out) {
  for (auto& s : out.sends)
    if (s.after == 0 || is_planted(planted::sends_early))
      post(s);
    else
      held_.push_back(std::move(s));
  for (const auto& l : out.loads)
    node_.clock().after(run_.dice.between(10, 3 * ms), [this, l] { load(l); });
  for (const auto& f : out.fetches)
    node_.fetches().begin(id_, f);
  for (const auto& role : out.roles)
    node_.role_changed(id_, role);
  if (out.leading_ended)
    node_.leading_ended(id_);
  if (out.leading_began)
    node_.leading_began(id_, core_->status().consensus.term);
  for (const auto& h : out.hashes) {
    auto members = core_->status().consensus.members;
    members.voters.merge(members.learners);
    for (auto member : members.voters)
      if (member != node_.id())
        node_.send(member, hash_parcel{id_, h});
  }
}

void replica::post(const raft::send& s) {
  node_.send(s.to, raft_parcel{id_, wire::encode_raft(s.body)});
}

void replica::load(const raft::load& wanted) {
  raft::loaded loaded{wanted.id, {}};
  for (const auto& e : node_.disk().read_log(id_, wanted.first, wanted.last, wanted.max_bytes))
    loaded.entries.push_back(to_entry(e));
  handle(partition::loaded{std::move(loaded)});
}

void replica::tell_world(partition::outputs& out) {
  auto& all = node_.all_checkers();
  bool leaves = !out.answers.empty() || !out.publications.empty() || !out.effects.empty() || !out.notes.empty();
  if (leaves && !led_ && !core_->leading())
    return run_.fail("host", "partition " + std::to_string(id_.value) + " acts at node " +
                                 std::to_string(node_.id().value) + ", which does not lead");
  if (leaves)
    all.replay.promised(id_, core_->applied());
  if (!out.publications.empty() && all.follows({node_.id(), node_.incarnation()}, id_))
    all.published(stamps_, out.publications);
  node_.answer(id_, executing_, stamps_, out.answers, false);
  for (const auto& r : out.refusals)
    node_.refuse(id_, r);
  for (auto event : out.left)
    node_.leaves(id_, event);
  for (const auto& home : out.homes)
    node_.learn(home);
  for (const auto& p : out.pulls)
    node_.pull_slot(id_, p);
  for (const auto& e : out.effects)
    node_.charge(id_, e);
  for (auto& n : out.notes)
    node_.send_note(n.to, std::move(n.what));
}

/// One event in the agenda at a time, unless a timer is set to ring earlier: most are moved before they ring.
void replica::set_timer(host_time at) {
  rings_at_ = run_.time.now() + node_.until(at);
  if (*rings_at_ < armed_for_)
    arm();
}

void replica::arm() {
  armed_for_ = *rings_at_;
  node_.clock().after(armed_for_ - run_.time.now(), [this, timer = ++timer_] {
    if (timer != timer_)
      return; // another one rang earlier
    armed_for_ = never;
    if (!rings_at_)
      return;
    if (*rings_at_ > run_.time.now())
      return arm();
    rings_at_.reset();
    handle(partition::tick{});
  });
}

} // namespace sluice::simulation
