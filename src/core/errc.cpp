#include "core/errc.hpp"

#include <array>
#include <utility>

namespace sluice {

namespace {

constexpr auto words = std::to_array<std::pair<errc, std::string_view>>({
    {errc::ok, "OK"},
    {errc::seat_not_available, "SEAT_NOT_AVAILABLE"},
    {errc::hold_unknown, "HOLD_UNKNOWN"},
    {errc::hold_lapsed, "HOLD_LAPSED"},
    {errc::limit_per_user, "LIMIT_PER_USER"},
    {errc::payment_running, "PAYMENT_RUNNING"},
    {errc::reservation_unknown, "RESERVATION_UNKNOWN"},
    {errc::not_cancellable, "NOT_CANCELLABLE"},
    {errc::extension_limit, "EXTENSION_LIMIT"},
    {errc::method_not_accepted, "METHOD_NOT_ACCEPTED"},
    {errc::seat_unknown, "SEAT_UNKNOWN"},
    {errc::area_unknown, "AREA_UNKNOWN"},
    {errc::too_many_seats, "TOO_MANY_SEATS"},
    {errc::not_admitted, "NOT_ADMITTED"},
    {errc::ticket_unknown, "TICKET_UNKNOWN"},
    {errc::ticket_expired, "TICKET_EXPIRED"},
    {errc::event_not_open, "EVENT_NOT_OPEN"},
    {errc::event_closed, "EVENT_CLOSED"},
    {errc::sold_out, "SOLD_OUT"},
    {errc::line_full, "QUEUE_CAPACITY_EXCEEDED"},
    {errc::not_leader, "NOT_LEADER"},
    {errc::overloaded, "OVERLOADED"},
    {errc::timed_out, "TIMED_OUT"},
    {errc::shutting_down, "SHUTTING_DOWN"},
    {errc::node_not_ready, "NODE_NOT_READY"},
    {errc::rate_limited, "API_RATE_LIMITED"},
    {errc::bad_request, "BAD_REQUEST"},
    {errc::bad_json, "BAD_JSON"},
    {errc::unknown_field, "UNKNOWN_FIELD"},
    {errc::missing_field, "MISSING_FIELD"},
    {errc::bad_value, "BAD_VALUE"},
    {errc::bad_id, "BAD_ID"},
    {errc::idempotency_key_missing, "IDEMPOTENCY_KEY_MISSING"},
    {errc::idempotency_key_reused, "IDEMPOTENCY_KEY_REUSED"},
    {errc::idempotency_key_in_use, "IDEMPOTENCY_KEY_IN_USE"},
    {errc::idempotency_key_invalid, "IDEMPOTENCY_KEY_INVALID"},
    {errc::unauthenticated, "UNAUTHENTICATED"},
    {errc::token_invalid, "TOKEN_INVALID"},
    {errc::token_expired, "TOKEN_EXPIRED"},
    {errc::forbidden, "FORBIDDEN"},
    {errc::join_token_invalid, "JOIN_TOKEN_INVALID"},
    {errc::tls_required, "TLS_REQUIRED"},
    {errc::not_found, "NOT_FOUND"},
    {errc::event_unknown, "EVENT_UNKNOWN"},
    {errc::block_unknown, "BLOCK_UNKNOWN"},
    {errc::key_unknown, "KEY_UNKNOWN"},
    {errc::node_unknown, "NODE_UNKNOWN"},
    {errc::definition_invalid, "DEFINITION_INVALID"},
    {errc::event_in_sale, "EVENT_IN_SALE"},
    {errc::event_exists, "EVENT_EXISTS"},
    {errc::action_not_allowed, "ACTION_NOT_ALLOWED"},
    {errc::too_many_events, "TOO_MANY_EVENTS"},
    {errc::node_name_taken, "NODE_NAME_TAKEN"},
    {errc::disk_retired, "DISK_RETIRED"},
    {errc::too_few_nodes, "TOO_FEW_NODES"},
    {errc::too_many_nodes, "TOO_MANY_NODES"},
    {errc::version_too_old, "VERSION_TOO_OLD"},
    {errc::method_not_allowed, "METHOD_NOT_ALLOWED"},
    {errc::not_acceptable, "NOT_ACCEPTABLE"},
    {errc::request_timeout, "REQUEST_TIMEOUT"},
    {errc::length_required, "LENGTH_REQUIRED"},
    {errc::body_too_large, "BODY_TOO_LARGE"},
    {errc::uri_too_long, "URI_TOO_LONG"},
    {errc::unsupported_media_type, "UNSUPPORTED_MEDIA_TYPE"},
    {errc::header_too_large, "HEADER_TOO_LARGE"},
    {errc::expectation_failed, "EXPECTATION_FAILED"},
    {errc::not_implemented, "NOT_IMPLEMENTED"},
    {errc::too_many_connections, "TOO_MANY_CONNECTIONS"},
    {errc::internal, "INTERNAL"},
    {errc::storage_failed, "STORAGE_FAILED"},
});

} // namespace

std::string_view code_of(errc e) {
  for (const auto& [code, word] : words)
    if (code == e)
      return word;
  return "INTERNAL";
}

errc errc_from_code(std::string_view code) {
  for (const auto& [known, word] : words)
    if (word == code)
      return known;
  return errc::internal;
}

} // namespace sluice
