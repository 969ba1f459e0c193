// What goes into and comes out of a partition core. Plain data; bodies are opaque here: only entities and bridges know
// what is in them.
#pragma once

#include "cluster/raft/types.hpp"
#include "core/entity.hpp"
#include "core/errc.hpp"
#include "core/ids.hpp"
#include "core/record.hpp"
#include "core/time.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sluice::partition {

/// A message, reply or publication of the domain, boxed. The kinds differ in type so that they can not be mixed up.
template <class Tag>
struct boxed {
  std::shared_ptr<const void> body;
};

using boxed_message = boxed<struct message_tag>;
using boxed_reply = boxed<struct reply_tag>;
using boxed_publication = boxed<struct publication_tag>;

/// Who waits for an answer. Meaningful only to the process it names: after a restart nobody is there.
struct origin {
  node_id node;                  // 0: nobody waits
  std::uint64_t incarnation = 0; // of the process
  std::uint64_t request = 0;     // the bridge's own number

  friend bool operator==(const origin&, const origin&) = default;
};

/// Where a note comes from: the sender's partition and its place in that partition's outbox to us.
struct note_source {
  partition_id partition;
  std::uint64_t sequence = 0;

  friend bool operator==(const note_source&, const note_source&) = default;
};

/// One command before it is in the log.
struct proposal {
  entity_ref to;
  origin from;
  std::string request_id; // the same for a command proposed again
  std::string body;
  std::optional<note_source> note; // set: a note from another partition
  std::optional<note_source> ack;  // set: our notes to `partition` have arrived up to `sequence`; no entity is involved
  bool is_step = false;            // `body` is a step of a slot's way (slots.hpp), for the partition itself

  std::size_t bytes() const { return body.size() + request_id.size() + to.user.size() + 48; }
};

/// A question for one entity, answered from applied state.
struct query {
  entity_ref to;
  origin from;
  boxed_message body;
};

// ---- between a partition and its entities ----------------------------------------------------------------------------

/// One message for an entity: a command's bytes, or what another entity told it.
struct inbound {
  std::uint32_t ordinal = 0; // of the command that led here
  std::string_view command;  // valid while `delivery::owner` lives
  boxed_message tell;        // used when set
};

/// Pieces of an entity that is not active and that no checkpoint in force carries.
using kept_pieces = std::vector<std::pair<std::uint32_t, std::shared_ptr<const std::string>>>;

enum class activation : std::uint8_t {
  none,  // it is active
  fresh, // load it from the checkpoint, or begin anew
  kept,  // from `delivery::record`: passivated since the last checkpoint
  adopted, // the checkpoint's pieces, and over them `delivery::record`'s, of another partition; its next share is all of it
};

/// One superstep's messages for one entity, in order.
struct delivery {
  entity_ref to;
  log_index index = 0;
  std::uint32_t step = 0;
  std::uint32_t slot = 0; // which of the step's deliveries this is; echoed
  entry_time now;         // of the entity's group
  log_index as_of = 0;    // `index` as the group counts: goes on when it changes partitions
  activation activate = activation::none;
  kept_pieces record;
  std::vector<inbound> messages;
  std::shared_ptr<const void> owner; // keeps the commands' bytes alive
};

/// What came of a delivery.
struct delivered {
  log_index index = 0;
  std::uint32_t step = 0;
  std::uint32_t slot = 0;
  std::optional<log_time> deadline; // of the entity, from now on

  struct answer {
    std::uint32_t ordinal;
    boxed_reply body;
  };

  struct tell {
    std::uint32_t ordinal;
    entity_ref to;
    boxed_message body;
  };

  struct note {
    entity_ref to;
    std::string body;
  };

  struct effect {
    std::string key;  // unique within the entity while open
    std::string body; // empty: the effect is closed
  };

  std::vector<answer> answers;
  std::vector<tell> tells;
  std::vector<note> notes;
  std::vector<effect> effects;
  std::vector<boxed_publication> publications;
  std::vector<std::string> facts;
  bool forget_group = false;
};

/// Ask an entity for what changed since it was last asked.
struct save_request {
  entity_ref of;
  std::uint64_t checkpoint = 0; // 0: none, it is only being passivated
  bool passivate = false;       // it ends after this
};

