// Dispatch, the log and leadership. Execution is in execute.cpp, checkpoints in checkpoint.cpp.
#include "cluster/partition/core.hpp"

#include "core/planted.hpp"
#include "core/slot.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace sluice::partition {

core::core(config settings)
    : config_{std::move(settings)}, raft_{config_.consensus}, slots_{config_.partition, config_.place},
      entities_{config_.entities}, courier_{config_.notes_under_way_max} {}

void core::handle(const reading& now, input in, outputs& out) {
  if (failed_) {
    if (auto* asked = std::get_if<propose>(&in))
      on(now, std::move(*asked), out); // who does not lead refuses
    else if (auto* questions = std::get_if<ask_all>(&in))
      on(now, std::move(*questions), out);
    return;
  }
  std::visit([&](auto& body) { on(now, std::move(body), out); }, in);
  if (failed_)
    return;
  // An entity answered and others have not yet: nothing became possible.
  if (std::holds_alternative<delivered>(in) && !step_.step_complete())
    return;
  if (leading_)
    propose_pulses(now);
  propose_waiting(now, out);
  run(now, out);
  drive_checkpoint(now, out);
  pull_slots(now, out);
  send_notes(out);
  set_timer(now, out);
}

partition::status core::status() const {
  partition::status s;
  s.consensus = raft_.status();
  if (failed_)
    s.consensus.leader = {}; // nobody any more
  s.applied = applied_;
  s.checkpoint_index = checkpoint_index_;
  s.checkpoint_term = checkpoint_term_;
  s.checkpoint = checkpoint_;
  s.leading = leading_;
  s.waiting_commands = waiting_.size();
  s.active_entities = entities_.active();
  s.active_sessions = entities_.active_sessions();
  s.open_effects = open_effects_.size();
  s.outbox = outbox_.size();
  s.state_hash = state_hash_;
  s.time = last_;
  s.entries_total = entries_total_;
  s.commands_total = commands_total_;
  s.refused_total = refused_total_;
  s.checkpointing = taking_ != 0 && !failed_;
  s.halted = failed_;
  s.founding = founding_;
  for (auto newest : {roster_.empty() ? event_number{} : roster_.rbegin()->event,
                      ended_groups_.empty() ? event_number{} : *ended_groups_.rbegin()})
    s.last_event = std::max(s.last_event, newest);
  for (const auto& [slot, state] : slots_.all())
    s.moving_slots += is_under_way(state.where) ? 1 : 0;
  return s;
}

// ---- inputs ----------------------------------------------------------------------------------------------------------

void core::on(const reading& now, start in, outputs& out) {
  checkpoint_ = in.checkpoint;
  attempts_ = in.attempts;
  if (!in.record.empty() && !restore_record(in.record))
    return fail(
        "the partition's own piece of the checkpoint does not parse; move this node's data folder aside and have it filled anew: "
        "sluicectl cluster replace NAME; a cluster of one begins again from a backup",
        out);
  checkpoint_index_ = committed_to_ = applied_;
  checkpoint_term_ = applied_term_;
  out.homes = slots_.homes();
  for (const auto& e : in.consensus.log) {
    log_bytes_ += e.bytes();
    log_sizes_.emplace_back(e.index, e.bytes());
  }
  consult(now, std::move(in.consensus), out);
}

void core::on(const reading& now, tick, outputs& out) {
  if (raft_timer_ && *raft_timer_ <= now.host)
    raft_timer_.reset(); // it rang; consensus sets another if it needs one
  consult(now, raft::tick{}, out);
  if (leading_ && notes_begun_ + config_.resend <= now.host)
    begin_notes(now);
}

void core::on(const reading& now, received in, outputs& out) {
  auto& process = incarnations_[in.what.from];
  if (in.what.incarnation > process) {
    process = in.what.incarnation;
    hashes_.forget(in.what.from);
    compare_hashes(out); // a dispute may be over
    if (failed_)
      return;
  }
  consult(now, std::move(in.what), out);
}

