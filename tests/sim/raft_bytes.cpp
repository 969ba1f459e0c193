#include "raft_bytes.hpp"

#include "cluster/partition/core.hpp"
#include "core/planted.hpp"

#include <charconv>

namespace sluice::simulation {

std::string encode_members(const raft::membership& m) {
  std::string bytes;
  for (auto v : m.voters)
    bytes += "v" + std::to_string(v.value) + " ";
  for (auto l : m.learners)
    bytes += "l" + std::to_string(l.value) + " ";
  return bytes;
}

raft::membership decode_members(std::string_view bytes) {
  raft::membership m;
  while (!bytes.empty()) {
    auto end = bytes.find(' ');
    node_id node;
    std::from_chars(bytes.data() + 1, bytes.data() + end, node.value);
    (bytes.front() == 'v' ? m.voters : m.learners).insert(node);
    bytes.remove_prefix(end + 1);
  }
  return m;
}

storage::log_batch to_batch(partition_id partition, const partition::log_write& w) {
  storage::log_batch batch;
  batch.partition = partition;
  if (w.what.state)
    batch.vote = storage::vote_record{w.what.state->term, w.what.state->vote,
                                      w.what.state->rejoining && !is_planted(planted::forgets_rejoining)};
  batch.truncate_from = w.what.truncate_from;
  for (const auto& e : w.what.append) {
    auto payload = e.members ? std::make_shared<const std::string>(encode_members(*e.members)) : e.payload;
    batch.append.push_back({e.index, e.term, static_cast<std::uint8_t>(e.kind), std::move(payload)});
  }
  batch.drop_below = w.what.drop_below;
  auto record_of = [](const partition::checkpoint_commit& c) {
    return storage::checkpoint_record{c.checkpoint, c.index, c.term, c.record, encode_members(c.members)};
  };
  if (w.installed)
    batch.install = storage::install_record{record_of(*w.installed)};
  if (w.commit) {
    batch.checkpoint = record_of(*w.commit);
    batch.forgotten = w.commit->forgotten;
  }
  return batch;
}

raft::entry to_entry(const storage::stored_entry& e) {
  raft::entry entry{e.index, e.term, static_cast<raft::entry_kind>(e.kind), nullptr, nullptr};
  if (entry.kind == raft::entry_kind::commands)
    entry.payload = e.payload;
  else if (entry.kind == raft::entry_kind::members)
    entry.members = std::make_shared<const raft::membership>(decode_members(*e.payload));
  return entry;
}

partition::start to_start(const storage::recovered& found, const raft::membership& bootstrap) {
  partition::start start;
  auto& consensus = start.consensus;
  if (found.vote)
    consensus.durable = {found.vote->term, found.vote->vote, found.vote->rejoining};
  consensus.bootstrap = bootstrap;
  consensus.may_vote = !found.damage;
  if (found.checkpoint) {
    const auto& c = *found.checkpoint;
    start.checkpoint = c.number;
    start.record = c.record;
    consensus.snapshot =
        raft::snapshot_ref{c.index, c.term, decode_members(c.members), partition::manifest_of(c.number)};
  }
  start.attempts = found.attempts;
  for (const auto& e : found.log)
    consensus.log.push_back(to_entry(e));
  return start;
}

} // namespace sluice::simulation
