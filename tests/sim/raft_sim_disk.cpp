// What a node of the raft simulation writes, and when that is on its disk.
#include "raft_sim_cluster.hpp"

namespace sluice::sim {

void cluster_sim::wrote(replica& r, raft::write w) {
  auto name = "node " + std::to_string(r.id.value);
  if (w.id <= r.last_write)
    violated(name + ": write ids do not grow");
  r.last_write = w.id;
  auto& log = r.shadow;
  if (w.install) {
    log.entries.reset(w.install->index);
    log.base_term = w.install->term;
    log.configs = {{w.install->index, std::make_shared<const raft::membership>(w.install->members)}};
    if (w.install->index == 0)
      r.commit = 0;
  }
  if (w.truncate_from) {
    auto from = *w.truncate_from;
    // By log matching, if the first entry cut off is not a committed one, none after it is. A late leader of an older
    // term may cut a copy that a later leader did not count.
    if (from <= safety_.committed() && log.term_at(from) == safety_.at(from).term &&
        safety_.at(from).committed_in <= r.core->term())
      violated(name + " truncates committed index " + std::to_string(from));
    counts_.entries_truncated += log.entries.last() + 1 - from;
    log.entries.truncate_from(from);
    while (log.configs.size() > 1 && log.configs.back().index >= from)
      log.configs.pop_back();
  }
  for (auto& e : w.append) {
    if (e.index != log.entries.last() + 1)
      violated(name + " writes index " + std::to_string(e.index) + " after " + std::to_string(log.entries.last()));
    auto hash = hash_of_entry(e);
    // A single voter leads before its term is durable; what it forgets again with the term was never anywhere.
    if (r.disk.state.term >= e.term || !r.core->is_leader())
      safety_.appends(e.index, e.term, hash, log.term_at(e.index - 1));
    log.entries.push({e.term, hash});
    if (e.members)
      log.configs.push_back({e.index, e.members});
  }
  if (w.drop_below) {
    auto base = *w.drop_below - 1;
    if (base > r.applied || !r.disk.snapshot || base > r.disk.snapshot->index)
      violated(name + " drops what is in no checkpoint");
    log.base_term = log.term_at(base);
    log.entries.drop_to(base);
  }
  r.disk.queue.push_back(std::move(w));
  if (r.disk.syncing == 0)
    begin_sync(r);
}

/// One fsync covers everything queued by now.
void cluster_sim::begin_sync(replica& r) {
  r.disk.syncing = r.disk.queue.back().id;
  auto takes = dice_.between(weather_.disk_min, weather_.disk_max);
  if (now_ < r.disk.slow_until)
    takes += dice_.between(10 * ms, 1 * second);
  schedule(now_ + takes, kind::synced, r.id.value - 1, r.life);
}

void cluster_sim::synced(replica& r, std::uint64_t upto) {
  auto& disk = r.disk;
  while (!disk.queue.empty() && disk.queue.front().id <= upto) {
    auto& w = disk.queue.front();
    if (w.state && (w.state->term < disk.state.term ||
                    (w.state->term == disk.state.term && disk.state.vote && w.state->vote != disk.state.vote)))
      violated("node " + std::to_string(r.id.value) + " goes back on its term or vote");
    if (w.state && r.lost && disk.state.rejoining && !w.state->rejoining) {
      r.lost = false;
      ++counts_.readmitted;
    }
    if (w.install) {
      r.applied = w.install->index;
      r.state = w.install->manifest ? payload_number(*w.install->manifest) : 0;
      r.members = w.install->members;
      ++(w.install->index == 0 ? counts_.vacated : counts_.snapshots_installed);
      if (w.install->index > safety_.committed() || r.state != safety_.rolling(w.install->index))
        violated("node " + std::to_string(r.id.value) + " installs a checkpoint of another history");
    }
    perform(r, w);
    disk.queue.pop_front();
  }
  disk.syncing = 0;
  if (!disk.queue.empty())
    begin_sync(r);
  // Messages first or the core first: a host may do either.
  auto messages_first = dice_.coin();
  if (messages_first)
    release(r, upto);
  give(r, raft::written{upto});
  if (!messages_first)
    release(r, upto);
}

/// A write reaches the disk for good.
void cluster_sim::perform(replica& r, const raft::write& w) {
  r.disk.perform(w);
  if (w.install && w.install->index == 0)
    r.bootstrap = {}; // it knows no cluster until a leader finds it
  for (auto& e : w.append) {
    auto& log = r.disk.log;
    if (log.has(e.index - 1))
      safety_.appends(e.index, e.term, hash_of_entry(e), log.at(e.index - 1).term);
  }
}

void cluster_sim::release(replica& r, std::uint64_t upto) {
  auto keep = r.held.begin();
  for (auto s = r.held.begin(); s != r.held.end(); ++s) {
    if (s->after <= upto)
      post(r, s->to, std::move(s->body));
    else {
      if (keep != s)
        *keep = std::move(*s);
      ++keep;
    }
  }
  r.held.erase(keep, r.held.end());
}

void cluster_sim::load(replica& r, const raft::load& wanted) {
  ++counts_.loads;
  raft::loaded found{wanted.id, {}};
  std::size_t bytes = 0;
  auto& log = r.disk.log;
  for (auto i = wanted.first; log.has(i) && i <= wanted.last; ++i) {
    bytes += log.at(i).bytes();
    if (!found.entries.empty() && bytes > wanted.max_bytes)
      break;
    found.entries.push_back(log.at(i));
  }
  give(r, std::move(found));
}

void cluster_sim::checkpoint(replica& r) {
  r.checkpointing = true;
  std::string manifest(sizeof r.state, '\0');
  std::memcpy(manifest.data(), &r.state, sizeof r.state);
  raft::snapshot_ref ref{r.applied, safety_.at(r.applied).term, r.members,
                         std::make_shared<const std::string>(std::move(manifest))};
  schedule(now_ + dice_.spread(1 * ms, 500 * ms), kind::checkpointed, r.id.value - 1, r.life,
           refs_.put(std::move(ref)));
}

} // namespace sluice::sim
