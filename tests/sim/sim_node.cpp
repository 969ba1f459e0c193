#include "sim_node.hpp"

#include "sim_cluster.hpp"
#include "wording.hpp"

#include "actors/slot_source.hpp"
#include "cluster/wire.hpp"
#include "codec/message.hpp"
#include "codec/reply.hpp"
#include "storage/rejoin.hpp"

#include <algorithm>

namespace sluice::simulation {

sim_node::sim_node(scene& run, checkers& all, sim_provider& provider, sim_cluster& home, node_id id)
    : run_{run}, checkers_{all}, provider_{provider}, home_{home}, id_{id}, clock_{run, [this] { after_event(); }},
      disk_{run} {}

// ---- clocks ------------------------------------------------------------------------------------------------------------

partition::reading sim_node::reading() const {
  auto shown = host_offset_ + run_.time.now() * host_rate_ / 1'000;
  return {host_time{std::chrono::microseconds{shown}}, run_.wall(id_)};
}

micros sim_node::until(host_time at) const {
  auto wait = std::chrono::duration_cast<std::chrono::microseconds>(at - reading().host).count();
  return wait <= 0 ? 0 : wait * 1'000 / host_rate_ + (host_rate_ == 1'000 ? 0 : 1);
}

partition::config sim_node::config_of(partition_id partition) const {
  auto c = run_.settings.cores;
  c.partition = partition;
  c.consensus.self = id_;
  c.consensus.seed = mix((incarnation_ * 64 + partition.value) * 64 + id_.value);
  c.incarnation = incarnation_;
  c.place = [&places = home_.places()](event_number event) { return places.of_event(event); };
  c.pulse = codec::encode(domain::message{domain::pulse{}});
  return c;
}

// ---- life and death ----------------------------------------------------------------------------------------------------

