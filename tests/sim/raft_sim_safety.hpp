// What must hold after every step, whoever did what. Each check costs the same however long the run: it looks only at
// what this step changed, and leans on induction for the rest.
#pragma once

#include "raft_sim_parts.hpp"

#include <string>
#include <unordered_map>

namespace sluice::sim {

/// Thrown where an invariant breaks; ends the run.
struct violation {
  std::string what;
};

[[noreturn]] void violated(const std::string& what);

/// The truth about the cluster, gathered from what the replicas did.
class safety {
public:
  struct committed_entry {
    log_term term = 0;
    std::uint64_t hash = 0;
    std::uint64_t rolling = 0; // over all entries up to this one
    log_term committed_in = 0; // the term of the leader that found it committed
  };

  /// Election safety: at most one leader in a term.
  void leads(log_term term, node_id who);

  /// Log matching: an index and a term name one entry with one predecessor, in every log there ever was.
  void appends(log_index index, log_term term, std::uint64_t hash, log_term previous_term);

  /// A leader of this term committed up to `index` of its log.
  void commits(log_index index, log_term term, const shadow_log& log);

  /// The last index committed in a term before this one: what its leader must have.
  log_index committed_before(log_term term) const;

  log_index committed() const { return entries_.size(); }

  /// `index` from 1 to committed().
  const committed_entry& at(log_index index) const { return entries_[index - 1]; }

  std::uint64_t rolling(log_index index) const { return index == 0 ? 0 : at(index).rolling; }

  const raft::membership& members() const { return *members_; }

  void begins_with(raft::membership m) { members_ = std::make_shared<const raft::membership>(std::move(m)); }

private:
  struct seen_entry {
    log_term term;
    std::uint64_t hash;
    log_term previous_term;
    std::uint32_t next; // another one at this index, +1
  };

  std::unordered_map<log_term, node_id> leaders_;
  std::vector<std::uint32_t> seen_at_; // by index, +1
  std::vector<seen_entry> seen_;
  std::vector<committed_entry> entries_;
  std::shared_ptr<const raft::membership> members_;
};

} // namespace sluice::sim
