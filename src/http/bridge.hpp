// The HTTP bridge of one I/O thread: finds the route of a request, checks who asks, and turns answers of the actors into
// HTTP. One per thread; they share the read models and nothing else that changes.
#pragma once

#include "codec/document.hpp"
#include "core/facts_seal.hpp"
#include "domain/replies.hpp"
#include "http/connection.hpp"
#include "http/io_thread.hpp"
#include "http/read_models.hpp"
#include "http/requester.hpp"
#include "http/tokens.hpp"

#include <chrono>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sluice::http {

class bridge;
class push_hub;

/// What the cluster was founded with, once this node knows it.
struct credentials {
  std::string cluster_id;
  std::uint32_t epoch = 0;
  std::shared_ptr<const key_ring> keys;
};

/// What the node tells its bridges beyond the read models. Functions are thread-safe.
struct node_services {
  std::string version;
  std::string name;
  std::function<std::vector<std::string>()> not_ready;                    // reasons; empty: ready
  std::function<std::string()> metrics;                                   // Prometheus text
  std::function<void(std::function<void(std::string)>)> describe_cluster; // JSON
  /// JSON; `older`: whether that seal holds is asked, too.
  std::function<void(std::uint32_t event, const std::optional<facts_seal>& older, std::function<void(std::string)>)>
      verify;
  std::function<void(std::uint32_t event, const std::optional<facts_seal>& older, std::function<void(std::string)>)>
      audit;
  std::function<void(std::function<void(std::string)>)> list_entities; // JSON
  std::function<void(const entity_ref&, std::function<void(std::string)>)> inspect_entity;
  /// JSON; without `after` the latest entries.
  std::function<std::string(partition_id, std::optional<log_index> after, std::size_t limit)> inspect_log;

  /// Both from another thread: the manifest or what went wrong; {"backups": […]}.
  std::function<void(std::function<void(std::string manifest, std::string error)>)> make_backup;
  std::function<void(std::function<void(std::string)>)> list_backups;

  // Operations on the cluster; absent where this node can not do them. `done` is called once, from any thread, with what
  // went wrong, for people, or with an empty text. Node 0 is: whoever is best.
  using on_done = std::function<void(std::string error)>;
  std::function<void(partition_id, node_id to, on_done done)> transfer;
  enum class move_state : std::uint8_t { impossible, begun, under_way, done };
  using on_moved = std::function<void(move_state, std::string error)>;
  std::function<void(event_number, partition_id to, on_moved done)> move;

  struct event_place {
    partition_id partition;
    std::string leader;                    // of that partition, a name
    std::optional<partition_id> moving_to; // it stands still
  };

  /// `done` once, from any thread; nothing: it could not be asked.
  std::function<void(event_number, std::function<void(std::optional<event_place>)> done)> place;
  std::function<void(on_done done)> rebalance;
  /// `done` once the other nodes know the event in this revision, or soon after.
  std::function<void(const std::string& slug, std::uint32_t revision, std::function<void()> done)> spread;
  std::function<void(node_id, on_done done)> may_remove; // empty error: no replica is left on that draining node
};

/// Shared by all bridges of a node.
struct bridge_services {
  edge& shared;
  actors::router& routes;
  read_models& models;
  push_hub& pushes;
  node_services node;
  std::shared_ptr<verified_tokens> verified = std::make_shared<verified_tokens>();
  std::atomic<std::uint64_t> in_flight{0};
  std::shared_ptr<const credentials> secrets() const;
  void set_secrets(credentials c);
  /// Room for one body larger than most, given back with the last copy. Null: `most` are under way.
  std::shared_ptr<const void> room_for_file(std::size_t most);

private:
  mutable std::mutex lock_;
  std::shared_ptr<const credentials> secrets_;
  std::shared_ptr<std::atomic<std::size_t>> files_ = std::make_shared<std::atomic<std::size_t>>(0);

public:
  bridge_services(edge& e, actors::router& r, read_models& m, push_hub& p, node_services n)
      : shared{e}, routes{r}, models{m}, pushes{p}, node{std::move(n)} {}
};

/// One request on its way through a route. Shared by the callbacks that finish it.
struct call {
  request req;
  exchange reply;
  std::vector<std::string> parameters; // of the path, decoded
  std::string request_id;
  std::shared_ptr<event_view> event;     // of routes under an event
  std::shared_ptr<const plan_view> plan; // likewise
  claims who;                            // of routes that need a token
  std::string token;                     // as sent
  std::string key_name;                  // of admin routes
  domain::key_role role{};
};

using call_ptr = std::shared_ptr<call>;

enum class body_kind : std::uint8_t { none, json, optional_json, file };

struct route {
  http::method method;
  std::string_view pattern; // "{x}" takes one segment
  body_kind body = body_kind::none;
  std::optional<domain::key_role> role; // of admin routes
  void (*handle)(bridge&, const call_ptr&) = nullptr;
};

