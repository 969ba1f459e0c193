// Everything an entity can be told. Commands come from outside through the log; tells come from another entity of the
// same placement group inside one log entry; notes come from another placement group through its outbox.
#pragma once

#include "core/entity.hpp"
#include "core/errc.hpp"
#include "core/ids.hpp"
#include "core/time.hpp"
#include "domain/event_definition.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace sluice::domain {

/// Only brings time: something the entity set a deadline for is due.
struct pulse {};

// ---- to an event ---------------------------------------------------------------------------------------------------

/// Command. The whole definition, declaratively; the first one founds the event.
struct define_event {
  event_definition definition;
  std::uint64_t index_seed = 0; // keeps the user index unpredictable; used by the first one only
  std::string by;               // name of the admin key; for the audit
  std::string request_id = {};  // random, from the bridge: the same one acts once; empty in older logs. So everywhere
};

enum class event_action : std::uint8_t { open = 1, pause = 2, resume = 3, close = 4, remove = 5, say = 6, drain = 7 };

/// Command. `say` sets the message shown to everyone waiting.
struct control_event {
  event_action action{};
  std::string text;
  bool force = false; // remove although seats are sold
  std::string by;
  std::string request_id = {};
};

/// Tell of an event to itself: a removal is decided `steps` supersteps later, after all else its entry does to the group.
struct put_off_removal {
  control_event wish;
  std::uint32_t steps = 0;
};

/// Command.
struct set_admission {
  admission_patch patch;
  std::string by;
  std::string request_id = {};
};

/// Command. Joining again while the ticket lives gives the same ticket.
struct join {
  std::string user;
};

/// Commands of the holder of a queue token.
struct leave {
  std::string user;
  ticket_number ticket;
};

struct claim_turn {
  std::string user;
  ticket_number ticket;
  admission_id id; // random, from the bridge; the first claim's is kept
};

struct complete_visit {
  std::string user;
  ticket_number ticket;
};

/// Query. The own ticket, as of now; changes nothing.
struct ask_ticket {
  std::string user;
  ticket_number ticket;
};

struct stock_counts {
  std::uint32_t available = 0;
  std::uint32_t held = 0; // pinned ones included
  std::uint32_t confirmed = 0;
  std::uint32_t blocked = 0;

  std::uint32_t capacity() const { return available + held + confirmed + blocked; }

  friend bool operator==(const stock_counts&, const stock_counts&) = default;
};

/// Tell of a block or area: absolute counts after the entry's changes.
struct stock_changed {
  block_number block;
  stock_counts counts;
};

/// Tell of a session: its visit is over, the slot is free.
struct visit_done {
  std::string user;
  ticket_number ticket;
};

/// Tell of a session: seats were paid for, or given back (`seats` and `amount` negative).
struct sale_settled {
  std::int64_t seats = 0;
  std::int64_t amount = 0;
};

/// Tell of a session: the provider owes one answer more, or one less. While any is owed the event can not be removed,
/// since with the group the charge would be forgotten.
struct charges_changed {
  std::int32_t by = 0; // 1 or -1
};

/// Note of the ranking: counts up to this sequence have arrived.
struct count_received {
  std::uint64_t sequence = 0;
};

// ---- to a seat block or area ---------------------------------------------------------------------------------------

struct seat_terms {
  std::uint32_t category = 0;
  std::int64_t price = 0;
  bool retired = false; // no longer sold; blocked as soon as nobody holds it

  friend bool operator==(const seat_terms&, const seat_terms&) = default;
};

/// Tell of the event: the block's seats by index. Later ones keep the index of every seat named before.
struct define_seats {
  std::vector<seat_terms> seats;
};

/// Tell of the event.
struct define_area {
  std::uint32_t capacity = 0; // sinks no lower than what is held or confirmed
  std::uint32_t category = 0;
  std::int64_t price = 0;
};

/// Tell of the event: the sale window opened or closed.
struct sale_window {
  bool open = false;
};

/// Tells of a session. All or nothing within the block.
struct hold_seats {
  hold_id hold;
  std::string user;
  std::vector<seat_index> seats;
  log_time deadline;
};

struct hold_places {
  hold_id hold;
  std::string user;
  std::uint32_t quantity = 0;
  log_time deadline;
};

struct extend_hold_part {
  hold_id hold;
  log_time deadline;
};

/// The hold can no longer lapse in the block: the session alone ends it.
struct pin_hold {
  hold_id hold;
};

/// `fence` is the log index of the pin, 0 for a hold that was never pinned. A stale one touches nothing.
struct release_hold_part {
  hold_id hold;
  log_index fence = 0;
};

struct confirm_hold_part {
  hold_id hold;
  log_index fence = 0;
};

