// Reservations retold from the facts, held against the provider's ledger: money moves if and only if seats do.
#pragma once

#include "check_stock.hpp"
#include "history.hpp"
#include "scene.hpp"
#include "sim_provider.hpp"

#include "domain/facts.hpp"

#include <map>
#include <set>

namespace sluice::simulation {

class money_checker {
public:
  money_checker(scene& run, const history& asked, const line_checker& lines, stock_checker& stock,
                const sim_provider& provider)
      : run_{run}, asked_{asked}, lines_{lines}, stock_{stock}, provider_{provider} {}

  void on(const entry_stamp& at, event_number event, const domain::reservation_moved& f);
  void end_entry(const entry_stamp& at, event_number event);

  /// What the owner was told a hold costs.
  void priced(const hold_id& hold, std::int64_t amount) { prices_[hold] = amount; }

  /// The provider is about to take money.
  void before_capture(const reservation_id& id);

  struct booking {
    event_number event;
    hold_id hold;
    std::string user;
    domain::reservation_state state{};
    std::uint32_t seats = 0;
    std::int64_t amount = 0;
    bool was_paying = false;
  };

  const booking* find(const reservation_id& id) const {
    auto found = bookings_.find(id);
    return found == bookings_.end() ? nullptr : &found->second;
  }

  /// All a user ever began to pay.
  std::uint64_t count_of(event_number event, const std::string& user) const {
    auto found = counts_.find({event, user});
    return found == counts_.end() ? 0 : found->second;
  }

  /// Seats paid for, and the money for them.
  std::uint64_t sold(event_number event) const;
  std::int64_t revenue(event_number event) const;
  /// No payment runs, the books agree with the facts to the last cent.
  void at_the_end();

private:
  bool may_follow(domain::reservation_state before, domain::reservation_state after, std::int64_t amount) const;
  void check_books(const reservation_id& id, const booking& b);
  void fail(const entry_stamp& at, const reservation_id& id, const std::string& what);

  scene& run_;
  const history& asked_;
  const line_checker& lines_;
  stock_checker& stock_;
  const sim_provider& provider_;
  std::map<reservation_id, booking> bookings_;
  std::map<hold_id, reservation_id> of_hold_;
  std::map<std::pair<event_number, std::string>, std::uint64_t> counts_;
  std::map<hold_id, std::int64_t> prices_;
  std::map<event_number, std::pair<std::int64_t, std::int64_t>> sales_; // seats, money
  std::set<reservation_id> touched_;
};

} // namespace sluice::simulation
