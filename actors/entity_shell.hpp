// A machine with its codec, as a partition sees it. No CAF here: the entity actor hosts one of these, and so does the
// simulator.
#pragma once

#include "cluster/partition/types.hpp"
#include "domain/messages.hpp"
#include "domain/publications.hpp"
#include "domain/replies.hpp"

#include <memory>
#include <string>
#include <vector>

namespace sluice::actors {

/// One entity's machine. Owned by one entity actor (or the simulator), hence unsynchronised.
class entity_shell {
public:
  virtual ~entity_shell() = default;

  /// Applies one superstep's messages. A command that does not decode is of a newer version: fatal, never skipped.
  virtual partition::delivered deliver(const partition::delivery& d) = 0;
  /// What changed since the last call.
  virtual record_pieces save() = 0;
  /// Everything, changed or not; changes nothing. For comparing replicas.
  virtual record_pieces save_all() const = 0;
  /// All an event, block or area has to show.
  virtual std::vector<partition::boxed_publication> publish_all(const entry_time& now) = 0;
  virtual partition::boxed_reply ask(const entry_time& now, const partition::boxed_message& question) = 0;
  /// The state as JSON, for people.
  virtual std::string describe() const = 0;
};

/// Brings an entity back from its pieces, or begins anew if there are none.
/// `owes_all`: this store has not all of them, so the first `save` gives everything.
std::unique_ptr<entity_shell> make_entity(const entity_ref& ref, const loaded_pieces& pieces, bool owes_all = false);

// Boxes are opened only here and by bridges.
partition::boxed_message box(domain::message m);
partition::boxed_reply box(domain::reply r);
partition::boxed_publication box(domain::publication p);
const domain::message& unbox(const partition::boxed_message& b);
const domain::reply& unbox(const partition::boxed_reply& b);
const domain::publication& unbox(const partition::boxed_publication& b);

} // namespace sluice::actors
