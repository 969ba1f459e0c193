#include "actors/partition.hpp"

#include "actors/exceptions.hpp"
#include "cluster/partition/activation.hpp"
#include "cluster/partition/wire.hpp"
#include "core/at_work.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace sluice::actors {

partition_host::partition_host(caf::actor_config& cfg, partition::config settings, partition::start found,
                               partition_services services)
    : partition_actor::base{cfg}, partition_{settings.partition}, services_{std::move(services)},
      core_{std::move(settings)}, found_{std::move(found)} {}

partition_host::behavior_type partition_host::make_behavior() {
  stop_on_exceptions(*this);
  feed(std::move(found_)); // the first input, before any message: what the disk kept
  return {
      [this](const proposals& m) { feed(partition::propose{std::move(*m.body)}); },
      [this](const questions& m) { feed(partition::ask_all{std::move(*m.body)}); },
      [this](const became_durable& m) {
        if (m.write_id != 0)
          became_durable_up_to(m.write_id, m.took);
        if (m.checkpoint != 0) {
          feed(partition::checkpoint_committed{m.checkpoint});
          services_.checkpoints->in_force(partition_, m.checkpoint);
        }
      },
      [this](const delivered_back& m) {
        step([&] {
          auto now = services_.clock();
          for (auto& result : m.batch->results)
            core_.handle(now, std::move(result), out_);
        });
      },
      [this](const saved_back& m) {
        // One that another state replaced meanwhile may still be saying goodbye; its successor stays.
        auto known = entities_.find(m.body->of);
        if (m.body->passivated && known != entities_.end() && known->second.address() == current_sender())
          entities_.erase(known);
        feed(std::move(*m.body));
      },
      [this](const published_back& m) {
        if (core_.leading())
          services_.publications->take(partition_, *m.body);
        feed(partition::published{m.by});
      },
      [this](const flushed& m) { feed(partition::checkpoint_flushed{m.checkpoint}); },
      [this](const time_passed& m) {
        if (m.timer != timer_set_)
          return; // an earlier one was set meanwhile; or timers would only ever become more
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
      [this](const replica_said& m) {
        feed(partition::received{{m.from, m.incarnation, std::move(*m.body)}});
      },
      [this](const node_lost& m) { feed(partition::peer_down{m.node}); },
      [this](const loaded_back& m) { feed(partition::loaded{std::move(*m.body)}); },
      [this](const fetched_back& m) { feed(std::move(*m.body)); },
      [this](const replicate_on& m) { feed(partition::reconfigure{m.target}); },
      [this](const hand_over& m) { feed(partition::transfer{m.to}); },
      [this](const publish_again&) { feed(partition::publish_everything{}); },
      [this](const compare_hash& m) {
        feed(partition::compare_state{m.from, m.index, m.hash});
      },
      [this](const move_slot_to& m) {
        auto prospect = core_.prospect(m.what.slot, m.what.to);
        feed(m.what);
        m.done(std::move(prospect));
      },
      [this](const slot_pulled_back& m) { feed(std::move(*m.body)); },
      [this](const shrink_now&) { feed(partition::shrink{}); },
      [this](const vacate_replica& m) {
        auto before = core_.applied();
        feed(partition::vacate{m.what});
        if (core_.applied() < before)
          spdlog::info(
              "partition.vacated partition={} term={} index={}: it was moved away, what its replica here kept is given up",
              partition_.value, core_.status().consensus.term, before);
      },
  };
}

void partition_host::on_exit() {
  entities_.clear();
}

void partition_host::feed(partition::input in) {
  step([&] { core_.handle(services_.clock(), std::move(in), out_); });
}

void partition_host::step(const std::function<void()>& handle) {
  auto place = [this] {
    return "partition " + std::to_string(partition_.value) + ", term " + std::to_string(core_.status().consensus.term) +
           ", index " + std::to_string(core_.applied());
  };
  must_do(place, [&] {
    handle();
    carry_out();
  });
}

void partition_host::carry_out() {
  if (out_.fatal) {
    if (out_.untrue)
      services_.store->put_fact(untrue_fact(partition_), "1");
    fail_stop(*out_.fatal, __FILE__, __LINE__);
  }
  if (out_.halted)
    spdlog::critical("partition.halted {}", *out_.halted);
  if (out_.reset)
    end_all();
  write_log();
  replicate();
  tell_roles();
  for (const auto& home : out_.homes)
    services_.routes->learn(home);
  for (const auto& o : out_.opened)
    spdlog::info("slot.moved slot={} from={} to={}", o.slot.value, o.from.value, partition_.value);
  for (auto& f : out_.feed)
    services_.log->append_feed(partition_, f.index, std::move(f.record));
  tell_entities();
  for (auto event : out_.forgotten)
    end_group(event);
  if (!out_.publications.empty())
    services_.publications->take(partition_, out_.publications);
  if (!out_.answers.empty() || !out_.refusals.empty())
    services_.routes->give_back(std::move(out_.answers), std::move(out_.refusals));
  if (out_.leading_ended)
    services_.effects->leave(partition_);
  if (!out_.effects.empty())
    services_.effects->start(partition_, std::move(out_.effects));
  if (!out_.left.empty())
    services_.effects->leave(partition_, out_.left);
  for (auto& n : out_.notes)
    services_.routes->propose(n.to, {std::move(n.what)});
  for (auto& p : out_.pieces)
    services_.checkpoints->put(partition_, p.checkpoint, std::move(p.of), std::move(p.pieces));
  for (const auto& e : out_.ends)
    services_.checkpoints->end(partition_, e.checkpoint);
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

// ---- the other replicas ----------------------------------------------------------------------------------------------

void partition_host::replicate() {
  for (auto& s : out_.sends) {
    if (s.after > durable_)
      held_.push_back(std::move(s));
    else if (services_.peers)
      services_.peers->send(partition_, s.to, s.body);
  }
  if (!services_.peers)
    return;
  for (const auto& l : out_.loads)
    services_.peers->load(partition_, l);
  for (const auto& f : out_.fetches)
    services_.peers->fetch(partition_, f);
  for (const auto& h : out_.hashes)
    services_.peers->compare(partition_, h);
  for (const auto& p : out_.pulls)
    services_.peers->pull(partition_, p);
}

/// What depended on it may leave now.
void partition_host::became_durable_up_to(std::uint64_t write_id, std::chrono::microseconds took) {
  durable_ = write_id;
  std::erase_if(held_, [this](const raft::send& s) {
    if (s.after > durable_)
      return false;
    if (services_.peers)
      services_.peers->send(partition_, s.to, s.body);
    return true;
  });
  feed(partition::written{write_id, took});
}

void partition_host::end_all() {
  for (auto& [ref, handle] : entities_)
    send(handle, end_entity{});
  entities_.clear();
}

void partition_host::tell_roles() {
  for (const auto& role : out_.roles) {
    if (services_.role_changed)
      services_.role_changed(partition_, role);
    if (services_.peers && role.role != raft::role::leader)
      services_.peers->follows(partition_, role.term, role.leader);
  }
  if (out_.leading_began && services_.peers)
    services_.peers->leads(partition_, core_.status().consensus.term);
}

// ---- entities --------------------------------------------------------------------------------------------------------

/// In this order, which mailboxes keep: who is woken for a question may be asked for its share at once, and that is asked
/// for before anything newer is delivered.
void partition_host::tell_entities() {
  for (auto& p : out_.publishes) {
    auto& handle = active(p.of, p.activate, p.record);
    send(handle, publish_all{std::move(p)});
  }
  for (auto& a : out_.asks) {
    auto& handle = active(a.what.to, a.activate, a.record);
    send(handle, answer_question{std::make_shared<const partition::ask>(std::move(a))});
  }
  for (auto& s : out_.saves) {
    auto& handle = entities_.at(s.of);
    send(handle, save{std::move(s)});
  }
  deliver_all();
}

void partition_host::deliver_all() {
  if (out_.deliveries.empty())
    return;
  auto batch = std::make_shared<delivery_batch>(std::exchange(out_.deliveries, {}));
  for (std::size_t place = 0; place < batch->deliveries.size(); ++place) {
    const auto& d = batch->deliveries[place];
    send(active(d.to, d.activate, d.record), deliver{batch, place});
  }
}

entity_actor& partition_host::active(const entity_ref& of, partition::activation how,
                                     const partition::kept_pieces& record) {
  if (how == partition::activation::none)
    return entities_.at(of);
  auto pieces = partition::pieces_of(how, record, [&] { return services_.store->load(partition_, of); });
  return entities_[of] = spawn(entity, partition_actor{this}, services_.routes, partition_, of, std::move(pieces),
                               how == partition::activation::adopted);
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
  if (!out_.timer)
    return;
  // On a common grid, finer than that of heartbeats, which it leaves where they are: partitions wake up together.
  constexpr std::chrono::microseconds grid{10'000};
  auto now = services_.clock().host;
  auto at = *out_.timer;
  if (at > now + grid / 2)
    at = host_time{(at.time_since_epoch() + grid - std::chrono::microseconds{1}) / grid * grid};
  if (timer_ && *timer_ <= at)
    return;
  timer_ = at;
  delayed_send(this, std::max<std::chrono::microseconds>(at - now, std::chrono::milliseconds{1}),
               time_passed{++timer_set_});
}

std::string untrue_fact(partition_id partition) {
  return "untrue-" + std::to_string(partition.value);
}

raft::membership members_of(const raft::start& found) {
  auto members = found.snapshot ? found.snapshot->members : found.bootstrap;
  for (const auto& e : found.log)
    if (e.members)
      members = *e.members;
  return members;
}

raft::entry entry_from(const storage::stored_entry& e) {
  raft::entry entry{e.index, e.term, static_cast<raft::entry_kind>(e.kind), nullptr, nullptr};
  if (entry.kind == raft::entry_kind::commands)
    entry.payload = e.payload;
  if (entry.kind == raft::entry_kind::members)
    if (auto members = partition::decode_membership(*e.payload))
      entry.members = std::make_shared<const raft::membership>(std::move(*members));
  return entry;
}

namespace {

storage::stored_entry stored_from(const raft::entry& e) {
  auto payload = e.members ? std::make_shared<const std::string>(partition::encode(*e.members)) : e.payload;
  return {e.index, e.term, static_cast<std::uint8_t>(e.kind), std::move(payload)};
}

} // namespace

partition::start start_from(const storage::recovered& found, raft::membership bootstrap, bool may_vote) {
  partition::start start;
  auto& consensus = start.consensus;
  if (found.vote)
    consensus.durable = {found.vote->term, found.vote->vote, found.vote->rejoining};
  consensus.bootstrap = std::move(bootstrap);
  consensus.may_vote = may_vote;
  if (found.checkpoint) {
    start.checkpoint = found.checkpoint->number;
    start.record = found.checkpoint->record;
    auto members = partition::decode_membership(found.checkpoint->members);
    consensus.snapshot =
        raft::snapshot_ref{found.checkpoint->index, found.checkpoint->term, members.value_or(consensus.bootstrap),
                           partition::manifest_of(found.checkpoint->number)};
  }
  start.attempts = found.attempts;
  consensus.log.reserve(found.log.size());
  for (const auto& e : found.log)
    consensus.log.push_back(entry_from(e));
  return start;
}

namespace {

storage::checkpoint_record record_of(const partition::checkpoint_commit& c) {
  return {c.checkpoint, c.index, c.term, c.record, partition::encode(c.members)};
}

} // namespace

storage::log_batch to_batch(partition_id partition, const partition::log_write& w) {
  storage::log_batch batch;
  batch.partition = partition;
  if (w.what.state)
    batch.vote = storage::vote_record{w.what.state->term, w.what.state->vote, w.what.state->rejoining};
  batch.truncate_from = w.what.truncate_from;
  batch.append.reserve(w.what.append.size());
  for (const auto& e : w.what.append)
    batch.append.push_back(stored_from(e));
  batch.drop_below = w.what.drop_below;
  if (w.commit) {
    batch.checkpoint = record_of(*w.commit);
    batch.forgotten = w.commit->forgotten;
  }
  if (w.installed)
    batch.install = storage::install_record{record_of(*w.installed)};
  return batch;
}

} // namespace sluice::actors
