// The handlers behind the route table, by room of the contract.
#pragma once

#include "http/bridge.hpp"

namespace sluice::http::routes {

// the line (routes_queue.cpp)
void join(bridge& b, const call_ptr& c);
void own_ticket(bridge& b, const call_ptr& c);
void own_ticket_stream(bridge& b, const call_ptr& c);
void heartbeat(bridge& b, const call_ptr& c);
void claim(bridge& b, const call_ptr& c);
void complete(bridge& b, const call_ptr& c);
void leave(bridge& b, const call_ptr& c);
void status(bridge& b, const call_ptr& c);
void status_stream(bridge& b, const call_ptr& c);

// events and seats (routes_stock.cpp)
void list_events(bridge& b, const call_ptr& c);
void show_event(bridge& b, const call_ptr& c);
void availability(bridge& b, const call_ptr& c);
void show_block(bridge& b, const call_ptr& c);
void seats_stream(bridge& b, const call_ptr& c);
void ranking(bridge& b, const call_ptr& c);
void date_ranking(bridge& b, const call_ptr& c);

// holds (routes_holds.cpp)
void make_hold(bridge& b, const call_ptr& c);
void show_hold(bridge& b, const call_ptr& c);
void extend_hold(bridge& b, const call_ptr& c);
void release_hold(bridge& b, const call_ptr& c);

// payment and reservations (routes_payment.cpp)
void pay(bridge& b, const call_ptr& c);
void list_reservations(bridge& b, const call_ptr& c);
void show_reservation(bridge& b, const call_ptr& c);
void reservation_stream(bridge& b, const call_ptr& c);
void cancel_reservation(bridge& b, const call_ptr& c);

// operators (routes_admin.cpp)
void put_event(bridge& b, const call_ptr& c);
void get_event_file(bridge& b, const call_ptr& c);
void delete_event(bridge& b, const call_ptr& c);
void plan_event(bridge& b, const call_ptr& c);
void event_action(bridge& b, const call_ptr& c);
void patch_admission(bridge& b, const call_ptr& c);
void event_stats(bridge& b, const call_ptr& c);
void verify_event(bridge& b, const call_ptr& c);
void event_place(bridge& b, const call_ptr& c);
void audit_event(bridge& b, const call_ptr& c);
void list_keys(bridge& b, const call_ptr& c);
void create_key(bridge& b, const call_ptr& c);
void delete_key(bridge& b, const call_ptr& c);
void show_cluster(bridge& b, const call_ptr& c);
void inspect_entities(bridge& b, const call_ptr& c);
void inspect_entity(bridge& b, const call_ptr& c);
void inspect_log(bridge& b, const call_ptr& c);

// backups (routes_backup.cpp)
void make_backup(bridge& b, const call_ptr& c);
void list_backups(bridge& b, const call_ptr& c);

// the cluster (routes_cluster.cpp)
void invite_node(bridge& b, const call_ptr& c);
void replace_node(bridge& b, const call_ptr& c);
void drain_node(bridge& b, const call_ptr& c);
void activate_node(bridge& b, const call_ptr& c);
void remove_node(bridge& b, const call_ptr& c);
void change_replication(bridge& b, const call_ptr& c);
void raise_feature_level(bridge& b, const call_ptr& c);
void transfer_leader(bridge& b, const call_ptr& c);
void rebalance(bridge& b, const call_ptr& c);
void move_event(bridge& b, const call_ptr& c);

void audit_cluster(bridge& b, const call_ptr& c);

/// Of whoever the token names.
inline entity_ref session_of(const call_ptr& c) {
  return entity_ref::of_session(c->who.event, c->who.user);
}

/// Names one request, so that the same command proposed again acts once.
std::string new_request_id();
/// Puts what was done into the cluster's audit, then goes on with `then`: done it is, whatever becomes of the note. Nothing is
/// noted while a member does not know how.
void note(bridge& b, const call_ptr& c, const std::string& what, const std::string& subject, const std::string& detail,
          std::function<void()> then);
/// 204, or what the refusal says.
void answer_done(bridge& b, const call_ptr& c, const domain::reply& reply);

// the node (routes_node.cpp)
void healthz(bridge& b, const call_ptr& c);
void readyz(bridge& b, const call_ptr& c);
void metrics(bridge& b, const call_ptr& c);
void openapi(bridge& b, const call_ptr& c);
void docs(bridge& b, const call_ptr& c);
void jwks(bridge& b, const call_ptr& c);
void page(bridge& b, const call_ptr& c);

} // namespace sluice::http::routes
