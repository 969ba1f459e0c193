#include "simulation.hpp"

#include "checkers.hpp"
#include "client.hpp"
#include "crowd.hpp"
#include "full_replay.hpp"
#include "operator_client.hpp"
#include "reckoning.hpp"
#include "scene.hpp"
#include "sim_cluster.hpp"
#include "storms.hpp"
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
        home_{run_, checkers_, provider_, places_}, storms_{run_, home_}, net_{run_, checkers_, home_},
        operators_{run_, net_}, crowd_{run_, checkers_, net_, home_} {
    for (std::uint32_t i = 0; i < run_.settings.users; ++i)
      users_.emplace_back(run_, checkers_, net_, operators_, "user" + std::to_string(i + 1));
    provider_.before_capture = [this](const reservation_id& id) { checkers_.money.before_capture(id); };
  }

  run_report play() {
    home_.found();
    operators_.begin();
    for (auto& u : users_)
      u.begin();
    crowd_.begin();
    provider_.begin_outages();
    storms_.begin();
    until(run_.settings.storm);
    if (run_.options.speed)
      return report();
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

  /// Faults and people rest; what has begun must end.
  void calm_down() {
    if (!going())
      return;
    run_.say("the storm is over");
    run_.stormy = false;
    storms_.end();
    reckoning last{run_, checkers_, home_, net_};
    until(run_.time.now() + 3 * second);
    last.somebody_leads();
    until(run_.time.now() + 9 * second); // calls that are late arrive
    operators_.settle();
    until(run_.time.now() + 75 * second);
  }

  void reckon() {
    if (!going())
      return;
    storms_.everybody_back();
    reckoning last{run_, checkers_, home_, net_};
    last.engine_still_works();
    until(run_.time.now() + 6 * second);
    last.everything_ended();
    last.replicas_agree();
    for (const auto& u : users_)
      last.ask_for_all(u);
    until(run_.time.now() + 3 * second);
    last.all_was_answered();
    if (!going())
      return;
    std::size_t stopped = 0;
    for (auto& n : home_.nodes())
      n.stop_cleanly([&] { ++stopped; });
    until(run_.time.now() + 5 * second);
    for (auto& n : home_.nodes())
      if (going() && (stopped < home_.nodes().size() || !n.up()))
        run_.fail("liveness", "a node did not come back from a clean stop");
    last.everything_ended();
    last.replicas_agree();
    if (run_.settings.replay)
      for (std::uint32_t p = 0; p < places_.partitions() && going(); ++p)
        replay_from_the_beginning(run_, checkers_.replay, home_.node({1}).config_of({p}));
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
  sim_cluster home_;
  storms storms_;
  network net_;
  operator_client operators_;
  crowd crowd_;
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