struct saved {
  entity_ref of;
  std::uint64_t checkpoint = 0;
  bool passivated = false;
  record_pieces pieces;
};

/// Ask an entity to publish all it has, for bridges that know nothing.
struct publish_request {
  entity_ref of;
  entry_time now;
  log_index as_of = 0;
  activation activate = activation::none;
  kept_pieces record;
};

/// A question for an entity. The host hands the answer back to `from` by itself.
struct ask {
  query what;
  entry_time now;
  log_index index = 0;
  log_index as_of = 0; // see delivery
  activation activate = activation::none;
  kept_pieces record;
};

// ---- inputs ----------------------------------------------------------------------------------------------------------

/// What was found on disk. Always the first input.
struct start {
  raft::start consensus;
  std::uint64_t checkpoint = 0; // number of the committed checkpoint, 0: none
  std::uint64_t attempts = 0;   // checkpoints ever begun
  std::string record;           // the partition's own piece of it
};

struct tick {};

struct received {
  raft::received what;
};

struct propose {
  std::vector<proposal> proposals;
};

struct ask_all {
  std::vector<query> queries;
};

struct written {
  std::uint64_t write_id = 0;
  std::chrono::microseconds took{}; // from the disk's first touch; 0: not known
};

/// All pieces of the checkpoint handed out so far are durable, in the store though not yet in force.
struct checkpoint_flushed {
  std::uint64_t checkpoint = 0;
};

/// The write that carried the checkpoint's commit is durable: it is in force.
struct checkpoint_committed {
  std::uint64_t checkpoint = 0;
};

/// Begin a checkpoint at the next entry boundary, however little changed (for a clean stop).
struct checkpoint_now {};

struct peer_down {
  node_id node;
};

/// Entries the core asked the host to read back from its log.
struct loaded {
  raft::loaded what;
};

/// What a `fetch_out` asked for: all pieces are here and durable under its number, or they could not be had.
struct fetched {
  raft::snapshot_ref ref;
  std::uint64_t checkpoint = 0; // the number it was fetched under
  std::string record;           // the partition's own piece of it
  bool ok = true;
};

/// Where the membership shall go. To be said again to every new leader; the others drop it.
struct reconfigure {
  raft::membership target;
};

/// Hand leadership over; 0: to whoever is best. Dropped by those who do not lead.
struct transfer {
  node_id to;
};

/// A bridge knows nothing yet: everything that publishes does so again.
struct publish_everything {};

/// An entity did what a `publish_request` asked of it, whatever came of that.
struct published {
  entity_ref of;
};

/// Another replica's state hash after `index`; see state_hashes.hpp.
struct compare_state {
  node_id from;
  log_index index = 0;
  std::uint64_t hash = 0;
};

/// A slot shall live in another partition. Dropped if that is not possible, see `core::prospect`.
struct move_slot {
  slot_number slot;
  partition_id to;
};

/// What a `slot_pull` asked for. Empty: not to be had just now.
struct slot_pulled {
  slot_number slot;
  log_index fenced = 0;
  std::string position;
  std::string step;
};

/// A committed membership does without this replica: what it keeps can go. Dropped while it is not sure or not idle; to be
/// said again.
struct vacate {
  raft::vacate what;
};

/// Memory is short: sessions that are not in use right now go to sleep.
struct shrink {};

using input = std::variant<start, tick, received, propose, ask_all, written, delivered, saved, checkpoint_flushed,
                           checkpoint_committed, checkpoint_now, peer_down, loaded, fetched, reconfigure, transfer,
                           publish_everything, published, compare_state, move_slot, slot_pulled, shrink, vacate>;

// ---- outputs ---------------------------------------------------------------------------------------------------------

/// Makes a checkpoint the one to restart from. Goes into the same atomic write as the raft write it is attached to.
struct checkpoint_commit {
  std::uint64_t checkpoint = 0;
  log_index index = 0;
  log_term term = 0;
  std::string record;
  raft::membership members;            // at `index`
  std::vector<event_number> forgotten; // placement groups whose records go with it
};

