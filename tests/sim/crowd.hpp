// Thousands who come to one event at once: hundreds of commands an entry, where the users' clients send one by one.
#pragma once

#include "client.hpp"
#include "definitions.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace sluice::simulation {

/// Joins and leaves in bursts, at an event of its own, so that the others still get through. Asks through any node's bridge,
/// which asks on behalf of all of a burst until somebody answers.
/// Owned by one run.
class crowd {
public:
  crowd(scene& run, checkers& all, network& net, sim_cluster& home);

  /// Nothing happens in runs without a crowd.
  void begin();

private:
  void enrol();
  void define(event_number number);
  void come_and_go();
  void join(std::size_t count);
  void leave(std::size_t count);
  void send(const std::vector<domain::message>& burst, bool joins);

  struct place {
    ticket_number ticket;
    std::string user;
  };

  scene& run_;
  checkers& checkers_;
  network& net_;
  sim_cluster& home_;
  domain::event_definition definition_;
  event_number event_{};
  std::uint32_t users_made_ = 0;
  std::vector<place> waiting_; // as far as it was told
};

} // namespace sluice::simulation
