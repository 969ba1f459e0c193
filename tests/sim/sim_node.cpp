#include "sim_node.hpp"

#include "wording.hpp"

#include "codec/message.hpp"

#include <algorithm>

namespace sluice::simulation {

sim_node::sim_node(scene& run, checkers& all, sim_provider& provider, const partition_map& places, node_id id)
    : run_{run}, checkers_{all}, provider_{provider}, places_{places}, id_{id}, clock_{run, [this] { after_event(); }},
      disk_{run} {}

partition::reading sim_node::reading() const {
  return {host_time{std::chrono::microseconds{host_offset_ + run_.time.now()}}, run_.wall()};
}

partition::config sim_node::config_of(partition_id partition) const {
  auto c = run_.settings.cores;
  c.partition = partition;
  c.consensus.self = id_;
  c.consensus.seed = mix(incarnation_ * 64 + partition.value);
  c.incarnation = incarnation_;
  c.place = [&places = places_](event_number event) { return places.of_event(event); };
  c.pulse = codec::encode(domain::message{domain::pulse{}});
  return c;
}

void sim_node::boot() {
  up_ = true;
  ++incarnation_;
  ++run_.counts[deed::restarts];
  host_offset_ = run_.dice.between(0, 1'000) * second;
  if (run_.telling())
    run_.say("node " + std::to_string(id_.value) + " boots, incarnation " + std::to_string(incarnation_));
  writer_ = std::make_unique<disk_writer>(
      run_, clock_, disk_, [this](const auto& d) { on_durable(d); },
      [this](partition_id partition, std::uint64_t checkpoint) {
        replicas_.at(partition)->handle(partition::checkpoint_flushed{checkpoint});
      });
  desk_ = std::make_unique<payment_desk>(
      run_, clock_, provider_, [this](const entity_ref& session, const auto& outcome) { settle(session, outcome); });
  for (std::uint32_t p = 0; p < places_.partitions(); ++p)
    replicas_.emplace(partition_id{p}, std::make_unique<replica>(run_, *this, partition_id{p}));
  for (auto& [partition, r] : replicas_)
    r->start(disk_.recover(partition));
  after_event();
}

void sim_node::crash() {
  if (!up_)
    return;
  if (run_.telling())
    run_.say("node " + std::to_string(id_.value) + " dies");
  up_ = false;
  clock_.next_life();
  replicas_.clear();
  writer_.reset();
  desk_.reset();
  pending_.clear(); // connections break; their clients will notice when they lose patience
  disk_.power_on();
  auto down = run_.stormy ? run_.dice.about(run_.settings.down_time) : 10 * ms;
  run_.time.after(down, [this] { boot(); });
}

void sim_node::begin_crashing() {
  if (run_.settings.crash_every == 0)
    return;
  run_.time.after(run_.dice.about(run_.settings.crash_every), [this] {
    if (!run_.stormy)
      return;
    if (up_) {
      ++run_.counts[fault::crash];
      crash();
    }
    begin_crashing();
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
  bool log_first = run_.dice.coin();
  if (d.write_id != 0 && log_first)
    r.handle(partition::written{d.write_id});
  if (d.checkpoint != 0) {
    r.handle(partition::checkpoint_committed{d.checkpoint});
    writer_->in_force(d.partition);
  }
  if (d.write_id != 0 && !log_first)
    r.handle(partition::written{d.write_id});
}

// ---- commands and queries --------------------------------------------------------------------------------------------

void sim_node::request(const entity_ref& to, std::shared_ptr<const domain::message> m, bool is_query,
                       std::function<void(const node_answer&)> done) {
  if (!up_)
    return;
  auto number = next_request_++;
  auto partition = places_.of_event(to.event);
  if (run_.telling())
    run_.say("request to " + to_string(to) + ": " + words_for(*m));
  auto body = is_query ? std::string{} : codec::encode(*m);
  pending_.emplace(number, pending{to, m, std::move(done)});
  if (!is_query)
    return propose(to, std::move(body), number);
  partition::query q{to, {id_, incarnation_, number}, actors::box(*m)};
  clock_.after(run_.dice.between(0, 100), [this, partition, q] { replicas_.at(partition)->handle(partition::ask_all{{q}}); });
}

void sim_node::propose(const entity_ref& to, std::string body, std::uint64_t request) {
  partition::proposal p;
  p.to = to;
  p.from = {id_, incarnation_, request};
  p.request_id = std::to_string(request);
  p.body = std::move(body);
  auto partition = places_.of_event(to.event);
  clock_.after(run_.dice.between(0, 100), [this, partition, p] { replicas_.at(partition)->handle(partition::propose{{p}}); });
}

void sim_node::answer(const entry_stamp& at, const partition::origin& to, const domain::reply& r, bool is_query) {
  if (to.node != id_ || to.incarnation != incarnation_)
    return; // asked of an earlier process: nobody is there any more
  auto found = pending_.find(to.request);
  if (found == pending_.end())
    return run_.fail("host", "request " + std::to_string(to.request) + " was answered twice");
  auto asked = std::move(found->second);
  pending_.erase(found);
  if (run_.telling())
    run_.say("answer " + to_string(at) + " to " + to_string(asked.to) + " " + words_for(*asked.what) + ": " +
             words_for(r));
  if (!is_query)
    ++run_.counts.commands;
  if (is_query)
    checkers_.answers.told(at, asked.to, *asked.what, r);
  else
    checkers_.answers.answered(at, asked.to, *asked.what, r);
  checkers_.replay.promised(at.partition, at.index);
  asked.done({std::make_shared<const domain::reply>(r), errc::ok});
}

void sim_node::refuse(const partition::refusal_out& refusal) {
  if (refusal.to.node != id_ || refusal.to.incarnation != incarnation_)
    return;
  auto found = pending_.find(refusal.to.request);
  if (found == pending_.end())
    return run_.fail("host", "request " + std::to_string(refusal.to.request) + " was refused after it was answered");
  if (refusal.why == errc::overloaded)
    ++run_.counts[fault::overload];
  auto asked = std::move(found->second);
  pending_.erase(found);
  asked.done({nullptr, refusal.why});
}

// ---- between partitions, and to the provider -------------------------------------------------------------------------

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
    clock_.after(takes, [this, to, note] { replicas_.at(to)->handle(partition::propose{{note}}); });
  }
}

void sim_node::charge(const partition::effect_out& effect) {
  auto c = codec::decode_charge(effect.body);
  if (!c)
    return run_.fail("host", "an effect that is no charge");
  clock_.after(run_.dice.between(0, 100), [this, of = effect.of, charge = *c] { desk_->start(of, charge); });
}

void sim_node::settle(const entity_ref& session, const domain::charge_settled& outcome) {
  auto body = codec::encode(domain::message{outcome});
  if (run_.telling())
    run_.say("desk: " + words_for(domain::message{outcome}));
  auto copies = run_.strikes(fault::repeated_outcome, run_.settings.outcome_repeated) ? 2 : 1;
  for (int copy = 0; copy < copies; ++copy) {
    auto number = next_request_++;
    auto wait = copy == 0 ? 0 : run_.dice.between(0, 5 * second);
    // The session answers nothing; only a refusal comes back, and the first copy is tried again.
    auto again = [this, session, outcome, copy](const node_answer& a) {
      bool may_help = a.why == errc::overloaded || a.why == errc::not_leader;
      if (copy == 0 && !a.reply && may_help)
        clock_.after(200 * ms, [this, session, outcome] { settle(session, outcome); });
    };
    pending_.emplace(number, pending{session, std::make_shared<const domain::message>(outcome), again});
    clock_.after(wait, [this, session, body, number] { propose(session, body, number); });
  }
}

} // namespace sluice::simulation
