// What clients are told, held against the facts: an answer is given only for what happened, a key has one effect and always
// the same answer.
#pragma once

#include "check_line.hpp"
#include "check_money.hpp"
#include "check_stock.hpp"
#include "history.hpp"
#include "scene.hpp"

#include "domain/replies.hpp"

#include <map>
#include <optional>

namespace sluice::simulation {

class answer_checker {
public:
  answer_checker(scene& run, const history& asked, const line_checker& lines, stock_checker& stock,
                 money_checker& money)
      : run_{run}, asked_{asked}, lines_{lines}, stock_{stock}, money_{money} {}

  /// A leader answers, whether or not that reaches anybody. Facts of the entry were told before; those of later ones as
  /// well unless `is_current`: then what changes with time is not compared.
  void answered(const entry_stamp& at, const entity_ref& to, const domain::message& m, const domain::reply& r,
                bool is_current);
  /// A query was answered as of the last entry.
  void told(const entry_stamp& at, const entity_ref& to, const domain::message& m, const domain::reply& r,
            bool is_current);

private:
  void on(const domain::join& m, const domain::ticket_reply& r);
  void on(const domain::claim_turn& m, const domain::visit_reply& r);
  void on(const domain::request_hold& m, const domain::hold_reply& r);
  void on(const domain::extend_hold& m, const domain::hold_reply& r);
  void on(const domain::extend_hold& m, const domain::refusal& r);
  void on(const domain::pay_hold& m, const domain::reservation_reply& r);
  void on(const domain::cancel_reservation& m, const domain::reservation_reply& r);
  void on(const domain::ask_ticket& m, const domain::ticket_reply& r);
  void on(const domain::ask_hold& m, const domain::hold_reply& r);
  void on(const domain::ask_hold& m, const domain::refusal& r);
  void on(const domain::ask_reservations& m, const domain::reservations_reply& r);
  void on(const domain::ask_reservation& m, const domain::reservation_reply& r);
  void on(const domain::ask_reservation& m, const domain::refusal& r);
  void on(const domain::request_hold& m, const domain::refusal& r);
  void on(const domain::pay_hold& m, const domain::refusal& r);

  void check_refusal(const domain::idempotency& once, const domain::refusal& r);
  void fail(const std::string& what);

  struct remembered {
    domain::fingerprint request{};
    std::optional<domain::hold_reply> hold;
    std::optional<domain::reservation_reply> reservation;
    log_index since = 0; // of the first answer
  };

  /// The key's record; null if it answers another request than it did first.
  remembered* key(const domain::idempotency& once);

  scene& run_;
  const history& asked_;
  const line_checker& lines_;
  stock_checker& stock_;
  money_checker& money_;
  entry_stamp at_;
  const entity_ref* to_ = nullptr;
  bool is_current_ = true;
  std::map<std::tuple<event_number, std::string, std::string>, remembered> keys_;
  std::map<std::pair<event_number, ticket_number>, domain::visit_reply> visits_;
  std::map<hold_id, std::set<wall_time>> extended_to_;
};

} // namespace sluice::simulation