void core::on(const reading&, propose in, outputs& out) {
  for (auto& p : in.proposals) {
    bool is_for_entity = !p.note && !p.ack && !p.is_step;
    if (!leading_) {
      refuse(p, errc::not_leader, out);
    } else if (is_for_entity && !slots_.is_here(p.to.event)) {
      // Whoever waits asks again and again: not through the log.
      ++refused_total_;
      out.refusals.push_back({p.from, errc::not_leader, slots_.home_of(p.to.event)});
    } else if (p.bytes() > config_.command_bytes_max) {
      refuse(p, errc::body_too_large, out);
    } else if (waiting_.size() >= config_.waiting_commands_max || waiting_bytes_ >= config_.waiting_bytes_max) {
      refuse(p, errc::overloaded, out); // early and cheap, rather than late and queued
    } else {
      line_up(std::move(p));
    }
  }
}

void core::on(const reading& now, ask_all in, outputs& out) {
  if (!leading_) {
    for (const auto& q : in.queries)
      out.refusals.push_back({q.from, errc::not_leader});
    return;
  }
  if (is_planted(planted::reads_locally)) {
    ready_reads_.emplace_back(applied_, std::move(in.queries));
    return;
  }
  auto id = next_read_id_++;
  reads_.emplace(id, std::move(in.queries));
  consult(now, raft::read{id}, out);
}

void core::on(const reading& now, written in, outputs& out) {
  pace_.synced(in.took);
  consult(now, raft::written{in.write_id}, out);
}

void core::on(const reading&, delivered in, outputs& out) {
  if (!step_.accept(std::move(in)))
    fail("an entity answered a delivery that was not open", out);
}

void core::on(const reading& now, saved in, outputs& out) {
  bool passivated = in.passivated;
  entities_.accept(std::move(in), out);
  if (passivated)
    deliver(now, std::exchange(parked_, {}), out);
}

void core::on(const reading&, checkpoint_now, outputs&) {
  forced_ = true;
}

void core::on(const reading& now, peer_down in, outputs& out) {
  consult(now, raft::peer_down{in.node}, out);
}

void core::on(const reading& now, loaded in, outputs& out) {
  consult(now, std::move(in.what), out);
}

void core::on(const reading& now, reconfigure in, outputs& out) {
  if (raft_.is_leader())
    consult(now, raft::reconfigure{0, std::move(in.target)}, out);
}

void core::on(const reading& now, transfer in, outputs& out) {
  if (raft_.is_leader())
    consult(now, raft::transfer{0, in.to}, out);
}

void core::on(const reading&, shrink, outputs&) {
  shrink_due_ = true;
}

void core::on(const reading&, publish_everything, outputs&) {
  publish_due_ = leading_;
}

void core::on(const reading&, published in, outputs&) {
  if (publish_woken_ == in.of)
    publish_woken_.reset();
}

// ---- the log ---------------------------------------------------------------------------------------------------------

void core::consult(const reading& now, raft::input in, outputs& out) {
  raft_out_.clear();
  raft_.handle(now.host, std::move(in), raft_out_);
  auto& r = raft_out_;
  if (r.fatal)
    return fail("consensus: " + *r.fatal, out);
  for (auto& w : r.writes) {
    note_sizes(w);
    out.writes.push_back({std::move(w), std::nullopt, std::nullopt});
  }
  for (auto& s : r.sends) {
    // A fetched checkpoint has another number here than where it came from.
    if (auto* offer = std::get_if<raft::snapshot_offer>(&s.body);
        offer && offer->snapshot.index == checkpoint_index_ && !is_planted(planted::offers_foreign_number))
      offer->snapshot.manifest = manifest_of(checkpoint_);
    if (std::holds_alternative<raft::snapshot_offer>(s.body) && hashes_.disputed())
      continue; // it may be wrong, and whoever took it would speak for it; offered again with the next heartbeat
    out.sends.push_back(std::move(s));
  }
  std::move(r.loads.begin(), r.loads.end(), std::back_inserter(out.loads));
  for (const auto& f : r.fetches)
    begin_fetch(f, out);
  for (auto& e : r.committed) {
    committed_to_ = e.index;
    committed_.push_back(std::move(e));
  }
  for (const auto& role : r.roles)
    follow(role, out);
  if (is_planted(planted::leads_at_once) && raft_.is_leader() && !leading_)
    begin_leading(now, out);
  for (const auto& ready : r.reads) {
    auto waiting = reads_.find(ready.id);
    if (waiting == reads_.end())
      continue;
    if (ready.index == 0)
      for (const auto& q : waiting->second)
        out.refusals.push_back({q.from, errc::not_leader});
    else
      ready_reads_.emplace_back(ready.index, std::move(waiting->second));
    reads_.erase(waiting);
  }
  if (r.timer)
    raft_timer_ = r.timer;
}

