// What goes wrong with nodes and links, and who moves replicas meanwhile.
#pragma once

#include "checkers.hpp"
#include "scene.hpp"
#include "sim_cluster.hpp"

#include <functional>

namespace sluice::simulation {

/// Owned by one run; lasts as long.
class storms {
public:
  storms(scene& run, sim_cluster& home) : run_{run}, home_{home}, minds_{mix(run.options.seed) ^ 0x0FF} {}

  void begin();
  /// Links heal, whoever is paused goes on, whoever is down boots; one may stay dead where nobody needs it.
  void end();
  void everybody_back();

private:
  void every(micros mean, std::function<void()> what);
  sim_node* some_node_up();
  /// Mostly one that leads something.
  sim_node* some_victim();

  void crash_many();
  void pause();
  void split();
  void isolate();
  void alarm();
  void break_link();
  void lose_data(fault how);
  void flip_state();
  sim_node* one_that_may_fail();
  void move();
  void transfer();
  void move_slot();
  void call_off(event_number event, partition_id where);
  void jump_clock();
  void let_one_die();

  scene& run_;
  sim_cluster& home_;
  chance minds_;             // of operators who move events: their own, so that the dice of all else do not change
  std::uint64_t splits_ = 0; // only the last one is healed by its own end
};

} // namespace sluice::simulation
