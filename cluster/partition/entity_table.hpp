// Which entities are active, which changed since the last checkpoint, and which have yet to hand their share to the one in
// progress.
#pragma once

#include "cluster/partition/types.hpp"

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace sluice::partition {

/// Owned by one partition core. Tables are looked up, never iterated where order could show.
///
/// A checkpoint is a cut between two entries. It takes no pause: what was dirty at the cut owes its share; an entity is
/// asked for it before it is handed anything newer, the others a few at a time. Sessions passivated meanwhile leave their
/// record here until a checkpoint that carries it is in force; events, blocks and areas, which are larger, are passivated
/// only when the checkpoint in force carries all of them.
class entity_table {
public:
  struct limits {
    std::size_t active_sessions_max = 50'000;
    std::chrono::seconds idle{60};         // of a session
    std::chrono::seconds shared_idle{600}; // of an event, block or area
  };

  explicit entity_table(const limits& settings) : limits_{settings} {}

  /// Makes `d` deliverable: says how to activate, and asks for an owed share first. False: the entity is just being
  /// passivated; try again after its record came.
  bool prepare(host_time now, delivery& d, outputs& out);
  /// The same for questions and publications, which change nothing.
  bool prepare(host_time now, const entity_ref& of, activation& activate, kept_pieces& record);

  /// Passivates what was idle for long, and sessions beyond the limit. At most `most` of a kind at a time. `idle_session`
  /// takes the place of the limit's, for when memory is short.
  void passivate_idle(host_time now, std::size_t most, outputs& out,
                      std::optional<std::chrono::seconds> idle_session = std::nullopt);

  // ---- checkpoints ----

  /// The cut is here: everything dirty owes its share.
  void begin_checkpoint(std::uint64_t number, outputs& out);
  /// Asks up to `most` more entities. Call until `checkpoint_complete`.
  void collect(std::size_t most, outputs& out);

  bool checkpoint_complete() const { return checkpoint_ != 0 && owed_.empty() && asked_ == 0; }

  /// True while `collect` has something left to do.
  bool owes() const { return !owed_.empty(); }

  /// The checkpoint is in force: records kept only because it was not are dropped.
  void checkpoint_in_force();

  /// A piece of an entity that another partition had. It is not active.
  void adopt(const entity_ref& of, std::uint32_t piece, std::string bytes);

  /// Takes an entity's share or last record.
  void accept(saved s, outputs& out);

  /// The group ended, or left: its entities are gone once they have given the checkpoint in progress what they owe it.
  void forget(event_number event, outputs& out);

  std::size_t active() const { return active_; }

  bool is_active(const entity_ref& of) const;

  std::size_t active_sessions() const { return recent_.size(); }

private:
  struct slot {
    bool active = false;
    bool stopping = false;              // asked for its last record
    bool dirty = false;                 // changed since the last cut
    bool owes = false;                  // to the checkpoint in progress
    activation how = activation::fresh; // while it is not active; else what is said here is in `record`
    kept_pieces record; // what no checkpoint in force carries; none with activation::kept: it holds nothing
    host_time used{};
    std::list<entity_ref>::iterator recent; // valid while active and not stopping
  };

  void passivate_idle_shared(host_time now, std::size_t most, outputs& out);
  void stop(const entity_ref& of, slot& s, outputs& out);
  std::list<entity_ref>& recent_of(const entity_ref& of);
  slot& touch(host_time now, const entity_ref& of, activation& activate, kept_pieces& record);
  void ask_share(const entity_ref& of, slot& s, outputs& out);
  void hand_in_record(const entity_ref& of, const slot& s, outputs& out);

  limits limits_;
  std::unordered_map<entity_ref, slot> slots_;
  std::list<entity_ref> recent_;  // active sessions, least recently used first
  std::list<entity_ref> shared_;  // the other active ones, least recently used first
  std::vector<entity_ref> dirty_; // in the order they became dirty
  std::uint64_t checkpoint_ = 0;  // in progress; 0: none
  std::vector<entity_ref> owed_;  // not asked yet (those asked early are skipped)
  std::vector<entity_ref> kept_;  // passive ones whose record the checkpoint in progress carries
  std::size_t asked_ = 0;         // shares asked for, not received
  std::set<entity_ref> orphans_;  // of groups that ended; their last record, under way, is such a share
  std::size_t active_ = 0;
};

} // namespace sluice::partition