/// Confirmed seats or places come back.
struct give_back {
  hold_id hold;
  log_index fence = 0;
  std::vector<seat_index> seats; // of a seat block
  std::uint32_t quantity = 0;    // of an area
};

// ---- to a session --------------------------------------------------------------------------------------------------

/// What the event grants an admitted user, fixed for the visit.
struct visit_terms {
  std::uint32_t limit_per_user = 0;
  milliseconds hold_ttl{};
  std::uint32_t hold_extensions_max = 0;
  milliseconds payment_window{};
  bool keep_active = false;
  std::string currency;

  friend bool operator==(const visit_terms&, const visit_terms&) = default;
};

/// Tell of the event: the turn was claimed.
struct open_visit {
  ticket_number ticket;
  admission_id id;
  log_time expires{};
  visit_terms terms;
};

/// Tell of the event: the slot ended; no new holds. What is held and not being paid for is released.
struct close_visit {
  ticket_number ticket;
};

/// A hash of the request body, so that a key can not be used for two different requests.
using fingerprint = std::array<std::uint64_t, 2>;

/// A client's Idempotency-Key and what it was sent with.
struct idempotency {
  std::string key;
  fingerprint request{};

  friend bool operator==(const idempotency&, const idempotency&) = default;
};

/// Seats of one block, or places of one area, as asked for.
struct wanted_part {
  block_number block;
  bool area = false;
  std::vector<seat_index> seats;
  std::uint32_t quantity = 0;

  friend bool operator==(const wanted_part&, const wanted_part&) = default;
};

/// Commands of the holder of an admission token.
struct request_hold {
  idempotency once;
  admission_id admission;
  hold_id hold; // random, from the bridge
  std::vector<wanted_part> parts;
};

struct extend_hold {
  admission_id admission;
  hold_id hold;
  std::string request_id; // the same one extends once
};

struct release_hold {
  admission_id admission;
  hold_id hold;
};

enum class payment_method : std::uint8_t { free = 0, card = 1 };

struct pay_hold {
  idempotency once;
  admission_id admission;
  hold_id hold;
  reservation_id reservation; // random, from the bridge; the provider's reference
  payment_method method{};
  std::string card; // what the provider is given; a token, or one of the sandbox's test numbers
};

/// Command of the owner of the reservation.
struct cancel_reservation {
  reservation_id reservation;
};

enum class charge_step : std::uint8_t { authorise = 1, capture = 2, cancel = 3, refund = 4 };

enum class charge_outcome : std::uint8_t {
  done = 1,    // took effect, durably at the provider
  refused = 2, // definitely did not and will not
  unknown = 3, // the desk gave up asking: it may or may not have
};

/// Command of the payment desk: what became of a charge.
struct charge_settled {
  reservation_id reservation;
  charge_step step{};
  std::uint32_t attempt = 0; // of the charge answered; an older one is ignored
  charge_outcome outcome{};
  std::string reason;
};

/// Queries.
struct ask_hold {
  hold_id hold;
};

struct ask_reservation {
  reservation_id reservation;
};

struct ask_reservations {};

struct held_seat {
  seat_index seat = 0;
  std::uint32_t category = 0;
  std::int64_t price = 0;

  friend bool operator==(const held_seat&, const held_seat&) = default;
};

/// Tell of a block or area: the part is held.
struct part_held {
  hold_id hold;
  block_number block;
  std::vector<held_seat> seats; // of a seat block
  std::uint32_t quantity = 0;   // of an area
  std::uint32_t category = 0;   // of an area
  std::int64_t price = 0;       // of an area, each
};

/// Tell of a block or area: nothing of the part was held.
struct part_refused {
  hold_id hold;
  block_number block;
  errc why{};
  std::vector<seat_index> taken;
};

/// Tell of a block or area: the pin is set with this fence, or can not be.
struct part_pinned {
  hold_id hold;
  block_number block;
  log_index fence = 0;
  errc why{};
};

/// Tell of a block or area: the part's deadline passed.
struct part_lapsed {
  hold_id hold;
  block_number block;
};

// ---- to the catalogue and the ranking (placement group 0) ------------------------------------------------------------

enum class key_role : std::uint8_t { viewer = 1, operator_ = 2, admin = 3 };

enum class node_role : std::uint8_t {
  member = 1, // holds replicas
  bridge = 2, // only answers clients
};

enum class node_state : std::uint8_t {
  active = 1,
  draining = 2, // keeps its replicas until others have them; gets no new ones
  removed = 3,  // for good
};

