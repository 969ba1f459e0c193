// Checkpoints on their way between nodes: gives parts of the own ones to peers that ask, and pulls what replicas here need.
// One part of a partition is under way at a time: the puller sets the pace, and a part that got lost is asked for again.
#pragma once

#include "actors/worker.hpp"
#include "cluster/partition/core.hpp"
#include "storage/log_store.hpp"
#include "storage/snapshot_source.hpp"

#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>

namespace sluice::proto {
class PullPart;
class SnapshotPart;
} // namespace sluice::proto

namespace sluice::actors {

/// Thread-safe; the work is done on threads of its own.
class snapshot_transfer {
public:
  static constexpr std::size_t pulls_max = 4; // partitions at a time; the others wait

  struct hooks {
    std::function<bool(node_id, const std::string& item)> send;
    std::function<void(partition_id, partition::fetched)> fetched;
    std::function<void(partition_id, std::uint64_t checkpoint)> given_up; // what is here of it can go
    std::function<host_time()> now;
  };

  snapshot_transfer(storage::log_store& store, hooks how);

  // ---- pulling ----

  /// Takes the place of a pull of the same partition.
  void fetch(partition_id partition, const partition::fetch_out& what);
  /// The attempt is durable: its pieces may be written.
  void begun(partition_id partition, std::uint64_t attempt);
  void got(node_id from, const proto::SnapshotPart& part);
  /// Asks again for what did not come; gives up what makes no progress. To be called several times a second.
  void tick();

  // ---- giving ----

  void asked(node_id from, const proto::PullPart& pull);
  /// A part for anybody else, a backup say; `reader` names the pin. `done` from another thread, with a SnapshotPart;
  /// with nothing when others are being served: to be asked again.
  void read(node_id reader, const proto::PullPart& pull, std::function<void(std::string)> done);

  void stop();

  struct figures {
    std::uint64_t parts_given = 0;
    std::uint64_t parts_taken = 0;
    std::uint64_t bytes_taken = 0; // as they travelled
    std::uint64_t pulled = 0;      // checkpoints, whole
    std::uint64_t failed = 0;
    std::uint64_t pulling = 0; // now
  };

  figures count() const;

private:
  struct pull {
    std::uint64_t id = 0;
    partition::fetch_out what;
    bool begun = false;
    bool active = false;
    bool applying = false;
    std::string position;
    std::string record;
    host_time asked_at{};
    host_time progress_at{};
  };

  void activate_some();
  void ask(partition_id partition, pull& p);
  void tell_done(partition_id partition, const pull& p);
  void apply(partition_id partition, std::uint64_t id, const proto::SnapshotPart& part);
  /// `why` there is no checkpoint; empty: there is.
  void end(partition_id partition, const char* why);
  void give(node_id from, const proto::PullPart& pull);
  bool fill(node_id from, const proto::PullPart& pull, proto::SnapshotPart& out);

  storage::log_store& store_;
  hooks how_;
  storage::snapshot_source source_;
  mutable std::mutex lock_;
  std::map<partition_id, pull> pulls_;
  std::map<partition_id, std::uint64_t> begun_;
  std::uint64_t next_id_ = 1;
  figures figures_;
  worker giver_{"snap-give", 5};
  worker taker_{"snap-take", 5};
};

} // namespace sluice::actors
