// One customer: joins lines, waits, claims, holds, extends, releases, pays, cancels, asks; now and then does what it should
// not.
#pragma once

#include "client.hpp"
#include "operator_client.hpp"
#include "scene.hpp"

#include <optional>
#include <string>
#include <vector>

namespace sluice::simulation {

/// Owned by one run; lasts as long.
class user_client {
public:
  user_client(scene& run, checkers& all, network& net, const operator_client& operators, std::string name);

  void begin();

  struct own_reservation {
    event_number event;
    reservation_id id;
  };

  /// Everything this user was ever told it has.
  const std::vector<own_reservation>& reservations() const { return reservations_; }

  struct own_ticket {
    event_number event;
    ticket_number number;
  };

  const std::vector<own_ticket>& tickets() const { return tickets_; }

  const std::string& name() const { return name_; }

private:
  struct own_hold {
    hold_id id;
    std::int64_t amount = 0;
  };

  /// A request kept to be sent again, as it was or with another body under the same key.
  struct old_request {
    event_number event;
    domain::message what;
  };

  void think();
  void act();
  void choose_event();
  void in_line();
  void inside();
  void forget_visit();

  void join();
  void claim();
  void dawdle(const domain::ticket_reply& t);
  void leave();
  void complete();
  void hold();
  void procrastinate(const domain::hold_reply& h);
  void extend(const hold_id& chosen);
  void release(const hold_id& chosen);
  void pay(const hold_id& chosen);
  void cancel();
  void ask();
  void repeat();

  ticket_number some_ticket();
  std::vector<domain::wanted_part> choose_parts(const domain::placed_event& plan);
  template <class Id>
  Id fresh_id(event_number event);
  admission_id fresh_admission();
  domain::idempotency fresh_key();

  entity_ref event() const { return entity_ref::of_event(event_); }

  entity_ref session() const { return entity_ref::of_session(event_, name_); }

  /// Sends, and does nothing else until it knows how that ended.
  void call(entity_ref to, network::maker make, network::handler done);

  scene& run_;
  checkers& checkers_;
  network& net_;
  const operator_client& operators_;
  std::string name_;
  bool busy_ = false;
  std::uint64_t keys_made_ = 0;

  event_number event_{};
  std::optional<ticket_number> ticket_;
  micros lazy_until_ = 0;
  std::optional<admission_id> admission_;
  std::vector<own_hold> holds_;
  std::vector<old_request> old_;
  std::vector<own_reservation> reservations_;
  std::vector<own_ticket> tickets_;
};

} // namespace sluice::simulation
