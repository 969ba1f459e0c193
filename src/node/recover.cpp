#include "actors/partition.hpp"
#include "cluster/partition/wire.hpp"
#include "node/backup.hpp"
#include "node/folder_lock.hpp"
#include "node/identity.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>

namespace sluice::node {

namespace {

constexpr partition_id catalogue_partition{0};

/// A membership of this node alone, behind everything its log has: with the next start it elects itself, and what nobody
/// can contradict any more is committed.
void take_alone(storage::log_store& store, partition_id partition, node_id self) {
  auto found = store.recover(partition);
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
}

/// No replica of it is left: it begins empty, and this node may vote for that.
void begin_empty(storage::log_store& store, partition_id partition) {
  auto found = store.recover(partition);
  storage::log_batch free;
  free.partition = partition;
  free.vote = storage::vote_record{found.vote ? found.vote->term : 0, {}, false};
  store.write({free});
}

enum class replica : std::uint8_t { none, former, behind, member };

/// What this node has of it. Throws if it is damaged.
replica replica_of(storage::log_store& store, partition_id partition, node_id self) {
  auto found = store.recover(partition);
  if (found.damage)
    throw start_failure{"partition " + std::to_string(partition.value) + " is damaged here: " + *found.damage +
                        "; nothing was changed"};
  auto members = actors::members_of(actors::start_from(found, {}, true).consensus);
  if (members.voters.empty())
    return replica::none;
  if (store.get_fact(left_fact(partition)) == "1")
    return replica::former;
  // One that is filled anew begins with memberships of long ago.
  if (members.learners.contains(self) || (found.vote && found.vote->rejoining))
    return replica::behind;
  return members.voters.contains(self) ? replica::member : replica::former;
}

/// "3, 5"
std::string list_of(const std::map<partition_id, replica>& all, replica wanted) {
  std::string text;
  for (auto [partition, what] : all)
    if (what == wanted)
      text += (text.empty() ? "" : ", ") + std::to_string(partition.value);
  return text;
}

/// Others knew better, but there are no others any more.
void believe(storage::log_store& store, partition_id partition) {
  if (store.get_fact(actors::untrue_fact(partition)) != "1")
    return;
  store.put_fact(actors::untrue_fact(partition), "");
  spdlog::warn(
      "recover.untrue partition={}: its state was another than most voters'; it is all there is now: check each of its events with sluicectl verify",
      partition.value);
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
  std::map<partition_id, replica> has;
  for (std::uint32_t p = 0; p < partitions; ++p)
    has[{p}] = replica_of(store, {p}, self);
  if (has[catalogue_partition] != replica::member && has[catalogue_partition] != replica::behind)
    throw start_failure{
        "this node is no member of partition 0, which knows what events, nodes and keys there are; nothing was "
        "changed: recover on a survivor that is, or restore a backup"};
  for (auto [partition, what] : has) {
    believe(store, partition);
    if (what == replica::none)
      begin_empty(store, partition);
    else
      take_alone(store, partition, self);
  }
  auto lost = list_of(has, replica::none);
  auto old = list_of(has, replica::former);
  auto behind = list_of(has, replica::behind);
  auto epoch = std::stoul(store.get_fact("epoch").value_or("1")) + 1;
  if (auto before = store.get_fact("lost").value_or("");
      !before.empty() && store.get_fact("founding-epoch") == std::to_string(epoch))
    lost = before + (lost.empty() ? "" : ", " + lost); // recovered before, and not founded since
  store.put_fact("founder", "1");                      // partitions without a replica here begin empty
  store.put_fact("founding-epoch", std::to_string(epoch));
  store.put_fact("lost", lost);
  store.put_fact("peers", "");
  std::string gone = lost.empty() ? "" : "LOST, since it had no replica of them: partitions " + lost + ". ";
  if (!old.empty())
    gone += "OLD: partitions " + old + ", as they were when they were moved away from it. ";
  if (!behind.empty())
    gone += "BEHIND: partitions " + behind + ", which were still being copied to it. ";
  store.put_fact("recovered", gone.empty() ? "nothing was on other nodes only" : gone);
  spdlog::warn("recover.done cluster={} node={} epoch={} partitions={} lost={} old={} behind={}", cluster, self.value,
               epoch, partitions, lost.empty() ? "none" : lost, old.empty() ? "none" : old,
               behind.empty() ? "none" : behind);
  throw finished{"recovered: start this node as usual, it is the whole cluster now, in epoch " + std::to_string(epoch) +
                 "; the others join it as new nodes with empty folders. " +
                 (gone.empty() ? "It had replicas of every partition."
                               : gone + "Events that are gone are taken off the list: apply their definitions again")};
}

} // namespace sluice::node
