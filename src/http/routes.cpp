// The route table.
#include "http/routes.hpp"

namespace sluice::http {

const std::vector<route>& all_routes() {
  using namespace routes;
  using enum method;
  using kind = body_kind;
  constexpr auto viewer = domain::key_role::viewer;
  constexpr auto operator_ = domain::key_role::operator_;
  constexpr auto admin = domain::key_role::admin;
  static const std::vector<route> all{
      // the line
      {post, "/api/v1/events/{event}/queue", kind::optional_json, {}, join},
      {get, "/api/v1/events/{event}/queue", kind::none, {}, own_ticket},
      {delete_, "/api/v1/events/{event}/queue", kind::none, {}, leave},
      {post, "/api/v1/events/{event}/queue/admission", kind::optional_json, {}, claim},
      {post, "/api/v1/events/{event}/queue/complete", kind::optional_json, {}, complete},
      {post, "/api/v1/events/{event}/queue/heartbeat", kind::optional_json, {}, heartbeat},
      {get, "/api/v1/events/{event}/queue/stream", kind::none, {}, own_ticket_stream},
      {get, "/api/v1/events/{event}/status", kind::none, {}, status},
      {get, "/api/v1/events/{event}/status/stream", kind::none, {}, status_stream},
      // events and seats
      {get, "/api/v1/events", kind::none, {}, list_events},
      {get, "/api/v1/events/{event}", kind::none, {}, show_event},
      {get, "/api/v1/events/{event}/availability", kind::none, {}, availability},
      {get, "/api/v1/events/{event}/blocks/{block}", kind::none, {}, show_block},
      {get, "/api/v1/events/{event}/seats/stream", kind::none, {}, seats_stream},
      {get, "/api/v1/concerts/ranking", kind::none, {}, routes::ranking},
      {get, "/api/v1/concerts/{date}/ranking", kind::none, {}, date_ranking},
      // holds
      {post, "/api/v1/events/{event}/holds", kind::json, {}, make_hold},
      {get, "/api/v1/events/{event}/holds/{hold}", kind::none, {}, show_hold},
      {post, "/api/v1/events/{event}/holds/{hold}/extend", kind::optional_json, {}, routes::extend_hold},
      {delete_, "/api/v1/events/{event}/holds/{hold}", kind::none, {}, routes::release_hold},
      // payment and reservations
      {post, "/api/v1/events/{event}/holds/{hold}/payment", kind::json, {}, pay},
      {get, "/api/v1/reservations", kind::none, {}, list_reservations},
      {get, "/api/v1/reservations/{reservation}", kind::none, {}, show_reservation},
      {get, "/api/v1/reservations/{reservation}/stream", kind::none, {}, reservation_stream},
      {delete_, "/api/v1/reservations/{reservation}", kind::none, {}, routes::cancel_reservation},
      // operators
      {put, "/admin/v1/events/{event}", kind::file, operator_, put_event},
      {get, "/admin/v1/events/{event}", kind::none, viewer, get_event_file},
      {delete_, "/admin/v1/events/{event}", kind::none, admin, delete_event},
      {post, "/admin/v1/events/{event}/plan", kind::file, viewer, plan_event},
      {post, "/admin/v1/events/{event}/actions/{action}", kind::optional_json, operator_, routes::event_action},
      {patch, "/admin/v1/events/{event}/admission", kind::json, operator_, patch_admission},
      {get, "/admin/v1/events/{event}/stats", kind::none, viewer, event_stats},
      {get, "/admin/v1/events/{event}/verify", kind::none, viewer, verify_event},
      {get, "/admin/v1/events/{event}/place", kind::none, viewer, routes::event_place},
      {get, "/admin/v1/events/{event}/audit", kind::none, viewer, audit_event},
      {get, "/admin/v1/keys", kind::none, admin, list_keys},
      {post, "/admin/v1/keys", kind::json, admin, create_key},
      {delete_, "/admin/v1/keys/{key}", kind::none, admin, delete_key},
      {get, "/admin/v1/backups", kind::none, viewer, list_backups},
      {post, "/admin/v1/backups", kind::optional_json, admin, make_backup},
      {get, "/admin/v1/cluster", kind::none, viewer, show_cluster},
      {post, "/admin/v1/cluster/actions/join", kind::optional_json, admin, invite_node},
      {post, "/admin/v1/cluster/actions/replace", kind::json, admin, replace_node},
      {post, "/admin/v1/cluster/actions/drain", kind::json, admin, drain_node},
      {post, "/admin/v1/cluster/actions/activate", kind::json, admin, activate_node},
      {post, "/admin/v1/cluster/actions/remove", kind::json, admin, remove_node},
      {post, "/admin/v1/cluster/actions/replication", kind::json, admin, change_replication},
      {get, "/admin/v1/cluster/audit", kind::none, viewer, audit_cluster},
      {post, "/admin/v1/cluster/actions/activate-feature", kind::json, admin, raise_feature_level},
      {post, "/admin/v1/cluster/actions/transfer", kind::json, admin, transfer_leader},
      {post, "/admin/v1/cluster/actions/move", kind::json, admin, move_event},
      {post, "/admin/v1/cluster/actions/rebalance", kind::optional_json, admin, rebalance},
      {get, "/admin/v1/inspect/entities", kind::none, viewer, inspect_entities},
      {get, "/admin/v1/inspect/entity", kind::none, operator_, routes::inspect_entity},
      {get, "/admin/v1/inspect/log", kind::none, operator_, inspect_log},
      // the node
      {get, "/healthz", kind::none, {}, healthz},
      {get, "/readyz", kind::none, {}, readyz},
      {get, "/metrics", kind::none, {}, metrics},
      {get, "/openapi.json", kind::none, {}, openapi},
      {get, "/docs", kind::none, {}, docs},
      {get, "/.well-known/jwks.json", kind::none, {}, jwks},
      {get, "/", kind::none, {}, page},
      {get, "/pages/{file}", kind::none, {}, page},
  };
  return all;
}

} // namespace sluice::http
