#include "actors/partition.hpp"

#include "cluster/partition/wire.hpp"
#include "core/assert.hpp"

#include <algorithm>
#include <utility>

namespace sluice::actors {

partition_host::partition_host(caf::actor_config& cfg, partition::config settings, partition::start found,
                               partition_services services)
    : partition_actor::base{cfg}, partition_{settings.partition}, services_{std::move(services)},
      core_{std::move(settings)}, found_{std::move(found)} {}

partition_host::behavior_type partition_host::make_behavior() {
  feed(std::move(found_)); // the first input, before any message: what the disk kept
  return {
      [this](const proposals& m) { feed(partition::propose{std::move(*m.body)}); },
      [this](const questions& m) { feed(partition::ask_all{std::move(*m.body)}); },
      [this](const became_durable& m) {
        if (m.write_id != 0)
          feed(partition::written{m.write_id});
        if (m.checkpoint != 0) {
          feed(partition::checkpoint_committed{m.checkpoint});
          services_.checkpoints->in_force(partition_, m.checkpoint);
        }
      },
      [this](const delivered_back& m) { feed(std::move(*m.body)); },
      [this](const saved_back& m) {
        if (m.body->passivated)
          entities_.erase(m.body->of);
        feed(std::move(*m.body));
      },
      [this](const published_back& m) {
        std::vector<partition::publication_out> publications;
        for (auto& p : *m.body)
          publications.push_back({core_.applied(), std::move(p)});
        services_.publications->take(partition_, publications);
      },
      [this](const flushed& m) { feed(partition::checkpoint_flushed{m.checkpoint}); },
      [this](const time_passed&) {
        timer_.reset();
        feed(partition::tick{});
      },
      [this](const checkpoint_please&) { feed(partition::checkpoint_now{}); },
      [this](const look_inside& m) { m.look(core_); },
      [this](const list_entities& m) {
        std::vector<entity_ref> all;
        for (const auto& [ref, handle] : entities_)
          all.push_back(ref);
        std::sort(all.begin(), all.end());
        m.done(std::move(all));
      },
      [this](const inspect_entity& m) {
        auto known = entities_.find(m.of);
        if (known == entities_.end())
          m.done({});
        else
          send(known->second, describe_entity{m.done});
      },
      [this](const stop_partition& m) {
        for (auto& [ref, handle] : entities_)
          send(handle, end_entity{});
        entities_.clear();
        quit();
        m.stopped();
      },
  };
}

void partition_host::on_exit() {
  entities_.clear();
}

void partition_host::feed(partition::input in) {
  core_.handle(services_.clock(), std::move(in), out_);
  carry_out();
}

void partition_host::carry_out() {
  if (out_.fatal)
    fail_stop(*out_.fatal, __FILE__, __LINE__);
  write_log();
  for (auto& f : out_.feed)
    services_.log->append_feed(partition_, f.index, std::move(f.record));
  // Shares are asked for before anything newer is delivered: mailboxes keep the order.
  for (auto& s : out_.saves) {
    auto& handle = handle_of(s.of);
    send(handle, save{std::move(s)});
  }
  for (auto& d : out_.deliveries) {
    activate(d.to, d.activate, d.record);
    auto& handle = handle_of(d.to);
    send(handle, deliver{std::make_shared<const partition::delivery>(std::move(d))});
  }
  for (auto& p : out_.publishes) {
    activate(p.of, p.activate, nullptr);
    auto& handle = handle_of(p.of);
    send(handle, publish_all{std::move(p)});
  }
  for (auto& a : out_.asks) {
    activate(a.what.to, a.activate, a.record);
    auto& handle = handle_of(a.what.to);
    send(handle, answer_question{std::make_shared<const partition::ask>(std::move(a))});
  }
  for (auto event : out_.forgotten)
    end_group(event);
  if (!out_.publications.empty())
    services_.publications->take(partition_, out_.publications);
  if (!out_.answers.empty() || !out_.refusals.empty())
    services_.routes->give_back(std::move(out_.answers), std::move(out_.refusals));
  if (!out_.effects.empty())
    services_.effects->start(std::move(out_.effects));
  for (auto& n : out_.notes)
    services_.routes->propose(n.to, {std::move(n.what)});
  for (auto& p : out_.pieces)
    services_.checkpoints->put(partition_, p.checkpoint, std::move(p.of), std::move(p.pieces));
  for (const auto& e : out_.ends)
    services_.checkpoints->end(partition_, e.checkpoint);
  if (services_.role_changed)
    for (const auto& role : out_.roles)
      services_.role_changed(partition_, role);
  set_timer();
  out_.clear();
}

void partition_host::write_log() {
  for (const auto& b : out_.begins) {
    storage::log_batch attempt;
    attempt.partition = partition_;
    attempt.checkpoint_attempt = b.checkpoint;
    services_.log->submit(std::move(attempt), 0);
  }
  for (const auto& w : out_.writes)
    services_.log->submit(to_batch(partition_, w), w.what.id);
}

void partition_host::activate(const entity_ref& of, partition::activation how,
                              const std::shared_ptr<const std::string>& record) {
  if (how == partition::activation::none)
    return;
  loaded_pieces pieces;
  if (how == partition::activation::fresh)
    pieces = services_.store->load(partition_, of);
  else if (record)
    pieces.emplace_back(0, *record);
  entities_[of] = spawn(entity, partition_actor{this}, services_.routes, of, std::move(pieces));
}

void partition_host::end_group(event_number event) {
  std::erase_if(entities_, [&](const auto& known) {
    if (known.first.event != event)
      return false;
    send(known.second, end_entity{});
    return true;
  });
}

void partition_host::set_timer() {
  if (!out_.timer || (timer_ && *timer_ <= *out_.timer))
    return;
  timer_ = out_.timer;
  auto wait = std::max<std::chrono::microseconds>(*timer_ - services_.clock().host, std::chrono::milliseconds{1});
  delayed_send(this, wait, time_passed{});
}

namespace {

raft::entry entry_from(const storage::stored_entry& e) {
  raft::entry entry{e.index, e.term, static_cast<raft::entry_kind>(e.kind), nullptr, nullptr};
  if (entry.kind == raft::entry_kind::commands)
    entry.payload = e.payload;
  if (entry.kind == raft::entry_kind::members)
    if (auto members = partition::decode_membership(*e.payload))
      entry.members = std::make_shared<const raft::membership>(std::move(*members));
  return entry;
}

storage::stored_entry stored_from(const raft::entry& e) {
  auto payload = e.members ? std::make_shared<const std::string>(partition::encode(*e.members)) : e.payload;
  return {e.index, e.term, static_cast<std::uint8_t>(e.kind), std::move(payload)};
}

} // namespace

partition::start start_from(const storage::recovered& found, node_id self) {
  partition::start start;
  auto& consensus = start.consensus;
  if (found.vote)
    consensus.durable = {found.vote->term, found.vote->vote};
  consensus.bootstrap.voters = {self};
  consensus.may_vote = !found.damage;
  if (found.checkpoint) {
    start.checkpoint = found.checkpoint->number;
    start.record = found.checkpoint->record;
    auto members = partition::decode_membership(found.checkpoint->members);
    consensus.snapshot = raft::snapshot_ref{found.checkpoint->index, found.checkpoint->term,
                                            members.value_or(consensus.bootstrap),
                                            std::make_shared<const std::string>(found.checkpoint->record)};
  }
  start.attempts = found.attempts;
  consensus.log.reserve(found.log.size());
  for (const auto& e : found.log)
    consensus.log.push_back(entry_from(e));
  return start;
}

storage::log_batch to_batch(partition_id partition, const partition::log_write& w) {
  storage::log_batch batch;
  batch.partition = partition;
  if (w.what.state)
    batch.vote = storage::vote_record{w.what.state->term, w.what.state->vote};
  batch.truncate_from = w.what.truncate_from;
  batch.append.reserve(w.what.append.size());
  for (const auto& e : w.what.append)
    batch.append.push_back(stored_from(e));
  batch.drop_below = w.what.drop_below;
  if (w.commit) {
    batch.checkpoint = storage::checkpoint_record{w.commit->checkpoint, w.commit->index, w.commit->term,
                                                  w.commit->record, partition::encode(w.commit->members)};
    batch.forgotten = w.commit->forgotten;
  }
  return batch;
}

} // namespace sluice::actors