void core::note_sizes(const raft::write& w) {
  if (w.truncate_from)
    while (!log_sizes_.empty() && log_sizes_.back().first >= *w.truncate_from)
      log_sizes_.pop_back();
  for (const auto& e : w.append) {
    log_bytes_ += e.bytes();
    log_sizes_.emplace_back(e.index, e.bytes());
  }
}

void core::follow(const raft::role_changed& role, outputs& out) {
  out.roles.push_back(role);
  if (role.role == raft::role::leader)
    return; // leads once its own first entry is applied
  out.leading_ended = out.leading_ended || leading_;
  leading_ = false;
  publish_asleep_.clear();
  proposed_ = 0;
  refuse_waiting(errc::not_leader, out);
}

void core::begin_leading(const reading& now, outputs& out) {
  leading_ = true;
  out.leading_began = true;
  led_since_ = now.host;
  // How long nobody led is known only from the wall clock, which may lie: believe it a little, in one direction.
  auto outage = std::clamp<milliseconds>(now.wall - last_.wall, milliseconds{0}, config_.cold_start_max);
  led_from_ = is_planted(planted::log_time_restarts) ? log_time{} : last_.log + outage;
  last_wall_ = last_.wall;
  deadlines_.forget_pulses();
  publish_due_ = true;
  resume_effects(out);
  begin_notes(now);
  if (config_.founding > founding_) {
    propose_founding();
    propose_waiting(now, out); // perhaps nothing else ever comes
  }
}

/// What is to be done outside, and nobody does: of a slot, or of all.
void core::resume_effects(outputs& out, std::optional<slot_number> only) {
  if (!leading_ || is_planted(planted::drops_open_charges))
    return;
  for (const auto& [key, body] : open_effects_)
    if (slots_.is_here(key.first.event) && (!only || slot_of(key.first.event) == *only))
      out.effects.push_back({key.first, key.second, body});
}

void core::line_up(proposal p) {
  waiting_bytes_ += p.bytes();
  waiting_.push_back(std::move(p));
}

bool core::is_pulse(const proposal& p) const {
  return !p.from.node && !p.note && !p.ack && !p.is_step && p.body == config_.pulse;
}

/// Ahead of the commands: what is due was due before them, and a crowd that waits for a slow disk shall keep no deadline late.
void core::propose_pulses(const reading& now) {
  std::vector<proposal> pulses;
  for (auto& entity : deadlines_.take_due(log_time_at(now.host))) {
    if (is_planted(planted::lost_pulse) && entity.kind == entity_kind::event)
      continue;
    if (!slots_.is_here(entity.event))
      continue; // it takes its deadlines with it
    auto& p = pulses.emplace_back();
    p.to = std::move(entity);
    p.body = config_.pulse;
    waiting_bytes_ += p.bytes();
  }
  if (pulses.empty())
    return; // to insert nothing into a deque moves elements onto themselves, which empties them
  auto behind = std::find_if(waiting_.begin(), waiting_.end(), [this](const proposal& p) { return !is_pulse(p); });
  waiting_.insert(behind, std::make_move_iterator(pulses.begin()), std::make_move_iterator(pulses.end()));
}

