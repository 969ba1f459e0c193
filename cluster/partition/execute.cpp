// Committed entries become supersteps; their effects leave when the entry is complete.
#include "cluster/partition/core.hpp"

#include "core/hash.hpp"
#include "core/planted.hpp"
#include "sluice/fact.pb.h"

#include <utility>

namespace sluice::partition {

void core::run(const reading& now, outputs& out) {
  while (!failed_) {
    if (step_.running()) {
      if (!step_.step_complete())
        return;
      auto more = step_.next();
      if (step_.ran_away())
        return fail("entities keep telling each other things; the cascade was cut", out);
      if (!more.empty()) {
        deliver(now, std::move(more), out);
        return;
      }
      finish_entry(now, out);
    }
    if (to_install_ && !failed_)
      install(now, out);
    if (failed_)
      return;
    at_boundary(now, out);
    if (committed_.empty() || awaits_cleaning())
      return;
    begin_entry(now, out);
  }
}

void core::begin_entry(const reading& now, outputs& out) {
  auto e = std::move(committed_.front());
  committed_.pop_front();
  applied_term_ = e.term;
  if (e.kind != raft::entry_kind::commands) {
    applied_ = e.index;
    state_hash_ = mix(state_hash_ ^ mix(e.index));
    note_hash(out);
    if (failed_)
      return;
    // The first entry of the own term: a no-op, or the very first leader's membership.
    if (!leading_ && e.term == raft_.term() && raft_.is_leader())
      begin_leading(now, out);
    return;
  }
  auto entry = decode_entry(*e.payload);
  if (!entry)
    return fail("log entry " + std::to_string(e.index) +
                    " is not of this version and can not be skipped: start the version that wrote it",
                out);
  pace_.began(now.host);
  ++entries_total_;
  commands_total_ += entry->commands.size();
  last_ = entry->now;
  notes_seen_.clear();
  steps_.clear();
  entry_hash_ = 0;
  auto deliveries =
      step_.begin(e.index, std::move(*entry), [&](const logged_command& c) { return is_for_nobody(c, out); });
  deliver(now, std::move(deliveries), out);
}

/// True where no entity is to see it.
bool core::is_for_nobody(const logged_command& c, outputs& out) {
  if (c.ack) {
    outbox_.acknowledge(c.ack->partition, c.ack->sequence);
    notes_due_ = true;
    return true;
  }
  if (c.note) {
    notes_seen_.insert(c.note->partition);
    if (!inbox_.accept(*c.note))
      return true;
  }
  if (c.is_step) {
    steps_.push_back(c.body); // taken when the entry is complete
    return true;
  }
  if (!slots_.is_here(c.to.event)) {
    turn_away(c, out);
    return true;
  }
  // A note of before the cluster began anew would make an event known of which nothing is left.
  if (c.note && c.to.event && !knows(c.to.event)) {
    entry_hash_ = hash_of(c.body, entry_hash_);
    return true;
  }
  // A latecomer must not wake what an old checkpoint still shows.
  if (!ended_groups_.contains(c.to.event) || is_planted(planted::wakes_ended_group))
    return false;
  if (leading_ && c.from.node)
    out.refusals.push_back({c.from, errc::event_unknown});
  return true;
}

void core::deliver(const reading& now, std::vector<delivery> deliveries, outputs& out) {
  for (auto& d : deliveries) {
    if (d.to.kind != entity_kind::session)
      roster_.insert(d.to);
    if (d.as_of == 0 || is_planted(planted::shifts_twice)) { // else it was parked
      d.now = slots_.time_of(d.to.event, d.now);
      d.as_of = slots_.index_of(d.to.event, d.index);
    }
    if (entities_.prepare(now.host, d, out))
      out.deliveries.push_back(std::move(d));
    else
      parked_.push_back(std::move(d));
  }
}

void core::finish_entry(const reading& now, outputs& out) {
  auto index = step_.index();
  auto entry = step_.entry();
  auto results = step_.finish();
  pace_.executed(now.host, entry.commands.size());
  std::vector<event_number> ended;
  for (auto& [from, d] : results) {
    if (d.deadline)
      d.deadline = slots_.here(from.event, *d.deadline);
    deadlines_.set(from, d.deadline);
    auto as_of = slots_.index_of(from.event, index);
    if (leading_)
      for (auto& a : d.answers)
        if (const auto& origin = entry.commands[a.ordinal].from; origin.node)
          out.answers.push_back({origin, as_of, std::move(a.body)});
    if (leading_)
      for (auto& p : d.publications)
        out.publications.push_back({as_of, std::move(p)});
    carry_out(from, d, out);
    if (d.forget_group)
      ended.push_back(from.event);
  }
  write_feed(index, entry.now, results, out);
  for (auto event : ended) {
    forget(event, out);
    ended_groups_.insert(event);
  }
  announce_slots();
  for (auto step : steps_)
    take_step(step, index, out);
  if (failed_)
    return;
  if (entry_hash_ != 0)
    state_hash_ = mix(state_hash_ ^ entry_hash_);
  applied_ = index;
  note_hash(out);
  if (failed_)
    return;
  for (auto sender : notes_seen_) {
    auto received = inbox_.received_from(sender);
    if (!leading_ || received == 0)
      continue; // 0: only notes that came too early so far
    proposal ack;
    ack.ack = note_source{config_.partition, received};
    out.notes.push_back({sender, std::move(ack)});
  }
  propose_waiting(now, out);
}

void core::carry_out(const entity_ref& from, delivered& d, outputs& out) {
  for (auto& n : d.notes) {
    const auto& item = outbox_.add(config_.place(n.to.event), n.to, std::move(n.body));
    state_hash_ = hash_of(item.body, state_hash_);
    notes_due_ = true;
  }
  for (auto& e : d.effects) {
    state_hash_ = hash_of(e.key, hash_of(e.body, state_hash_));
    auto key = std::make_pair(from, e.key);
    if (e.body.empty()) {
      open_effects_.erase(key);
      continue;
    }
    if (leading_ || is_planted(planted::followers_charge))
      out.effects.push_back({from, e.key, e.body});
    open_effects_[std::move(key)] = std::move(e.body);
  }
}

void core::write_feed(log_index index, const entry_time& now,
                      const std::vector<std::pair<entity_ref, delivered>>& results, outputs& out) {
  proto::FeedRecord feed;
  for (const auto& [from, d] : results)
    for (const auto& f : d.facts) {
      state_hash_ = hash_of(f, state_hash_);
      auto& item = *feed.add_items();
      item.set_event(from.event.value);
      item.set_fact(f);
      if (!slots_.is_shifted(from.event))
        continue;
      auto at = slots_.time_of(from.event, now);
      item.set_log_time_ms(to_ms(at.log));
      item.set_wall_time_ms(to_ms(at.wall));
      item.set_index(slots_.index_of(from.event, index));
    }
  state_hash_ = mix(state_hash_ ^ mix(index));
  if (feed.items_size() == 0)
    return;
  feed.set_log_time_ms(to_ms(now.log));
  feed.set_wall_time_ms(to_ms(now.wall));
  out.feed.push_back({index, feed.SerializeAsString()});
}

void core::at_boundary(const reading& now, outputs& out) {
  publish(now, out);
  answer_queries(now, out);
  passivate(now, out);
  maybe_begin_checkpoint(now, out);
}

/// Who is awake does at once. The others one after the other: to wake a long line takes a core for tens of milliseconds,
/// and dozens of them at once would keep it from everybody else.
void core::publish(const reading& now, outputs& out) {
  if (!leading_)
    return;
  if (std::exchange(publish_due_, false)) {
    for (const auto& of : roster_) {
      if (!entities_.is_active(of))
        publish_asleep_.insert(of);
      else if (slots_.is_here(of.event))
        ask_to_publish(now, of, out);
    }
  }
  while (!publish_woken_ && !publish_asleep_.empty()) {
    const auto& next = *publish_asleep_.begin();
    if (roster_.contains(next) && slots_.is_here(next.event)) {
      if (!ask_to_publish(now, next, out))
        return; // it is just falling asleep
      publish_woken_ = next;
    }
    publish_asleep_.erase(publish_asleep_.begin());
  }
}

/// False: not now.
bool core::ask_to_publish(const reading& now, const entity_ref& of, outputs& out) {
  publish_request request{
      of, slots_.time_of(of.event, last_), slots_.index_of(of.event, applied_), activation::none, {}};
  if (!entities_.prepare(now.host, of, request.activate, request.record))
    return false;
  out.publishes.push_back(std::move(request));
  return true;
}

/// Only between entries: within one, a session may wait for its blocks.
void core::passivate(const reading& now, outputs& out) {
  if (std::exchange(shrink_due_, false))
    entities_.passivate_idle(now.host, 10'000, out, std::chrono::seconds{1});
  bool due = passivated_ + std::chrono::seconds{1} <= now.host;
  if (due)
    passivated_ = now.host;
  if (due || entities_.active_sessions() > config_.entities.active_sessions_max)
    entities_.passivate_idle(now.host, due ? 1000 : 256, out);
}

void core::answer_queries(const reading& now, outputs& out) {
  std::erase_if(ready_reads_, [&](auto& ready) {
    if (ready.first > applied_)
      return false;
    std::erase_if(ready.second, [&](query& q) {
      auto of = q.to.event;
      if (!slots_.is_here(of)) {
        out.refusals.push_back({q.from, errc::not_leader, slots_.home_of(of)});
        return true;
      }
      if (ended_groups_.contains(of)) {
        out.refusals.push_back({q.from, errc::event_unknown});
        return true;
      }
      ask a{std::move(q), slots_.time_of(of, last_), applied_, slots_.index_of(of, applied_), activation::none, {}};
      if (!entities_.prepare(now.host, a.what.to, a.activate, a.record)) {
        q = std::move(a.what);
        return false;
      }
      out.asks.push_back(std::move(a));
      return true;
    });
    return ready.second.empty();
  });
}

void core::begin_notes(const reading& now) {
  notes_begun_ = now.host;
  if (is_planted(planted::notes_sent_once))
    return;
  courier_.start_over();
  notes_due_ = true;
}

void core::send_notes(outputs& out) {
  bool is_of_before = founding_ < config_.founding; // what was told then may be told otherwise now
  if (is_of_before || !std::exchange(notes_due_, false) || !leading_)
    return;
  for (const auto& lane : outbox_.lanes())
    courier_.advance(lane.first, lane.second, [&](const outbox::item& item) {
      proposal p;
      p.to = item.to;
      p.body = item.body;
      p.note = note_source{config_.partition, item.sequence};
      p.is_step = item.is_step;
      out.notes.push_back({lane.first, std::move(p)});
    });
  if (is_planted(planted::lost_note))
    for (const auto& n : out.notes)
      if (n.what.note)
        outbox_.acknowledge(n.to, n.what.note->sequence);
}

void core::forget(event_number event, outputs& out) {
  entities_.forget(event, out);
  deadlines_.erase_group(event);
  std::erase_if(open_effects_, [&](const auto& e) { return e.first.first.event == event; });
  std::erase_if(roster_, [&](const entity_ref& e) { return e.event == event; });
  if (publish_woken_ && publish_woken_->event == event)
    publish_woken_.reset();
  out.forgotten.push_back(event);
  forgotten_.push_back(event);
}

} // namespace sluice::partition
