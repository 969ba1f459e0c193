#include "full_replay.hpp"

#include "digest.hpp"

#include "actors/entity_shell.hpp"
#include "cluster/partition/activation.hpp"

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace sluice::simulation {

namespace {

/// Hosts one core without disk, delay or clock.
class replayer {
public:
  replayer(scene& run, replay_checker& replay, partition::config settings)
      : run_{run}, replay_{replay}, id_{settings.partition}, core_{std::move(settings)} {}

  void run(std::vector<raft::entry> log, log_term term) {
    auto last = log.empty() ? 0 : log.back().index;
    partition::start start;
    start.consensus.durable = {term, node_id{1}, false};
    start.consensus.bootstrap = {{node_id{1}}, {}};
    start.consensus.log = std::move(log);
    handle(std::move(start));
    while (!run_.failed()) {
      if (!todo_.empty()) {
        auto next = std::move(todo_.front());
        todo_.pop_front();
        handle(next());
      } else if (auto id = std::exchange(durable_, 0))
        handle(partition::written{id});
      else if (auto before = core_.applied(); before < last) {
        handle(partition::tick{}); // more of the log than one call hands out
        if (core_.applied() == before && todo_.empty())
          break;
      } else {
        break;
      }
    }
    if (core_.applied() < last)
      run_.fail("replay", "partition " + std::to_string(id_.value) + " stops at index " +
                              std::to_string(core_.applied()) + " of " + std::to_string(last));
  }

private:
  partition::input deliver(const partition::delivery& d) {
    if (d.activate != partition::activation::none)
      shells_[d.to] =
          actors::make_entity(d.to, partition::pieces_of(d.activate, d.record, [&] { return stored(d.to); }),
                              d.activate == partition::activation::adopted);
    touched_.insert(d.to);
    return shells_.at(d.to)->deliver(d);
  }

  // A slot that comes back waits for a checkpoint, and what came in the meantime is in one.

  loaded_pieces stored(const entity_ref& of) const {
    loaded_pieces pieces;
    for (auto at = store_.lower_bound({of, 0}); at != store_.end() && at->first.first == of; ++at)
      pieces.emplace_back(at->first.second, at->second);
    return pieces;
  }

  void commit(const partition::checkpoint_commit& c) {
    for (auto event : c.forgotten)
      std::erase_if(store_, [&](const auto& piece) { return piece.first.first.event == event; });
    for (auto& [key, bytes] : std::exchange(pending_, {}))
      if (bytes)
        store_.insert_or_assign(key, *bytes);
      else
        store_.erase(key);
    todo_.push_back([number = c.checkpoint]() -> partition::input { return partition::checkpoint_committed{number}; });
  }

  void take_checkpoint(partition::outputs& out) {
    for (auto& s : out.saves)
      todo_.push_back([this, s]() -> partition::input {
        return partition::saved{s.of, s.checkpoint, s.passivate, shells_.at(s.of)->save()};
      });
    for (auto& p : out.pieces)
      for (auto& piece : p.pieces)
        pending_.emplace_back(std::pair{p.of, piece.number}, piece.bytes ? std::optional{piece.bytes()} : std::nullopt);
    for (const auto& e : out.ends)
      todo_.push_back([number = e.checkpoint]() -> partition::input { return partition::checkpoint_flushed{number}; });
    for (const auto& w : out.writes)
      if (w.commit)
        commit(*w.commit);
  }

  void handle(partition::input in) {
    partition::outputs out;
    core_.handle({}, std::move(in), out);
    if (out.fatal)
      return run_.fail("replay", *out.fatal);
    for (const auto& w : out.writes)
      durable_ = std::max(durable_, w.what.id);
    for (const auto& o : out.opened) // and perhaps gone again
      if (const auto* all = replay_.as_fenced(o.slot, o.from, o.fenced))
        for (const auto& [of, value] : *all)
          digest_.set(of, value);
    for (auto event : out.forgotten) {
      std::erase_if(touched_, [&](const auto& of) { return of.event == event; });
      digest_.erase_group(event);
    }
    for (const auto& f : out.feed)
      replay_.told(id_, f.index, f.record);
    if (core_.applied() > reached_)
      compare();
    take_checkpoint(out);
    for (auto event : out.forgotten)
      todo_.push_back([this, event]() -> partition::input {
        std::erase_if(shells_, [&](const auto& known) { return known.first.event == event; });
        return partition::tick{};
      });
    for (auto& d : out.deliveries)
      todo_.push_back([this, delivery = std::move(d)]() -> partition::input { return deliver(delivery); });
  }

  void compare() {
    reached_ = core_.applied();
    if (reached_ > replay_.executed_to(id_))
      return; // its own first entry as a leader
    const digest* all = nullptr;
    if (reached_ % run_.settings.digest_every == 0) {
      for (const auto& of : std::exchange(touched_, {}))
        digest_.set(of, digest_of(of, *shells_.at(of)));
      all = &digest_;
    }
    replay_.reached(id_, reached_, core_.state_hash(), all);
  }

  scene& run_;
  replay_checker& replay_;
  partition_id id_;
  partition::core core_;
  std::map<entity_ref, std::unique_ptr<actors::entity_shell>> shells_;
  std::set<entity_ref> touched_;
  digest digest_;
  log_index reached_ = 0;
  std::deque<std::function<partition::input()>> todo_;
  std::map<std::pair<entity_ref, std::uint32_t>, std::string> store_;
  std::vector<std::pair<std::pair<entity_ref, std::uint32_t>, std::optional<std::string>>> pending_;
  std::uint64_t durable_ = 0; // write to confirm
};

} // namespace

void replay_from_the_beginning(scene& run, replay_checker& replay, partition::config settings) {
  auto log = replay.log(settings.partition);
  auto term = log.empty() ? 0 : log.back().term;
  for (auto& e : log) // the only voter there is now
    if (e.members)
      e.members = std::make_shared<const raft::membership>(raft::membership{{node_id{1}}, {}});
  settings.checkpoint_entries = ~log_index{0};
  settings.checkpoint_log_bytes = ~std::size_t{0};
  settings.entities = {};
  settings.consensus.self = {1};
  ++run.counts[deed::replays_checked];
  replayer{run, replay, std::move(settings)}.run(std::move(log), term);
}

} // namespace sluice::simulation