/// Every route there is: what openapi.json is checked against.
const std::vector<route>& all_routes();

class bridge final : public request_handler, public reservation_listener {
public:
  bridge(io_thread& thread, bridge_services& services);
  ~bridge() override;

  // request_handler
  body_terms terms_for(const request& r) override;
  void handle(request& r, exchange reply) override;
  response refuse(errc why, const request& r) override;
  void tick(std::chrono::steady_clock::time_point now) override;

  // reservation_listener
  void changed(const std::shared_ptr<const domain::reservation_update>& update) override;

  // ---- for the routes ----

  bridge_services& services() { return services_; }

  requester& partitions() { return requester_; }

  asio::io_context& context() { return thread_.context(); }

  const server_limits& limits() const { return services_.shared.limits; }

  /// Null until the cluster is founded; the call is then answered.
  token_office* tokens(const call_ptr& c);

  /// Fills c->who from the request's token. False: the call was answered with 401 or 403.
  bool authenticate(const call_ptr& c, std::optional<claims::kind> kind, bool may_be_expired = false);
  /// Whom a token of this event names, expired or not; empty if none came, or it is not good here. Answers nothing.
  std::optional<claims> recognise(const call_ptr& c);
  /// For a replay with an admission token that ran out meanwhile: a new booking with it is refused for what it is.
  void fail_with_token(const call_ptr& c, const domain::refusal& why) const;
  /// Fills c->event and c->plan from the first path parameter. False: the call was answered.
  bool find_event(const call_ptr& c);
  /// A node that just started knows no event yet, which is no reason to deny one. True: the call was answered.
  bool is_starting(const call_ptr& c);
  /// The token must be for that very event.
  bool check_audience(const call_ptr& c);

  /// The body as a JSON object; an absent one reads as {} where it may be. Empty: the call was answered.
  std::optional<codec::document> json_body(const call_ptr& c, bool may_be_absent = false);
  /// Answers with everything wrong in a document. True: nothing was.
  bool accept(const call_ptr& c, const std::vector<codec::document_error>& mistakes);
  /// Every member executes this command by now. False: the call was answered.
  bool is_active(const call_ptr& c, const domain::message& command);
  /// A whole number in the query, at most 2^53. Empty: the call was answered.
  std::optional<std::uint64_t> number_of(const call_ptr& c, std::string_view name, std::uint64_t otherwise) const;
  /// `waitMs`, cut to the longest allowed. Empty: the call was answered.
  std::optional<std::chrono::milliseconds> wait_of(const call_ptr& c) const;
  /// The Idempotency-Key, which must be there. Empty: the call was answered.
  std::optional<std::string> idempotency_key(const call_ptr& c);
  /// It and the fingerprint of the body. Empty: the call was answered.
  std::optional<domain::idempotency> once(const call_ptr& c, const codec::document& body);

  void answer(const call_ptr& c, response r) const;
  void answer_json(const call_ptr& c, unsigned status, std::string body) const;
  void fail(const call_ptr& c, errc why, std::string_view detail = {}, std::string_view extra = {}) const;
  void fail(const call_ptr& c, const domain::refusal& why) const;

  /// Calls `done` with the reservation's next state that is final for a waiter, or null when `until` passed; not at all
  /// once the call was answered or its client is gone.
  using on_reservation = std::function<void(const domain::reservation_reply*)>;
  void await_reservation(const call_ptr& c, const reservation_id& id, std::chrono::steady_clock::time_point until,
                         on_reservation done);

  /// Looks every tick whether there is something new to answer; true ends it.
  struct poller {
    std::function<bool(std::chrono::steady_clock::time_point)> look;
  };

  void add_poller(poller p) { pollers_.push_back(std::move(p)); }

private:
  const route* find_route(const request& r, std::vector<std::string>& parameters, bool& path_known,
                          std::string& allowed) const;
  bool authorise(const call_ptr& c, domain::key_role needed);
  /// The admin key the request came with, if that may do what `needed` may.
  result<domain::key_entry> key_of(const request& r, domain::key_role needed) const;
  void refresh_secrets();

  io_thread& thread_;
  bridge_services& services_;
  requester requester_;
  std::shared_ptr<const credentials> secrets_;
  std::unique_ptr<token_office> office_;
  std::uint64_t requests_ = 0;
  std::uint64_t request_prefix_ = 0;
  std::list<poller> pollers_;

  struct reservation_waiter {
    exchange reply;
    std::chrono::steady_clock::time_point until;
    on_reservation done;
  };

  std::multimap<reservation_id, reservation_waiter> waiters_;
  std::atomic<std::size_t> waiter_count_{0};      // read by actor threads
  std::chrono::steady_clock::time_point swept_{}; // when those nobody waits for any more were last dropped
};

/// A wait in seconds from `Prefer: wait=<seconds>`, capped.
std::optional<std::chrono::milliseconds> preferred_wait(const request& r, std::chrono::milliseconds most);

} // namespace sluice::http