/// One node, as the catalogue knows it.
struct node_entry {
  node_id id{};
  std::string name;
  std::string peer_address;     // host:port for the other nodes; empty once removed
  std::string http_address;     // host:port for clients; empty once removed
  std::uint64_t disk = 0;       // random, made together with the node's data folder
  std::uint32_t generation = 1; // of the disk under this name: 1, 2, …
  node_role role = node_role::member;
  node_state state = node_state::active;
  std::string version;             // of the program, for people
  std::uint32_t feature_level = 0; // the newest this program understands

  friend bool operator==(const node_entry&, const node_entry&) = default;
};

/// Command. Founds the cluster: identity and wrapped signing keys. Later ones change nothing, but for one of a higher epoch:
/// a restored cluster is founded anew, with its first node alone, and whatever was signed before is worth nothing.
struct found_cluster {
  std::string cluster_id;
  std::string wrapped_keys; // sealed with the node's key file
  std::string admin_key_hash;
  std::optional<node_entry> first = std::nullopt; // who founds it; absent in logs of before nodes were listed
  std::uint32_t epoch = 1;
  std::string recovered = {};   // for the audit: founded by one node without its majority, and what it had not
  event_number last_event = {}; // numbers up to here are known to some partition, and never given again
};

/// Command. Gives a slug its event number and slot; a live slug answers with the one it has.
struct register_event {
  std::string slug;
  std::string request_id = {};
};

/// Note of an event: what the catalogue lists.
struct event_summary {
  event_number number;
  std::string slug;
  std::string name;
  std::string venue;
  wall_time starts_at{};
  std::string time_zone;
  bool removed = false;
  std::string by = {}; // who removed it

  friend bool operator==(const event_summary&, const event_summary&) = default;
};

/// Commands.
struct add_key {
  std::string name;
  std::string hash; // SHA-256 of the key, hex
  key_role role{};
  std::string request_id = {};
  std::string by = {}; // name of the admin key it was asked with
};

struct remove_key {
  std::string name;
  std::string request_id = {};
  std::string by = {};
};

/// Command. Lets one node join until `expires`, or with `replaces` take the place of the node of that name.
struct add_join_token {
  std::string hash; // SHA-256 of the token, hex
  wall_time expires{};
  std::string replaces; // empty: a node with a new name
  std::string by;       // name of the admin key
  std::string request_id = {};
};

/// Command of a new node, carried by any member. Spends the token; the same (name, disk) again is answered alike.
struct join_cluster {
  std::string token_hash;
  std::string name;
  std::string peer_address;
  std::string http_address;
  std::uint64_t disk = 0;
  node_role role = node_role::member;
  std::string version;
  std::uint32_t feature_level = 0;
};

/// Command. What a node says at each start: where it is reached and what it runs.
struct announce_node {
  node_id id{};
  std::string name;
  std::string peer_address;
  std::string http_address;
  std::uint64_t disk = 0;
  node_role role = node_role::member;
  std::string version;
  std::uint32_t feature_level = 0;
};

/// Command. active <-> draining -> removed.
struct change_node {
  std::string name;
  node_state state{};
  std::string by;
  std::string request_id = {};
};

/// Command. How many members hold each partition: 1, 3 or 5.
struct set_replication {
  std::uint32_t factor = 1;
  std::string by;
  std::string request_id = {};
};

/// Command. From here on logs may hold what only programs of this level understand. Never falls.
struct activate_feature {
  std::uint32_t level = 0;
  std::string by;
  std::string request_id = {};
};

/// Command. What an operator did that no log would show otherwise: for the audit.
struct note_deed {
  std::string what;
  std::string subject;
  std::string detail;
  std::string by; // name of the admin key
  std::string request_id = {};
};

/// Note of an event to the ranking: absolute figures.
struct sold_count {
  event_number number;
  std::uint64_t sequence = 0;
  std::string date; // YYYY-MM-DD in the event's zone
  std::uint64_t sold = 0;
  wall_time last_sale{};
};

using message =
    std::variant<pulse, define_event, control_event, put_off_removal, set_admission, join, leave, claim_turn,
                 complete_visit, ask_ticket, stock_changed, visit_done, sale_settled, charges_changed, count_received,
                 define_seats, define_area, sale_window, hold_seats, hold_places, extend_hold_part, pin_hold,
                 release_hold_part, confirm_hold_part, give_back, open_visit, close_visit, request_hold, extend_hold,
                 release_hold, pay_hold, cancel_reservation, charge_settled, ask_hold, ask_reservation,
                 ask_reservations, part_held, part_refused, part_pinned, part_lapsed, found_cluster, register_event,
                 event_summary, add_key, remove_key, sold_count, add_join_token, join_cluster, announce_node,
                 change_node, set_replication, activate_feature, note_deed>;

} // namespace sluice::domain
