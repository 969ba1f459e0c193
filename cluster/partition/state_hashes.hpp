// Whether the replicas of a partition are in the same state. Equal entries must give equal states; where they do not, memory,
// disk or code failed on some node, and the voters tell which: most of them are right.
#pragma once

#include "core/ids.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>

namespace sluice::partition {

/// Of one replica. Pure. Bounded: of each node the latest few are kept.
class state_hashes {
public:
  static constexpr log_index patience = 1'024; // entries that those who differ go on while others still have to speak
  static constexpr std::size_t kept = 16;

  enum class verdict : std::uint8_t {
    agreed,    // or not known yet
    we_differ, // from a majority of the voters
    undecided, // the voters differ, and no majority comes of it
  };

  struct finding {
    verdict what = verdict::agreed;
    log_index index = 0;
    std::uint64_t ours = 0;
    std::uint64_t theirs = 0; // another voter's
  };

  /// `every` so many entries they are compared.
  explicit state_hashes(log_index every) : every_{every} {}

  /// What `node` came to after `index`. Indexes between two comparisons are dropped.
  void note(node_id node, log_index index, std::uint64_t hash);
  /// Of all that is known, as replica `self`, which may be a voter or not, and has executed up to `applied`.
  finding judge(node_id self, const std::set<node_id>& voters, log_index applied);
  /// What it said is of a state it may not have any more.
  void forget(node_id node);

  /// As of the last judgement, a voter differs and it is not known who is wrong.
  bool disputed() const { return disputed_; }

private:
  using said = std::map<node_id, std::uint64_t>;

  struct votes {
    std::optional<std::uint64_t> ours;
    std::optional<std::uint64_t> other; // a voter's that is not ours
    std::uint64_t best = 0;             // what most voters have
    std::size_t most = 0;               // how many
    std::size_t heard = 0;              // voters
  };

  static bool is_to_be_heard_again(std::map<log_index, said>::const_iterator at,
                                   std::map<log_index, said>::const_iterator reached, node_id self,
                                   const std::set<node_id>& voters);
  static votes count(const said& all, node_id self, const std::set<node_id>& voters);

  log_index every_;
  std::map<log_index, said> by_index_;
  bool disputed_ = false;
};

} // namespace sluice::partition
