// Faults the simulator plants to prove that its checkers would see them. Honoured only in a build with
// -DSLUICE_PLANTED_BUGS; everywhere else `bug()` is a constant and the compiler drops the branch.
#pragma once

#include <cstdint>
#include <string_view>

namespace sluice::raft {

enum class planted_bug : std::uint8_t {
  none,
  // Shipped by other implementations.
  commit_old_term,           // commits by counting copies of an older term's entry (figure 8)
  ack_unmatched_suffix,      // success acknowledges the own last index, not the end of the request
  stale_reply_match,         // the reply to a stale-term request can be read as a match
  config_wrong_index,        // a configuration is recorded at the start of the batch that brought it
  change_before_own_commit,  // a membership change starts before an entry of the own term is committed
  below_compaction,          // entries below the own compaction point are taken for conflicts
  nonvoter_refuses_vote,     // a node that thinks it is no voter refuses to vote
  prevote_denial_hides_term, // a pre-vote denial echoes the candidate's term
  stale_rejection_freezes,   // a rejection at or below match stops the flow to that follower
  commit_moves_back,         // a late message lowers the commit index
  votes_by_durable_log,      // a voter compares without the entries it is still writing
  campaign_unpersisted,      // vote requests leave before term and vote are durable
  // Obvious ones.
  vote_reply_early,         // a vote leaves before it is durable
  ack_early,                // a follower acknowledges what it has not made durable
  leader_counts_unsynced,   // the leader counts its own entries before they are durable
  votes_twice,              // a second candidate of the term gets a vote too
  votes_for_short_log,      // no comparison of logs
  half_is_majority,         // two of four decide
  applies_unsynced,         // hands out entries that are committed but not durable here
  commit_unverified,        // takes the leader's commit index beyond what the request verified
  keeps_conflicts,          // a conflicting suffix stays
  truncates_always,         // a late request cuts what came after it
  read_without_round,       // a read index without asking the majority
  read_joins_round,         // a read joins a round that began before it
  read_before_own_term,     // a read index before an entry of the own term is committed
  no_check_quorum,          // a leader nobody answers stays
  sticky_for_ever,          // once heard, a leader is never doubted
  applies_while_installing, // hands out entries between the old state and the new one
  install_keeps_log,        // a snapshot is installed under a log that contradicts it
  config_not_reverted,      // a truncated configuration stays in force
  config_on_commit,         // a configuration takes effect only when committed
  changes_two_at_once,      // the target membership in one step
  change_before_previous,   // a change starts before the one before it is committed
  wiped_node_votes,         // a node that lost its log votes at once
  wiped_node_counts,        // and its acknowledgements count
  forgets_vote,             // stepping down clears the vote of the term
  lost_probe,               // a lost probe is never repeated
  count_,
};

struct planted_bug_name {
  planted_bug bug;
  std::string_view name;
};

#define SLUICE_BUG(x)                                                                                                  \
  planted_bug_name {                                                                                                   \
    planted_bug::x, #x                                                                                                 \
  }
inline constexpr planted_bug_name planted_bug_names[] = {
    SLUICE_BUG(none),
    SLUICE_BUG(commit_old_term),
    SLUICE_BUG(ack_unmatched_suffix),
    SLUICE_BUG(stale_reply_match),
    SLUICE_BUG(config_wrong_index),
    SLUICE_BUG(change_before_own_commit),
    SLUICE_BUG(below_compaction),
    SLUICE_BUG(nonvoter_refuses_vote),
    SLUICE_BUG(prevote_denial_hides_term),
    SLUICE_BUG(stale_rejection_freezes),
    SLUICE_BUG(commit_moves_back),
    SLUICE_BUG(votes_by_durable_log),
    SLUICE_BUG(campaign_unpersisted),
    SLUICE_BUG(vote_reply_early),
    SLUICE_BUG(ack_early),
    SLUICE_BUG(leader_counts_unsynced),
    SLUICE_BUG(votes_twice),
    SLUICE_BUG(votes_for_short_log),
    SLUICE_BUG(half_is_majority),
    SLUICE_BUG(applies_unsynced),
    SLUICE_BUG(commit_unverified),
    SLUICE_BUG(keeps_conflicts),
    SLUICE_BUG(truncates_always),
    SLUICE_BUG(read_without_round),
    SLUICE_BUG(read_joins_round),
    SLUICE_BUG(read_before_own_term),
    SLUICE_BUG(no_check_quorum),
    SLUICE_BUG(sticky_for_ever),
    SLUICE_BUG(applies_while_installing),
    SLUICE_BUG(install_keeps_log),
    SLUICE_BUG(config_not_reverted),
    SLUICE_BUG(config_on_commit),
    SLUICE_BUG(changes_two_at_once),
    SLUICE_BUG(change_before_previous),
    SLUICE_BUG(wiped_node_votes),
    SLUICE_BUG(wiped_node_counts),
    SLUICE_BUG(forgets_vote),
    SLUICE_BUG(lost_probe),
};
#undef SLUICE_BUG
static_assert(sizeof(planted_bug_names) / sizeof(planted_bug_name) == static_cast<std::size_t>(planted_bug::count_));

#ifdef SLUICE_PLANTED_BUGS
/// The one in force, for every core of the process: the simulator is alone in it.
inline planted_bug active_bug = planted_bug::none;

inline bool bug(planted_bug b) {
  return active_bug == b;
}
#else
constexpr bool bug(planted_bug) {
  return false;
}
#endif

} // namespace sluice::raft
