#include "fetcher.hpp"

#include "sim_cluster.hpp"

#include "cluster/partition/core.hpp"

#include <utility>

namespace sluice::simulation {

fetcher::fetcher(scene& run, sim_node& node) : run_{run}, node_{node}, source_{node.disk(), run.settings.chunk_bytes} {}

// ---- the receiver ------------------------------------------------------------------------------------------------------

void fetcher::begin(partition_id partition, const partition::fetch_out& wanted) {
  if (run_.telling())
    run_.say("node " + std::to_string(node_.id().value) + " partition " + std::to_string(partition.value) +
             " fetches the checkpoint at index " + std::to_string(wanted.ref.index) + " from node " +
             std::to_string(wanted.from.value) + " as " + std::to_string(wanted.checkpoint));
  transfers_[partition] = {wanted, {}, {}, 0, false};
  ask(partition);
}

fetcher::transfer* fetcher::find(partition_id partition, std::uint64_t checkpoint) {
  auto known = transfers_.find(partition);
  return known != transfers_.end() && known->second.wanted.checkpoint == checkpoint ? &known->second : nullptr;
}

void fetcher::ask(partition_id partition) {
  auto& t = transfers_.at(partition);
  if (++t.tries > tries_max)
    return fail(partition);
  const auto& w = t.wanted;
  node_.home().net().send(
      node_.id(), w.from,
      chunk_request{partition, partition::checkpoint_in(w.ref), w.ref.index, w.checkpoint, t.position});
  node_.clock().after(300 * ms, [this, partition, number = w.checkpoint, position = t.position] {
    auto* now = find(partition, number);
    if (now != nullptr && !now->applying && now->position == position)
      ask(partition);
  });
}

void fetcher::take(node_id from, chunk_parcel part) {
  auto* t = find(part.partition, part.transfer);
  if (t == nullptr || t->wanted.from != from || t->position != part.position || t->applying ||
      part.checkpoint != partition::checkpoint_in(t->wanted.ref))
    return; // comes twice, or too late
  if (part.gone)
    return fail(part.partition);
  t->applying = true;
  storage::chunk_place at{part.partition, part.checkpoint, part.position};
  if (!part.part.record.empty())
    t->record = std::move(part.part.record);
  auto next = part.part.chunk.next;
  node_.writer().apply(at, part.transfer, std::move(part.part.chunk),
                       [this, partition = part.partition, checkpoint = part.transfer, next](bool sound) {
                         if (!sound)
                           return run_.fail("host", "a part of a checkpoint was refused");
                         applied(partition, checkpoint, next);
                       });
}

void fetcher::applied(partition_id partition, std::uint64_t checkpoint, const std::string& next) {
  auto* t = find(partition, checkpoint);
  if (t == nullptr)
    return;
  t->tries = 0;
  t->position = next;
  if (t->position.empty())
    return node_.writer().end(partition, checkpoint); // `applying` until the flush
  t->applying = false;
  ask(partition);
}

bool fetcher::flushed(partition_id partition, std::uint64_t checkpoint) {
  auto* known = find(partition, checkpoint);
  if (known == nullptr)
    return false;
  auto t = std::move(*known);
  transfers_.erase(partition);
  ++run_.counts[deed::fetched];
  node_.find(partition)->handle(partition::fetched{t.wanted.ref, checkpoint, std::move(t.record), true});
  return true;
}

void fetcher::fail(partition_id partition) {
  auto t = std::move(transfers_.at(partition));
  transfers_.erase(partition);
  if (run_.telling())
    run_.say("node " + std::to_string(node_.id().value) + " partition " + std::to_string(partition.value) +
             " gives up on checkpoint " + std::to_string(t.wanted.checkpoint));
  node_.disk().abandon(partition, t.wanted.checkpoint);
  node_.find(partition)->handle(partition::fetched{t.wanted.ref, t.wanted.checkpoint, {}, false});
}

// ---- the sender --------------------------------------------------------------------------------------------------------

void fetcher::give(node_id to, const chunk_request& wanted) {
  if (run_.untrue.contains({node_.id(), wanted.partition}))
    return; // two in the same wrong state would be a majority
  chunk_parcel out{wanted.partition, wanted.checkpoint, wanted.transfer, wanted.position, false, {}};
  auto given = source_.give(to, {wanted.partition, wanted.checkpoint, wanted.position}, wanted.index,
                            run_.settings.chunk_bytes, node_.reading().host, out.part);
  if (given == storage::giving::busy)
    return; // it asks again
  out.gone = given == storage::giving::gone;
  node_.home().net().send(node_.id(), to, std::move(out));
}

} // namespace sluice::simulation
