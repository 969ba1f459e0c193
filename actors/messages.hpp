// Every interface between the rooms and the actors. No CAF here: bridges and desks see only these; the actors' own message
// types are in handles.hpp.
#pragma once

#include "cluster/partition/types.hpp"

#include <cstdint>
#include <vector>

namespace sluice::actors {

/// Takes what partitions answer to requests of this process. Called from actor threads: thread-safe, must not block.
class answer_port {
public:
  virtual ~answer_port() = default;
  virtual void take(std::vector<partition::answer_out> answers, std::vector<partition::refusal_out> refusals) = 0;
};

/// Takes what leaders publish: boards, seat maps, the ranking. Called from actor threads, before the answers of the same
/// entry leave, so that on one node whoever has an answer reads its own write. Thread-safe, must not block.
class publication_port {
public:
  virtual ~publication_port() = default;
  virtual void take(partition_id partition, const std::vector<partition::publication_out>& publications) = 0;
};

/// Carries effects out. Called from actor threads: thread-safe, must not block.
class effect_port {
public:
  virtual ~effect_port() = default;
  virtual void start(partition_id partition, std::vector<partition::effect_out> effects) = 0;
  /// This node leads the partition no longer: its effects are the next leader's, who was told of all that are open.
  virtual void leave(partition_id partition) = 0;
  /// These groups are about to live in another partition, whose leader goes on with their effects.
  virtual void leave(partition_id partition, const std::vector<event_number>& groups) = 0;
};

/// What a replica needs of the other nodes, and of slow reads. Called from partition actors: thread-safe, must not block.
class peer_port {
public:
  virtual ~peer_port() = default;
  /// May be lost: consensus lives with it.
  virtual void send(partition_id partition, node_id to, const raft::message& m) = 0;
  /// Answered with `loaded_back`.
  virtual void load(partition_id partition, const raft::load& what) = 0;
  /// Answered with `fetched_back`.
  virtual void fetch(partition_id partition, const partition::fetch_out& what) = 0;
  /// This node leads the partition from now on, and takes proposals.
  virtual void leads(partition_id partition, log_term term) = 0;
  /// Somebody else may; `leader` 0: nobody known.
  virtual void follows(partition_id partition, log_term term, node_id leader) = 0;
  virtual void compare(partition_id partition, const partition::hash_out& hash) = 0;
  /// For `partition`, where the slot goes. Answered with `slot_pulled_back`, or not at all.
  virtual void pull(partition_id partition, const partition::slot_pull& what) = 0;
};

} // namespace sluice::actors
