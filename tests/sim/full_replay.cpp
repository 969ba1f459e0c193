#include "full_replay.hpp"

#include "digest.hpp"

#include "actors/entity_shell.hpp"

#include <deque>
#include <map>
#include <set>

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
      if (!todo_.empty())
        deliver();
      else if (auto id = std::exchange(durable_, 0))
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
  void deliver() {
    auto d = std::move(todo_.front());
    todo_.pop_front();
    auto& shell = shells_[d.to];
    if (!shell)
      shell = actors::make_entity(d.to, {});
    touched_.insert(d.to);
    handle(shell->deliver(d));
  }

  void handle(partition::input in) {
    partition::outputs out;
    core_.handle({}, std::move(in), out);
    if (out.fatal)
      return run_.fail("replay", *out.fatal);
    for (const auto& w : out.writes)
      durable_ = std::max(durable_, w.what.id);
    for (auto event : out.forgotten) {
      std::erase_if(shells_, [&](const auto& known) { return known.first.event == event; });
      std::erase_if(touched_, [&](const auto& of) { return of.event == event; });
      digest_.erase_group(event);
    }
    for (const auto& f : out.feed)
      replay_.told(id_, f.index, f.record);
    if (core_.applied() > reached_)
      compare();
    for (auto& d : out.deliveries)
      todo_.push_back(std::move(d));
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
  std::deque<partition::delivery> todo_;
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