void sim_node::boot() {
  up_ = true;
  clock_.next_life();
  ++incarnation_;
  ++run_.counts[deed::restarts];
  host_offset_ = run_.dice.between(0, 1'000) * second;
  host_rate_ = 1'000 + run_.dice.between(-run_.settings.drift_permille, run_.settings.drift_permille);
  if (host_rate_ != 1'000)
    ++run_.counts[fault::clock_drift];
  if (run_.telling())
    run_.say("node " + std::to_string(id_.value) + " boots, incarnation " + std::to_string(incarnation_));
  writer_ = std::make_unique<disk_writer>(
      run_, clock_, disk_, [this](const auto& d) { on_durable(d); },
      [this](partition_id partition, std::uint64_t checkpoint) {
        if (!fetcher_->flushed(partition, checkpoint))
          replicas_.at(partition)->handle(partition::checkpoint_flushed{checkpoint});
      });
  desk_ = std::make_unique<payment_desk>(
      run_, clock_, provider_, [this](const entity_ref& session, const auto& outcome) { settle(session, outcome); });
  bridge_ = std::make_unique<bridge>(run_, *this);
  fetcher_ = std::make_unique<fetcher>(run_, *this);
  for (std::uint32_t p = 0; p < home_.places().partitions(); ++p)
    if (!has_founded_ ? home_.founders({p}).voters.contains(id_)
                      : home_.target({p}).voters.contains(id_) || checkers_.cluster.involves({p}, id_))
      host({p});
    else if (disk_.knows({p}) && run_.dice.coin())
      disk_.lose_all({p}); // what nobody needs any more is removed
  has_founded_ = true;
  after_event();
}

void sim_node::host(partition_id partition) {
  if (!up_ || replicas_.contains(partition))
    return;
  if (to_forget_.contains(partition)) {
    disk_.write({storage::forget_everything(partition, disk_.recover(partition))});
    if (!disk_.dead()) {
      to_forget_.erase(partition);
      run_.untrue.erase({id_, partition});
    }
  }
  auto& founders = home_.founders(partition);
  auto found = disk_.recover(partition);
  // Who joins later, or has forgotten everything, knows no members until the leader finds it.
  bool founds = founders.voters.contains(id_) && !disk_.was_lost(partition) && !storage::has_forgotten(found);
  auto bootstrap = founds ? founders : raft::membership{};
  auto& r = *replicas_.emplace(partition, std::make_unique<replica>(run_, *this, partition)).first->second;
  auto may_vote = !disk_.was_lost(partition) && !found.damage;
  if (found.damage)
    storage::cut_damage(disk_, partition, found);
  found.damage.reset();
  r.start(found, bootstrap, may_vote);
}

void sim_node::forget(partition_id partition) {
  to_forget_.insert(partition);
  run_.time.after(0, [this] { crash(); });
}

replica* sim_node::find(partition_id partition) {
  auto known = replicas_.find(partition);
  return known == replicas_.end() ? nullptr : known->second.get();
}

void sim_node::crash(std::optional<micros> down) {
  if (!up_)
    return;
  if (run_.telling())
    run_.say("node " + std::to_string(id_.value) + " dies");
  up_ = false;
  clock_.next_life();
  replicas_.clear();
  writer_.reset();
  desk_.reset();
  bridge_.reset(); // connections break; its clients will notice when they lose patience
  fetcher_.reset();
  disk_.power_on();
  home_.net().break_links(id_);
  auto wait = !run_.stormy ? 10 * ms : down ? *down : run_.dice.about(run_.settings.down_time);
  if (run_.stormy)
    wait = std::max(wait, disk_.full_until() - run_.time.now());
  run_.time.after(wait, [this, life = clock_.life()] {
    if (!up_ && !is_away_ && life == clock_.life())
      boot();
  });
}

void sim_node::come_back() {
  is_away_ = false;
  if (!up_)
    boot();
}

void sim_node::begin_crashing() {
  if (run_.settings.crash_every == 0)
    return;
  run_.time.after(run_.dice.about(run_.settings.crash_every * static_cast<micros>(home_.nodes().size())), [this] {
    if (!run_.stormy)
      return;
    if (up_) {
      ++run_.counts[fault::crash];
      crash();
    }
    begin_crashing();
  });
}

void sim_node::pause(micros until) {
  if (!up_ || clock_.paused())
    return;
  if (run_.telling())
    run_.say("node " + std::to_string(id_.value) + " freezes");
  ++run_.counts[fault::pause];
  clock_.pause();
  run_.time.at(until, [this, life = clock_.life()] {
    if (life != clock_.life())
      return;
    if (run_.telling())
      run_.say("node " + std::to_string(id_.value) + " goes on");
    clock_.resume();
  });
}

void sim_node::stop_cleanly(std::function<void()> stopped) {
  for (auto& [partition, r] : replicas_)
    r->handle(partition::checkpoint_now{});
  clock_.after(2 * second, [this, stopped] {
    run_.time.after(0, [this, stopped] {
      crash();
      stopped();
    });
  });
}

void sim_node::after_event() {
  if (disk_.dead())
    crash();
}

void sim_node::on_durable(const disk_writer::durable& d) {
  auto& r = *replicas_.at(d.partition);
  if (d.attempt != 0)
    writer_->begun(d.partition, d.attempt);
  if (d.installed)
    r.installed();
  bool log_first = run_.dice.coin();
  if (d.write_id != 0 && log_first)
    r.written(d.write_id);
  if (d.checkpoint != 0) {
    r.handle(partition::checkpoint_committed{d.checkpoint});
    writer_->in_force(d.partition);
  }
  if (d.write_id != 0 && !log_first)
    r.written(d.write_id);
}

// ---- commands and queries ----------------------------------------------------------------------------------------------

void sim_node::request(const entity_ref& to, std::shared_ptr<const domain::message> m, bool is_query,
                       std::function<void(const node_answer&)> done) {
  if (!up_)
    return;
  clock_.after(0, [this, to, m = std::move(m), is_query, done = std::move(done)]() mutable {
    bridge_->request(to, std::move(m), is_query, std::move(done));
  });
}

void sim_node::request_all(const entity_ref& to, std::vector<std::shared_ptr<const domain::message>> all,
                           burst_handler done) {
  if (!up_)
    return;
  clock_.after(0, [this, to, all = std::move(all), done = std::move(done)] { bridge_->request_all(to, all, done); });
}

void sim_node::propose(partition_id partition, std::vector<partition::proposal> all) {
  if (auto* r = find(partition))
    return r->handle(partition::propose{std::move(all)});
  for (const auto& p : all)
    if (p.from.node)
      refuse(partition, {p.from, errc::not_leader});
}

void sim_node::ask(partition_id partition, std::vector<partition::query> all) {
  if (auto* r = find(partition))
    return r->handle(partition::ask_all{std::move(all)});
  for (const auto& q : all)
    refuse(partition, {q.from, errc::not_leader});
}

void sim_node::answer(partition_id partition, log_index index, const entry_stamps& stamps,
                      const std::vector<partition::answer_out>& all, bool is_query) {
  std::map<node_id, answers_parcel> elsewhere;
  for (const auto& a : all) {
    const auto& reply = actors::unbox(a.body);
    checkers_.answers_leave(partition, index, stamps, {id_, incarnation_}, a.to, reply, is_query);
    if (a.to.node == id_)
      bridge_->answered(a.to, partition, a.index, std::make_shared<const domain::reply>(reply));
    else
      elsewhere[a.to.node].replies.push_back({a.to, a.index, codec::encode(reply)});
  }
  for (auto& [node, answers] : elsewhere) {
    answers.partition = partition;
    send(node, std::move(answers));
  }
}

void sim_node::refuse(partition_id by, const partition::refusal_out& refusal) {
  auto* r = find(by);
  auto hint = r != nullptr ? r->core().status().consensus.leader : node_id{};
  if (hint == id_ && refusal.why == errc::not_leader)
    hint = {}; // it will lead, but does not yet
  if (refusal.to.node != id_)
    return send(refusal.to.node, refusal_parcel{refusal, hint});
  bridge_->refused(refusal, hint);
}

// ---- between partitions, and to the provider ---------------------------------------------------------------------------

void sim_node::send_note(partition_id to, partition::proposal note) {
  const auto& plan = run_.settings;
  if (run_.strikes(fault::lost_note, plan.note_lost))
    return;
  auto copies = run_.strikes(fault::repeated_note, plan.note_repeated) ? 2 : 1;
  for (int copy = 0; copy < copies; ++copy) {
    auto takes = run_.dice.between(0, plan.note_time);
    if (copy > 0 && run_.dice.coin()) {
      takes = run_.dice.between(0, 8 * second);
    } else if (run_.strikes(fault::late_note, plan.note_late)) {
      takes = run_.dice.between(0, 4 * second);
    } else if (!run_.stormy || run_.dice.coin()) { // in order, as one connection has it
      takes = std::max(takes, notes_until_[to] + 1 - run_.time.now());
      notes_until_[to] = run_.time.now() + takes;
    }
    clock_.after(takes, [this, to, note] {
      auto leader = leader_of(to);
      if (run_.telling() && note.note)
        run_.say("node " + std::to_string(id_.value) + " note " + std::to_string(note.note->sequence) +
                 " of partition " + std::to_string(note.note->partition.value) + " to partition " +
                 std::to_string(to.value) + " at node " + std::to_string(leader.value));
      if (run_.telling() && note.ack)
        run_.say("node " + std::to_string(id_.value) + " has notes of partition " + std::to_string(to.value) +
                 " to partition " + std::to_string(note.ack->partition.value) + " up to " +
                 std::to_string(note.ack->sequence) + ", tells node " + std::to_string(leader.value));
      if (leader == id_)
        propose(to, {note});
      else
        send(leader, commands_parcel{to, {note}});
    });
  }
}

void sim_node::charge(partition_id partition, const partition::effect_out& effect) {
  auto c = codec::decode_charge(effect.body);
  if (!c)
    return run_.fail("host", "an effect that is no charge");
  clock_.after(run_.dice.between(0, 100),
               [this, partition, of = effect.of, charge = *c] { desk_->start(partition, of, charge); });
}

void sim_node::leaves(partition_id partition, event_number event) {
  checkers_.leaves(partition, event);
  clock_.after(101, [this, partition, event] { desk_->leave(partition, event); });
}

void sim_node::learn(const partition::slot_home& home) {
  bridge_->learn(home);
}

/// From whoever leads where it is, if that is known here; else from anybody: every replica has it, sooner or later.
void sim_node::pull_slot(partition_id to, const partition::slot_pull& what) {
  auto leader = leader_of(what.from);
  if (run_.telling())
    run_.say("node " + std::to_string(id_.value) + " partition " + std::to_string(to.value) + " pulls slot " +
             std::to_string(what.slot.value) + " of partition " + std::to_string(what.from.value) + " from node " +
             std::to_string(leader.value));
  send(leader, slot_request{to, what});
}

/// As far as anybody here knows; or somebody who may know.
node_id sim_node::leader_of(partition_id partition) {
  auto* own = find(partition);
  auto leader = own != nullptr ? own->core().status().consensus.leader : node_id{};
  if (!leader)
    leader = bridge_->leader_of(partition);
  if (!leader || (leader == id_ && own == nullptr)) { // it led once
    auto all = home_.candidates(partition);
    leader = run_.dice.one_of(all);
  }
  return leader;
}

void sim_node::on(node_id from, std::uint64_t, slot_request& p) {
  auto* r = find(p.what.from);
  auto image = r != nullptr ? disk_.pin(p.what.from, r->core().status().checkpoint) : nullptr;
  auto step = image ? actors::read_slot(*image, p.what, p.to, run_.settings.chunk_bytes) : std::string{};
  if (!disk_.dead())
    send(from, slot_parcel{p.to, {p.what.slot, p.what.fenced, p.what.position, std::move(step)}});
}

void sim_node::on(node_id, std::uint64_t, slot_parcel& p) {
  if (auto* r = find(p.to))
    r->handle(std::move(p.what));
}

void sim_node::leading_ended(partition_id partition) {
  clock_.after(101, [this, partition] { desk_->leave(partition); }); // behind what was begun before
}

/// To whoever leads by now, until it is taken: the next leader may not have begun the charge again.
void sim_node::settle(const entity_ref& session, const domain::charge_settled& outcome) {
  auto m = std::make_shared<const domain::message>(outcome);
  if (run_.telling())
    run_.say("node " + std::to_string(id_.value) + " desk: " + words_for(*m));
  bridge_->request(session, m, false, [this, session, outcome](const node_answer& a) {
    if (!a.reply && a.why != errc::event_unknown)
      clock_.after(50 * ms, [this, session, outcome] { settle(session, outcome); });
  });
  if (run_.strikes(fault::repeated_outcome, run_.settings.outcome_repeated))
    clock_.after(run_.dice.between(0, 5 * second),
                 [this, session, m] { bridge_->request(session, m, false, [](const node_answer&) {}); });
}

// ---- to and from other nodes -------------------------------------------------------------------------------------------

void sim_node::send(node_id to, parcel what) {
  home_.net().send(id_, to, std::move(what));
}

void sim_node::receive(node_id from, std::uint64_t incarnation, parcel what) {
  std::visit([&](auto& p) { on(from, incarnation, p); }, what);
}

void sim_node::lost_link(node_id to) {
  bridge_->lost_link(to);
  for (auto& [partition, r] : replicas_)
    r->handle(partition::peer_down{to});
}

void sim_node::role_changed(partition_id partition, const raft::role_changed& role) {
  if (role.role == raft::role::leader) {
    checkers_.cluster.leads(partition, role.term, id_);
    return; // leads once its own first entry is applied
  }
  bridge_->leads(partition, role.term, role.leader);
}

void sim_node::leading_began(partition_id partition, log_term term) {
  ++run_.counts[deed::led];
  bridge_->leads(partition, term, id_);
  for (auto& n : home_.nodes())
    if (n.id() != id_)
      send(n.id(), leads_parcel{partition, term, id_});
}

void sim_node::on(node_id from, std::uint64_t incarnation, raft_parcel& p) {
  auto* r = find(p.partition);
  if (r == nullptr)
    return;
  auto m = wire::decode_raft(p.bytes);
  if (!m)
    return run_.fail("codec", "a message between replicas does not parse");
  if (run_.telling())
    run_.say("node " + std::to_string(id_.value) + " hears from " + std::to_string(from.value) + " partition " +
             std::to_string(p.partition.value) + ": " + words_for(*m));
  r->handle(partition::received{{from, incarnation, std::move(*m)}});
}

void sim_node::on(node_id from, std::uint64_t, commands_parcel& p) {
  bool has_notes = std::any_of(p.all.begin(), p.all.end(), [](const auto& c) { return !c.from.node; });
  auto* r = find(p.partition);
  if (has_notes && (r == nullptr || !r->core().leading())) { // nobody is refused a note: say at least who leads
    auto s = r != nullptr ? r->core().status().consensus : raft::status{};
    send(from, leads_parcel{p.partition, s.term, s.leader == id_ ? node_id{} : s.leader});
  }
  propose(p.partition, std::move(p.all));
}

void sim_node::on(node_id, std::uint64_t, questions_parcel& p) {
  ask(p.partition, std::move(p.all));
}

void sim_node::on(node_id, std::uint64_t, answers_parcel& p) {
  for (const auto& item : p.replies) {
    auto reply = codec::decode_reply(item.reply);
    if (!reply)
      return run_.fail("codec", "a reply does not parse");
    bridge_->answered(item.to, p.partition, item.index, std::make_shared<const domain::reply>(std::move(*reply)));
  }
}

void sim_node::on(node_id, std::uint64_t, refusal_parcel& p) {
  bridge_->refused(p.what, p.leader);
}

void sim_node::on(node_id from, std::uint64_t, leads_parcel& p) {
  bridge_->leads(p.partition, p.term, p.leader);
  if (!p.leader)
    bridge_->leads_not(p.partition, from);
}

void sim_node::on(node_id from, std::uint64_t, hash_parcel& p) {
  ++run_.counts[deed::compared];
  if (auto* r = find(p.partition))
    r->handle(partition::compare_state{from, p.what.index, p.what.hash});
}

void sim_node::on(node_id from, std::uint64_t, chunk_request& p) {
  fetcher_->give(from, p);
}

void sim_node::on(node_id from, std::uint64_t, chunk_parcel& p) {
  fetcher_->take(from, std::move(p));
}

} // namespace sluice::simulation
