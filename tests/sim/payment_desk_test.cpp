#include "payment_desk.hpp"

#include <catch2/catch.hpp>

#include <vector>

using namespace sluice;
using namespace sluice::simulation;
using domain::charge_step;

// Seed 210246 with a crowd of 5 000: the capture of an event that had moved went with the call before it, and its
// reservation stayed PAYING for good.
TEST_CASE("sim: what an event that moved asks its desk for again outlives the partition it left", "[sim]") {
  run_options options;
  scene run{options};
  run.stormy = false; // the provider answers
  node_clock clock{run, [] {}};
  sim_provider provider{run};
  provider.before_capture = [](const reservation_id&) {};
  std::vector<charge_step> settled;
  payment_desk desk{run, clock, provider,
                    [&](const entity_ref&, const domain::charge_settled& s) { settled.push_back(s.step); }};
  auto user = entity_ref::of_session({1}, "alice");
  auto charge = [](charge_step step) {
    domain::charge c;
    c.step = step;
    c.amount = 5'000;
    return c;
  };
  desk.start({0}, user, charge(charge_step::authorise));
  desk.start({0}, user, charge(charge_step::capture));
  desk.leave({0}, event_number{1}); // it moves, while the authorisation is on its way
  desk.start({1}, user, charge(charge_step::capture));
  desk.leave({0}); // another node leads where it was
  while (!run.time.empty() && !run.failed())
    run.time.step();
  CHECK_FALSE(run.failed());
  CHECK(settled == std::vector{charge_step::authorise, charge_step::capture});
}
