// Operators: register, define and redefine events, open and close them, change their rates, remove them.
#pragma once

#include "client.hpp"
#include "definitions.hpp"
#include "scene.hpp"

#include <memory>
#include <string>
#include <vector>

namespace sluice::simulation {

/// One event under its slug; a removed one is registered again under a new number.
struct show {
  std::string slug;
  event_number number{};
  std::unique_ptr<definition_book> book;
  bool defined = false; // as far as the operator was told
};

/// Owned by one run; lasts as long.
class operator_client {
public:
  operator_client(scene& run, network& net);

  void begin();

  /// What users can choose from.
  const std::vector<show>& shows() const { return shows_; }

  /// After the storm: nothing is paused or closed that could still finish.
  void settle();

private:
  void think();
  void act(std::size_t which);
  void enrol(std::size_t which);
  void define(std::size_t which, domain::event_definition d);
  void control(std::size_t which, domain::event_action action, bool force = false);

  scene& run_;
  network& net_;
  std::vector<show> shows_;
};

} // namespace sluice::simulation
