#include "fetcher.hpp"

#include "sim_cluster.hpp"

#include "cluster/partition/core.hpp"
#include "core/planted.hpp"

#include <algorithm>

namespace sluice::simulation {

// ---- the receiver ------------------------------------------------------------------------------------------------------

void fetcher::begin(partition_id partition, const partition::fetch_out& wanted) {
  if (run_.telling())
    run_.say("node " + std::to_string(node_.id().value) + " partition " + std::to_string(partition.value) +
             " fetches the checkpoint at index " + std::to_string(wanted.ref.index) + " from node " +
             std::to_string(wanted.from.value) + " as " + std::to_string(wanted.checkpoint));
  transfers_[partition] = {wanted, 0, 0, false, {}};
  ask(partition);
}

void fetcher::ask(partition_id partition) {
  auto& t = transfers_.at(partition);
  if (++t.tries > tries_max)
    return fail(partition);
  const auto& w = t.wanted;
  node_.home().net().send(node_.id(), w.from,
                          chunk_request{partition, partition::checkpoint_in(w.ref), w.ref.index, w.checkpoint, t.chunk});
  node_.clock().after(300 * ms, [this, partition, number = w.checkpoint, chunk = t.chunk] {
    auto known = transfers_.find(partition);
    bool waits = known != transfers_.end() && known->second.wanted.checkpoint == number && !known->second.complete;
    if (waits && known->second.chunk == chunk)
      ask(partition);
  });
}

void fetcher::take(node_id from, chunk_parcel part) {
  auto known = transfers_.find(part.partition);
  if (known == transfers_.end())
    return;
  auto& t = known->second;
  if (t.wanted.from != from || t.wanted.checkpoint != part.transfer || t.chunk != part.chunk || t.complete)
    return; // comes twice, or too late
  if (part.refused)
    return fail(part.partition);
  for (auto& [of, number, bytes] : part.pieces)
    node_.writer().put(part.partition, part.transfer, of, {record_piece{number, [held = std::move(bytes)] { return held; }}});
  if (!part.feed.empty() && !is_planted(planted::fetches_no_feed))
    node_.writer().put_feed(part.partition, part.transfer, std::move(part.feed));
  ++t.chunk;
  t.tries = 0;
  if (!part.last)
    return ask(part.partition);
  t.complete = true;
  t.record = std::move(part.record);
  node_.writer().end(part.partition, part.transfer);
}

bool fetcher::flushed(partition_id partition, std::uint64_t checkpoint) {
  auto known = transfers_.find(partition);
  if (known == transfers_.end() || known->second.wanted.checkpoint != checkpoint)
    return false;
  auto t = std::move(known->second);
  transfers_.erase(known);
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

void fetcher::give(node_id to, std::uint64_t incarnation, const chunk_request& wanted) {
  chunk_parcel part{wanted.partition, wanted.transfer, wanted.chunk, false, false, {}, {}, {}};
  auto all = pin(to, incarnation, wanted);
  if (!all) {
    part.refused = true;
    return node_.home().net().send(node_.id(), to, std::move(part));
  }
  auto pieces = all->pieces.size();
  auto size = std::max(run_.settings.chunk_pieces, (pieces + all->feed.size()) / chunks_max);
  auto first = std::size_t{wanted.chunk} * size, end = first + size;
  for (auto i = first; i < std::min(end, pieces); ++i)
    part.pieces.push_back(all->pieces[i]);
  for (auto i = std::max(first, pieces); i < std::min(end, pieces + all->feed.size()); ++i)
    part.feed.push_back(all->feed[i - pieces]);
  part.last = end >= pieces + all->feed.size();
  if (part.last)
    part.record = all->record.record;
  node_.home().net().send(node_.id(), to, std::move(part));
}

/// Pinned with the first part, so that a later checkpoint does not show; kept, since any part may be asked for again.
std::shared_ptr<const fetcher::image> fetcher::pin(node_id to, std::uint64_t incarnation, const chunk_request& wanted) {
  auto& held = images_[{to, wanted.partition}];
  if (held && held->incarnation == incarnation && held->transfer == wanted.transfer)
    return held;
  held.reset();
  auto pinned = wanted.chunk == 0 ? node_.disk().pin(wanted.partition, wanted.checkpoint) : nullptr;
  if (!pinned || pinned->record().index != wanted.index)
    return nullptr;
  auto copy = std::make_shared<image>();
  copy->incarnation = incarnation;
  copy->transfer = wanted.transfer;
  copy->record = pinned->record();
  pinned->scan_pieces(nullptr, [&](const entity_ref& of, std::uint32_t number, std::string_view bytes) {
    copy->pieces.emplace_back(of, number, std::string{bytes});
    return true;
  });
  pinned->scan_feed(0, [&](log_index index, std::string_view record) {
    copy->feed.emplace_back(index, std::string{record});
    return true;
  });
  held = std::move(copy);
  return held;
}

} // namespace sluice::simulation
