// The actor around one machine: thin on purpose. It does not know who leads, nor that there is a log.
#pragma once

#include "actors/entity_shell.hpp"
#include "actors/handles.hpp"
#include "actors/router.hpp"

namespace sluice::actors {

struct entity_state {
  static inline const char* name = "entity"; // CAF shows it in its own messages
  std::unique_ptr<entity_shell> shell;
};

/// Fed by one partition, `home`, in mailbox order: what was delivered before a save is in it, what comes after is not.
entity_actor::behavior_type entity(entity_actor::stateful_pointer<entity_state> self, partition_actor owner,
                                   router* answers, partition_id home, entity_ref ref, loaded_pieces pieces,
                                   bool owes_all);

} // namespace sluice::actors
