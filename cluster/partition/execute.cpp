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
    if (committed_.empty())
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
    return fail("log entry " + std::to_string(e.index) + " is not of this version; it can not be skipped", out);
  pace_.began(now.host);
  ++entries_total_;
  commands_total_ += entry->commands.size();
  last_ = entry->now;
  notes_seen_.clear();
  auto deliveries = step_.begin(e.index, std::move(*entry), [&](const logged_command& c) {
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
    // A latecomer must not wake what an old checkpoint still shows.
    if (!ended_groups_.contains(c.to.event) || is_planted(planted::wakes_ended_group))
      return false;
    if (leading_ && c.from.node)
      out.refusals.push_back({c.from, errc::event_unknown});
    return true;
  });
  deliver(now, std::move(deliveries), out);
}

void core::deliver(const reading& now, std::vector<delivery> deliveries, outputs& out) {
  for (auto& d : deliveries) {
    if (d.to.kind != entity_kind::session)
      roster_.insert(d.to);
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
    deadlines_.set(from, d.deadline);
    if (leading_)
      for (auto& a : d.answers)
        if (const auto& origin = entry.commands[a.ordinal].from; origin.node)
          out.answers.push_back({origin, index, std::move(a.body)});
    if (leading_)
      for (auto& p : d.publications)
        out.publications.push_back({index, std::move(p)});
    carry_out(from, d, out);
    if (d.forget_group)
      ended.push_back(from.event);
  }
  write_feed(index, entry.now, results, out);
  for (auto event : ended)
    forget(event, out);
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
    }
  state_hash_ = mix(state_hash_ ^ mix(index));
  if (feed.items_size() == 0)
    return;
  feed.set_log_time_ms(to_ms(now.log));
  feed.set_wall_time_ms(to_ms(now.wall));
  out.feed.push_back({index, feed.SerializeAsString()});
}

void core::at_boundary(const reading& now, outputs& out) {
  if (publish_due_ && leading_) {
    publish_due_ = false;
    for (const auto& of : roster_) {
      publish_request request{of, last_, activation::none};
      std::shared_ptr<const std::string> record;
      if (entities_.prepare(now.host, of, request.activate, record))
        out.publishes.push_back(std::move(request));
    }
  }
  answer_queries(now, out);
  passivate(now, out);
  maybe_begin_checkpoint(now, out);
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
      if (ended_groups_.contains(q.to.event)) {
        out.refusals.push_back({q.from, errc::event_unknown});
        return true;
      }
      ask a{std::move(q), last_, applied_, activation::none, nullptr};
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
  if (!std::exchange(notes_due_, false) || !leading_)
    return;
  for (const auto& lane : outbox_.lanes())
    courier_.advance(lane.first, lane.second, [&](const outbox::item& item) {
      proposal p;
      p.to = item.to;
      p.body = item.body;
      p.note = note_source{config_.partition, item.sequence};
      out.notes.push_back({lane.first, std::move(p)});
    });
  if (is_planted(planted::lost_note))
    for (const auto& n : out.notes)
      if (n.what.note)
        outbox_.acknowledge(n.to, n.what.note->sequence);
}

void core::forget(event_number event, outputs& out) {
  entities_.forget(event);
  deadlines_.erase_group(event);
  std::erase_if(open_effects_, [&](const auto& e) { return e.first.first.event == event; });
  std::erase_if(roster_, [&](const entity_ref& e) { return e.event == event; });
  ended_groups_.insert(event);
  out.forgotten.push_back(event);
  forgotten_.push_back(event);
}

} // namespace sluice::partition
