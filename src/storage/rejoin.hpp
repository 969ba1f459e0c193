// What a replica writes that can not stand by what it kept: it has no vote until the others readmit it. Shared by the node and
// the simulator, since the order of these writes is what keeps them safe.
#pragma once

#include "storage/log_store.hpp"

namespace sluice::storage {

/// Its term and vote, and that it rejoins.
inline vote_record without_a_vote(const recovered& found) {
  auto kept = found.vote.value_or(vote_record{});
  kept.rejoining = true;
  return kept;
}

/// The write that leaves nothing of a replica but its term and vote.
inline log_batch forget_everything(partition_id partition, const recovered& found) {
  log_batch nothing;
  nothing.partition = partition;
  nothing.vote = without_a_vote(found);
  nothing.checkpoint_attempt = found.attempts + 1;
  nothing.install = install_record{{*nothing.checkpoint_attempt, 0, 0, {}, {}}};
  return nothing;
}

/// True after `forget_everything`, until something came from the others.
inline bool has_forgotten(const recovered& found) {
  return found.vote && found.vote->rejoining && !found.checkpoint && found.log.empty();
}

/// After `found.damage`. What lies behind it must not come back after what will be written in its place. First that the
/// replica has no vote, in a write of its own: the cut takes the evidence with it, and the next start must still know.
inline void cut_damage(log_store& store, partition_id partition, const recovered& found) {
  log_batch no_vote;
  no_vote.partition = partition;
  no_vote.vote = without_a_vote(found);
  store.write({no_vote});
  log_batch cut;
  cut.partition = partition;
  cut.truncate_from = found.last_index() + 1;
  store.write({cut});
}

} // namespace sluice::storage
