#include "simulation.hpp"

#include "checkers.hpp"
#include "client.hpp"
#include "full_replay.hpp"
#include "operator_client.hpp"
#include "reckoning.hpp"
#include "scene.hpp"
#include "sim_node.hpp"
#include "user_client.hpp"

#include <deque>

namespace sluice::simulation {

namespace {

standing standing_now;

/// Everything there is in one run.
class world {
public:
  explicit world(const run_options& options)
      : run_{options}, places_{run_.settings.partitions}, provider_{run_}, checkers_{run_, provider_},
        node_{run_, checkers_, provider_, places_, {1}}, net_{run_, checkers_, node_}, operators_{run_, net_} {
    for (std::uint32_t i = 0; i < run_.settings.users; ++i)
      users_.emplace_back(run_, checkers_, net_, operators_, "user" + std::to_string(i + 1));
    provider_.before_capture = [this](const reservation_id& id) { checkers_.money.before_capture(id); };
  }

  run_report play() {
    node_.boot();
    operators_.begin();
    for (auto& u : users_)
      u.begin();
    provider_.begin_outages();
    node_.begin_crashing();
    jump_wall_clock();
    until(run_.settings.storm);
    calm_down();
    reckon();
    return report();
  }

private:
  bool going() const { return !run_.failed(); }

  void until(micros end) {
    while (going() && !run_.time.empty() && run_.time.next() <= end) {
      standing_now.step = run_.time.steps();
      standing_now.virtual_time = run_.time.now();
      run_.time.step();
    }
    if (going())
      run_.time.pass_to(end);
  }

  void jump_wall_clock() {
    if (run_.settings.wall_jump_every == 0)
      return;
    run_.time.after(run_.dice.about(run_.settings.wall_jump_every), [this] {
      if (!run_.stormy)
        return;
      ++run_.counts[fault::wall_jump];
      run_.wall_offset_ms += run_.dice.coin() ? run_.dice.between(-3'600'000, 3'600'000) : run_.dice.between(-900, 900);
      jump_wall_clock();
    });
  }

  /// Faults and people rest; what has begun must end.
  void calm_down() {
    if (!going())
      return;
    run_.say("the storm is over");
    run_.stormy = false;
    until(run_.time.now() + 12 * second); // a node that is down boots, calls that are late arrive
    operators_.settle();
    until(run_.time.now() + 75 * second);
  }

  void reckon() {
    if (!going())
      return;
    reckoning last{run_, checkers_, node_, net_};
    last.engine_still_works();
    until(run_.time.now() + 6 * second);
    last.everything_ended();
    for (const auto& u : users_)
      last.ask_for_all(u);
    until(run_.time.now() + 3 * second);
    last.all_was_answered();
    if (!going())
      return;
    bool stopped = false;
    node_.stop_cleanly([&] { stopped = true; });
    until(run_.time.now() + 5 * second);
    if (going() && (!stopped || !node_.up()))
      run_.fail("liveness", "the node did not come back from a clean stop");
    last.everything_ended();
    if (run_.settings.replay)
      for (std::uint32_t p = 0; p < places_.partitions() && going(); ++p)
        replay_from_the_beginning(run_, checkers_.replay, node_.config_of({p}));
  }

  run_report report() {
    run_report r;
    r.seed = run_.options.seed;
    r.ok = !run_.failed();
    if (run_.failed()) {
      r.checker = run_.violated()->checker;
      r.what = run_.violated()->what;
    }
    r.step = run_.time.steps();
    r.virtual_time = run_.time.now();
    r.fingerprint = run_.time.fingerprint();
    const auto& c = run_.counts;
    r.thin = c[deed::joined] < 5 || c[deed::claimed] < 3 || c[deed::held] < 3 ||
             c[deed::confirmed] + c[deed::paid_free] < 1 || c[deed::restarts] < 2;
    r.counts = c;
    return r;
  }

  scene run_;
  partition_map places_;
  sim_provider provider_;
  checkers checkers_;
  sim_node node_;
  network net_;
  operator_client operators_;
  std::deque<user_client> users_;
};

} // namespace

run_report run(const run_options& options) {
  standing_now = {options.seed, 0, 0};
  return world{options}.play();
}

const standing& where() {
  return standing_now;
}

} // namespace sluice::simulation
