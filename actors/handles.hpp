// The actors' message types and typed handles. Local messages only: between nodes travel Protobuf bytes.
#pragma once

#include "cluster/partition/core.hpp"
#include "cluster/partition/types.hpp"

#include <caf/all.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace sluice::actors {

// ---- to an entity, from its partition ----

/// What a superstep brings to entities. Each executes its own delivery and leaves the result beside it; whoever is last
/// hands all of them back, so that a step costs the partition one message, however many entities it has.
struct delivery_batch {
  explicit delivery_batch(std::vector<partition::delivery> all)
      : deliveries{std::move(all)}, results(deliveries.size()), missing{deliveries.size()} {}

  const std::vector<partition::delivery> deliveries;
  std::vector<partition::delivered> results; // each written by one entity
  std::atomic<std::size_t> missing;
};

struct deliver {
  std::shared_ptr<delivery_batch> batch;
  std::size_t place = 0; // of the entity's own delivery
};

struct save {
  partition::save_request body;
};

struct publish_all {
  partition::publish_request body;
};

/// The answer goes straight back to whoever asked, through the router.
struct answer_question {
  std::shared_ptr<const partition::ask> body;
};

/// For `inspect`: the entity as JSON.
struct describe_entity {
  std::function<void(std::string)> done;
};

/// The placement group is gone, or the node stops.
struct end_entity {};

using entity_actor =
    caf::typed_actor<caf::reacts_to<deliver>, caf::reacts_to<save>, caf::reacts_to<publish_all>,
                     caf::reacts_to<answer_question>, caf::reacts_to<describe_entity>, caf::reacts_to<end_entity>>;

// ---- to a partition ----

struct proposals {
  std::shared_ptr<std::vector<partition::proposal>> body;
};

struct questions {
  std::shared_ptr<std::vector<partition::query>> body;
};

/// From the log writer: this write, and all before it, are durable.
struct became_durable {
  std::uint64_t write_id = 0;
  std::uint64_t checkpoint = 0;
  std::chrono::microseconds took{};
};

/// From the entity that was the last one.
struct delivered_back {
  std::shared_ptr<delivery_batch> batch;
};

struct saved_back {
  std::shared_ptr<partition::saved> body;
};

struct published_back {
  entity_ref by;
  std::shared_ptr<std::vector<partition::publication_out>> body;
};

/// From the checkpoint writer.
struct flushed {
  std::uint64_t checkpoint = 0;
};

struct time_passed {
  std::uint64_t timer = 0; // which; only the last one set counts
};

/// From the same partition's replica on another node.
struct replica_said {
  node_id from;
  std::uint64_t incarnation = 0;
  std::shared_ptr<raft::message> body;
};

/// The process of a node ended, or nothing comes through; a hint.
struct node_lost {
  node_id node;
};

/// Entries read back from the log.
struct loaded_back {
  std::shared_ptr<raft::loaded> body;
};

/// A peer's checkpoint is here, or can not be had.
struct fetched_back {
  std::shared_ptr<partition::fetched> body;
};

/// Where the membership shall go; for the leader.
struct replicate_on {
  raft::membership target;
};

/// The partition's replica here is of before it was moved away: what it keeps can go.
struct vacate_replica {
  raft::vacate what;
};

struct hand_over {
  node_id to;
};

/// A slot shall live in another partition; for the leader. `done` with what comes of it.
struct move_slot_to {
  partition::move_slot what;
  std::function<void(partition::slot_prospect)> done;
};

/// A part of a slot that comes here, or none.
struct slot_pulled_back {
  std::shared_ptr<partition::slot_pulled> body;
};

/// A bridge has lost track: publish everything again.
struct publish_again {};

/// Memory is short.
struct shrink_now {};

/// Another replica's state hash.
struct compare_hash {
  node_id from;
  log_index index = 0;
  std::uint64_t hash = 0;
};

/// Take a checkpoint whatever changed; for a clean stop.
struct checkpoint_please {};

/// Looks at the partition from inside its actor; must be quick.
struct look_inside {
  std::function<void(const partition::core&)> look;
};

/// For `inspect`: which entities are active.
struct list_entities {
  std::function<void(std::vector<entity_ref>)> done;
};

/// For `inspect`: one entity as JSON; activates nothing, empty if it is not active.
struct inspect_entity {
  entity_ref of;
  std::function<void(std::string)> done;
};

struct stop_partition {
  std::function<void()> stopped;
};

using partition_actor =
    caf::typed_actor<caf::reacts_to<proposals>, caf::reacts_to<questions>, caf::reacts_to<became_durable>,
                     caf::reacts_to<delivered_back>, caf::reacts_to<saved_back>, caf::reacts_to<published_back>,
                     caf::reacts_to<flushed>, caf::reacts_to<time_passed>, caf::reacts_to<checkpoint_please>,
                     caf::reacts_to<look_inside>, caf::reacts_to<list_entities>, caf::reacts_to<inspect_entity>,
                     caf::reacts_to<stop_partition>, caf::reacts_to<replica_said>, caf::reacts_to<node_lost>,
                     caf::reacts_to<loaded_back>, caf::reacts_to<fetched_back>, caf::reacts_to<replicate_on>,
                     caf::reacts_to<hand_over>, caf::reacts_to<publish_again>, caf::reacts_to<compare_hash>,
                     caf::reacts_to<move_slot_to>, caf::reacts_to<slot_pulled_back>, caf::reacts_to<shrink_now>,
                     caf::reacts_to<vacate_replica>>;

} // namespace sluice::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::deliver)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::save)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::publish_all)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::answer_question)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::describe_entity)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::end_entity)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::proposals)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::questions)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::became_durable)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::delivered_back)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::saved_back)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::published_back)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::flushed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::time_passed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::checkpoint_please)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::look_inside)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::list_entities)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::inspect_entity)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::stop_partition)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::replica_said)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::node_lost)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::loaded_back)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::fetched_back)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::replicate_on)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::hand_over)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::publish_again)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::compare_hash)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::move_slot_to)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::slot_pulled_back)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::shrink_now)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::vacate_replica)