void core::propose_waiting(const reading& now, outputs& out) {
  // If execution falls behind, commands gather here, where they are counted.
  while (leading_ && !waiting_.empty() && committed_.size() < pace::under_way_max && propose_from_ <= now.host) {
    auto most = pace_.entry_commands(config_.entry_commands_max);
    bool is_full = waiting_.size() >= most || waiting_bytes_ >= config_.entry_bytes_max;
    auto under_way = proposed_ > committed_to_ ? proposed_ - committed_to_ : 0;
    if (under_way >= pace::under_way_max || (!is_full && !pace_.may_begin(now.host, under_way)))
      return;
    propose_entry(now, next_batch(most), out);
    if (failed_)
      return;
  }
}

std::vector<proposal> core::next_batch(std::size_t most) {
  std::vector<proposal> batch;
  std::size_t bytes = 0;
  while (!waiting_.empty() && batch.size() < most && bytes < config_.entry_bytes_max) {
    bytes += waiting_.front().bytes();
    batch.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  waiting_bytes_ -= bytes;
  return batch;
}

void core::propose_entry(const reading& now, std::vector<proposal> batch, outputs& out) {
  last_wall_ = std::max(last_wall_, now.wall);
  entry_time stamp{log_time_at(now.host), last_wall_};
  auto payload = std::make_shared<const std::string>(encode_entry(stamp, 0, batch));
  auto id = next_propose_id_++;
  consult(now, raft::propose{id, std::move(payload)}, out);
  if (failed_)
    return;
  for (const auto& result : raft_out_.proposals) {
    if (result.id != id)
      continue;
    if (result.why != raft::refusal::none)
      return put_back(now, std::move(batch),
                      result.why == raft::refusal::overloaded ? errc::overloaded : errc::not_leader, out);
    proposed_ = result.index;
    pace_.proposed(now.host, batch.size());
  }
}

/// Refused by consensus, perhaps only while leadership is being handed over. Who asked hears of it; what is ours (pulses,
/// which would not come again; notes) waits, in case we go on.
void core::put_back(const reading& now, std::vector<proposal> batch, errc why, outputs& out) {
  propose_from_ = now.host + milliseconds{20};
  for (auto p = batch.rbegin(); p != batch.rend(); ++p) {
    if (p->from.node) {
      refuse(*p, why, out);
    } else if (leading_) {
      waiting_bytes_ += p->bytes();
      waiting_.push_front(std::move(*p));
    }
  }
}

void core::refuse(const proposal& p, errc why, outputs& out) {
  ++refused_total_;
  if (p.from.node)
    out.refusals.push_back({p.from, why});
}

void core::refuse_waiting(errc why, outputs& out) {
  for (const auto& p : waiting_)
    refuse(p, why, out);
  waiting_.clear();
  waiting_bytes_ = 0;
}

log_time core::log_time_at(host_time now) const {
  return led_from_ + std::chrono::floor<milliseconds>(now - led_since_);
}

void core::set_timer(const reading& now, outputs& out) {
  auto next = raft_timer_;
  auto consider = [&](host_time at) { next = next ? std::min(*next, at) : at; };
  if (leading_) {
    if (auto deadline = deadlines_.next())
      consider(led_since_ + (*deadline - led_from_));
    if (outbox_.size() > 0)
      consider(notes_begun_ + config_.resend);
    for (const auto& [slot, p] : pulling_)
      if (!p.proposed)
        consider(p.asked + config_.resend);
    if (auto from = std::max(propose_from_, pace_.next().value_or(propose_from_)); !waiting_.empty() && from > now.host)
      consider(from);
  }
  if (entities_.active() > 0 && !step_.running())
    consider(passivated_ + std::chrono::seconds{1});
  if (taking_ != 0 && entities_.owes())
    consider(now.host + milliseconds{1});
  if (next)
    out.timer = std::max(*next, now.host);
}

void core::fail(std::string why, outputs& out) {
  failed_ = true;
  leading_ = false;
  out.fatal = where() + std::move(why);
}

std::string core::where() const {
  return "node=" + std::to_string(config_.consensus.self.value) +
         " partition=" + std::to_string(config_.partition.value) + " term=" + std::to_string(raft_.term()) +
         " index=" + std::to_string(applied_) + ": ";
}

} // namespace sluice::partition
