// The network between nodes: what they send each other, as bytes where production has bytes, and what becomes of it.
// Links keep their order as connections do, and what is lost takes the connection with it; or it is free for all.
#pragma once

#include "scene.hpp"

#include "cluster/partition/types.hpp"
#include "storage/snapshot_source.hpp"

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace sluice::simulation {

class sim_cluster;

struct raft_parcel {
  partition_id partition;
  std::string bytes;
};

/// Commands, and notes of other partitions, for a leader.
struct commands_parcel {
  partition_id partition;
  std::vector<partition::proposal> all;
};

struct questions_parcel {
  partition_id partition;
  std::vector<partition::query> all;
};

/// All of one entry.
struct answers_parcel {
  struct item {
    partition::origin to;
    log_index index = 0;
    std::string reply;
  };

  partition_id partition;
  std::vector<item> replies;
};

struct refusal_parcel {
  partition::refusal_out what;
  node_id leader; // as far as the refusing node knows; 0: it does not
};

/// From a new leader to everybody; or from one who does not lead to whoever thought so.
struct leads_parcel {
  partition_id partition;
  log_term term = 0;
  node_id leader; // 0: unknown
};

struct hash_parcel {
  partition_id partition;
  partition::hash_out what;
};

/// Give me the next part of a checkpoint.
struct chunk_request {
  partition_id partition;
  std::uint64_t checkpoint = 0; // of the node asked
  log_index index = 0;
  std::uint64_t transfer = 0; // the asking node's number for it; a later process may use it again
  std::string position;
};

struct chunk_parcel {
  partition_id partition;
  std::uint64_t checkpoint = 0;
  std::uint64_t transfer = 0;
  std::string position;
  bool gone = false; // there is no such checkpoint
  storage::snapshot_part part;
};

/// Give me the next part of a slot that comes to `to`.
struct slot_request {
  partition_id to;
  partition::slot_pull what;
};

struct slot_parcel {
  partition_id to;
  partition::slot_pulled what;
};

using parcel = std::variant<raft_parcel, commands_parcel, questions_parcel, answers_parcel, refusal_parcel,
                            leads_parcel, hash_parcel, chunk_request, chunk_parcel, slot_request, slot_parcel>;

/// Owned by one cluster.
class peer_net {
public:
  static constexpr std::size_t nodes_max = 6; // counted from 1

  peer_net(scene& run, sim_cluster& home) : run_{run}, home_{home} {}

  void send(node_id from, node_id to, parcel what);

  /// What is on its way is lost, and both ends may notice.
  void break_link(node_id a, node_id b);
  /// Of a node that died: its peers may notice.
  void break_links(node_id of);

  void cut(node_id from, node_id to) { cut_[from.value][to.value] = true; }

  void heal() { cut_ = {}; }

  bool is_cut(node_id from, node_id to) const { return cut_[from.value][to.value]; }

private:
  void carry(node_id from, node_id to, parcel what, micros takes);
  void notice(node_id who, node_id lost);

  template <class T>
  using matrix = std::array<std::array<T, nodes_max>, nodes_max>;

  scene& run_;
  sim_cluster& home_;
  matrix<bool> cut_{};
  matrix<micros> arrives_{};           // the last one on this link
  matrix<micros> latest_{};            // the same where links do not keep their order
  matrix<std::uint32_t> connection_{}; // which one it is
};

} // namespace sluice::simulation
