// Every reason a request can fail, enumerated once. A code exists only if some caller can act on it.
#pragma once

#include <cstdint>
#include <string_view>

namespace sluice {

/// Numbers are on the wire and in logs: never reused, never renumbered.
enum class errc : std::uint8_t {
  ok = 0,

  // 10..: the customer chooses again
  seat_not_available = 10,
  hold_unknown = 11,
  hold_lapsed = 12,
  limit_per_user = 13,
  payment_running = 14,
  reservation_unknown = 15,
  not_cancellable = 16,
  extension_limit = 17,
  method_not_accepted = 18,
  seat_unknown = 19,
  area_unknown = 20,
  too_many_seats = 21,

  // 30..: the line decides
  not_admitted = 30,
  ticket_unknown = 31,
  ticket_expired = 32,
  event_not_open = 33,
  event_closed = 34,
  sold_out = 35,
  line_full = 36,

  // 40..: the caller retries, same request id
  not_leader = 40,
  overloaded = 41,
  timed_out = 42,
  shutting_down = 43,
  node_not_ready = 44,
  rate_limited = 45,

  // 50..: the request itself is wrong
  bad_request = 50,
  bad_json = 51,
  unknown_field = 52,
  missing_field = 53,
  bad_value = 54,
  bad_id = 55,
  idempotency_key_missing = 56,
  idempotency_key_reused = 57,
  idempotency_key_in_use = 58,
  idempotency_key_invalid = 59,

  // 70..: credentials
  unauthenticated = 70,
  token_invalid = 71,
  token_expired = 72,
  forbidden = 73,
  join_token_invalid = 74,
  tls_required = 75, // keys and plans do not travel in the clear

  // 80..: names that lead nowhere
  not_found = 80,
  event_unknown = 81,
  block_unknown = 82,
  key_unknown = 83,
  node_unknown = 84,

  // 90..: the operator's mistakes
  definition_invalid = 90,
  event_in_sale = 91,
  event_exists = 92,
  action_not_allowed = 93,
  too_many_events = 94,
  node_name_taken = 95,
  disk_retired = 96, // the data folder is no longer, or was never, that node's
  too_few_nodes = 97,
  too_many_nodes = 98,
  version_too_old = 99,

  // 110..: the transport
  method_not_allowed = 110,
  not_acceptable = 111,
  request_timeout = 112,
  length_required = 113,
  body_too_large = 114,
  uri_too_long = 115,
  unsupported_media_type = 116,
  header_too_large = 117,
  expectation_failed = 118,
  not_implemented = 119,
  too_many_connections = 120,

  // 140..: the node
  internal = 140,
  storage_failed = 141,
};

/// The stable upper-case word of the HTTP contract, such as "SEAT_NOT_AVAILABLE".
std::string_view code_of(errc e);

/// The inverse of `code_of`; `errc::internal` for a word this version does not know.
errc errc_from_code(std::string_view code);

} // namespace sluice