struct log_write {
  raft::write what; // id 0: only the commit; not to be confirmed by `written`
  std::optional<checkpoint_commit> commit;
  std::optional<checkpoint_commit> installed; // a fetched one: it takes the place of all there was, log and pieces; of
                                              // index 0: nothing does
};

/// Get the checkpoint `ref` from a peer's store into the own one, under the number `checkpoint`; then say `fetched`.
/// Replaces a fetch still under way.
struct fetch_out {
  node_id from;
  raft::snapshot_ref ref;
  std::uint64_t checkpoint = 0;
};

/// A voter's state hash after this entry, now and then; for the others to compare.
struct hash_out {
  log_index index = 0;
  std::uint64_t hash = 0;
};

struct answer_out {
  origin to;
  log_index index = 0;
  boxed_reply body;
};

/// Where to ask for a slot next, as seen by `by`; the same partition: there.
struct slot_home {
  slot_number slot;
  partition_id by;
  partition_id partition;
};

struct refusal_out {
  origin to;
  errc why{};
  std::optional<slot_home> moved = std::nullopt; // with not_leader: ask there
};

struct publication_out {
  log_index index = 0;
  boxed_publication body;
};

/// Something to be done outside, by the leader alone; done again by every new leader until it is closed.
struct effect_out {
  entity_ref of;
  std::string key;
  std::string body;
};

/// The facts of one entry, encoded; appended to the feed. Written again, equal, if the entry is replayed.
struct feed_out {
  log_index index = 0;
  std::string record;
};

struct note_out {
  partition_id to;
  proposal what;
};

/// Get the next part of a slot that comes to this partition, from a replica of `from` with a checkpoint at `fenced` or
/// later; then say `slot_pulled`.
struct slot_pull {
  slot_number slot;
  partition_id from;
  log_index fenced = 0;
  std::string position;
};

/// All of it is here, and executed here from now on.
struct slot_opened {
  slot_number slot;
  partition_id from;
  log_index fenced = 0; // in the log of `from`
};

/// A checkpoint begins: `attempt` is to be durable before any of its pieces.
struct checkpoint_begin {
  std::uint64_t checkpoint = 0;
  log_index index = 0;
};

struct checkpoint_pieces {
  std::uint64_t checkpoint = 0;
  entity_ref of;
  record_pieces pieces;
};

/// No more pieces come: flush, then say `checkpoint_flushed`.
struct checkpoint_end {
  std::uint64_t checkpoint = 0;
};

struct outputs {
  std::vector<log_write> writes;
  std::vector<raft::send> sends;
  std::vector<raft::load> loads;
  std::vector<fetch_out> fetches;
  std::vector<delivery> deliveries;
  std::vector<save_request> saves;
  std::vector<publish_request> publishes;
  std::vector<ask> asks;
  std::vector<event_number> forgotten; // end all entities of these groups
  std::vector<event_number> left;      // effects of these groups are somebody else's: they are about to live elsewhere
  std::vector<slot_opened> opened;
  std::vector<slot_pull> pulls;
  std::vector<slot_home> homes; // what this replica found out about slots, for the router
  bool reset = false;           // end all entities, first of all: another state took the place of theirs
  std::vector<answer_out> answers;
  std::vector<refusal_out> refusals;
  std::vector<publication_out> publications;
  std::vector<effect_out> effects;
  std::vector<feed_out> feed;
  std::vector<note_out> notes;
  std::vector<checkpoint_begin> begins;
  std::vector<checkpoint_pieces> pieces;
  std::vector<checkpoint_end> ends;
  std::vector<raft::role_changed> roles;
  bool leading_began = false; // from now on proposals are taken
  bool leading_ended = false; // and effects are somebody else's
  std::vector<hash_out> hashes;
  std::optional<host_time> timer;
  std::optional<std::string> fatal; // the process must end
  bool untrue = false; // with `fatal`: nothing this replica keeps is to be believed; it begins again from nothing
  std::optional<std::string> halted; // this partition stands still, and says why; the process goes on

  void clear() { *this = outputs{}; }
};

/// The two clocks, read by the host.
struct reading {
  host_time host{};
  wall_time wall{};
};

} // namespace sluice::partition
