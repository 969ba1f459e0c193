// After the storm: everything ended, the books agree, nothing that was acknowledged is missing, and the engine still sells.
#pragma once

#include "checkers.hpp"
#include "client.hpp"
#include "definitions.hpp"
#include "scene.hpp"
#include "sim_cluster.hpp"
#include "user_client.hpp"

#include <memory>

namespace sluice::simulation {

/// Owned by one run.
class reckoning {
public:
  reckoning(scene& run, checkers& all, sim_cluster& home, network& net);

  /// A new event, a new customer, one seat: from the join to the confirmation.
  void engine_still_works();
  /// No hold outlives its time, no payment runs, no effect or note is open, the sums agree.
  void everything_ended();
  /// Everything a user was told it has is still there.
  void ask_for_all(const user_client& user);
  void all_was_answered();
  /// Every partition has a leader.
  void somebody_leads();
  /// Every replica has all there is, equal.
  void replicas_agree();

private:
  struct canary {
    definition_book book;
    event_number event{};
    ticket_number ticket{};
    admission_id admission{};
    hold_id hold{};
    reservation_id reservation{};
    bool sang = false;
  };

  template <class Reply>
  void next(const char* what, entity_ref to, domain::message m, std::function<void(const Reply&)> then);
  void check_catalogue();
  void check_ranking();
  void check_partitions();

  scene& run_;
  checkers& checkers_;
  sim_cluster& home_;
  network& net_;
  std::shared_ptr<canary> canary_;
  std::uint32_t open_questions_ = 0;
};

} // namespace sluice::simulation
