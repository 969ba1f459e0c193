#include "actors/partition.hpp"
#include "cluster/partition/wire.hpp"
#include "node/backup.hpp"
#include "node/folder_lock.hpp"

#include <spdlog/spdlog.h>

namespace sluice::node {

namespace {

/// A membership of this node alone, behind everything its log has: with the next start it elects itself, and what nobody
/// can contradict any more is committed. False: it holds no replica of that partition.
bool take_alone(storage::log_store& store, partition_id partition, node_id self) {
  auto found = store.recover(partition);
  if (found.damage)
    throw start_failure{"partition " + std::to_string(partition.value) + " is damaged here: " + *found.damage};
  auto consensus = actors::start_from(found, {}, true).consensus;
  if (actors::members_of(consensus).voters.empty()) {
    // It begins empty, and may vote for that.
    storage::log_batch free;
    free.partition = partition;
    free.vote = storage::vote_record{found.vote ? found.vote->term : 0, {}, false};
    store.write({free});
    return false;
  }
  auto last = found.last_index();
  auto last_term = found.log.empty() ? found.checkpoint->term : found.log.back().term;
  auto term = std::max(found.vote ? found.vote->term : 0, last_term) + 1;
  raft::membership alone;
  alone.voters = {self};
  storage::log_batch batch;
  batch.partition = partition;
  batch.vote = storage::vote_record{term, {}, false};
  batch.append.push_back({last + 1, term, static_cast<std::uint8_t>(raft::entry_kind::members),
                          std::make_shared<const std::string>(partition::encode(alone))});
  store.write({batch});
  spdlog::warn("recover.partition partition={} term={} index={} applied-from={}", partition.value, term, last + 1,
               found.checkpoint ? found.checkpoint->index : 0);
  return true;
}

/// Others knew better, but there are no others any more.
void believe(storage::log_store& store, partition_id partition) {
  if (store.get_fact(actors::untrue_fact(partition)) != "1")
    return;
  store.put_fact(actors::untrue_fact(partition), "");
  spdlog::warn("recover.untrue partition={}: its state was another than most voters'; it is all there is now", partition.value);
}

} // namespace

void recover_unsafe(storage::log_store& store, const std::string& cluster) {
  auto known = store.get_fact("cluster");
  auto node = store.get_fact("node");
  if (!known || !node)
    throw start_failure{"this data folder is of no cluster; there is nothing to recover"};
  if (*known != cluster)
    throw start_failure{"this data folder is of cluster " + *known + ", not " + cluster + "; nothing was changed"};
  node_id self{static_cast<std::uint32_t>(std::stoul(*node))};
  auto partitions = static_cast<std::uint32_t>(std::stoul(*store.get_fact("partitions")));
  std::string lost;
  for (std::uint32_t p = 0; p < partitions; ++p) {
    believe(store, {p});
    if (!take_alone(store, {p}, self))
      lost += (lost.empty() ? "" : ", ") + std::to_string(p);
  }
  auto epoch = std::stoul(store.get_fact("epoch").value_or("1")) + 1;
  store.put_fact("founder", "1"); // partitions without a replica here begin empty
  store.put_fact("founding-epoch", std::to_string(epoch));
  store.put_fact("peers", "");
  store.put_fact("recovered", lost.empty() ? "nothing was on other nodes only" : "lost: partitions " + lost);
  spdlog::warn("recover.done cluster={} node={} epoch={} partitions={} without-a-replica={}", cluster, self.value, epoch,
               partitions, lost.empty() ? "none" : lost);
  throw finished{"recovered: start this node as usual, it is the whole cluster now, in epoch " +
                      std::to_string(epoch) + "; the others join it as new nodes with empty folders. " +
                      (lost.empty() ? "It had replicas of every partition."
                                    : "LOST, since it had no replica of them: partitions " + lost)};
}

} // namespace sluice::node
