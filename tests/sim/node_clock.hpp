// Events of one life of a node: when it dies, what it had planned does not happen; while it is paused, it waits.
#pragma once

#include "scene.hpp"

#include <functional>
#include <utility>
#include <vector>

namespace sluice::simulation {

/// Owned by one node; outlives its lives.
class node_clock {
public:
  /// `afterwards` is called when an event of a life is over, so that a power cut within it can take effect.
  node_clock(scene& run, std::function<void()> afterwards) : run_{run}, afterwards_{std::move(afterwards)} {}

  template <class What>
  void after(micros delay, What what) {
    run_.time.after(delay, [this, life = life_, doing = std::move(what)]() mutable {
      if (life != life_)
        return;
      if (paused_)
        return missed_.push_back(std::move(doing));
      doing();
      afterwards_();
    });
  }

  /// The process is frozen: nothing of it happens until `resume`.
  void pause() { paused_ = true; }

  bool paused() const { return paused_; }

  /// All that was due meanwhile happens at once, in order.
  void resume() {
    paused_ = false;
    auto life = life_;
    for (auto& doing : std::exchange(missed_, {})) {
      if (life != life_)
        return;
      doing();
      afterwards_();
    }
  }

  /// No event planned so far happens any more.
  void next_life() {
    ++life_;
    paused_ = false;
    missed_.clear();
  }

  std::uint64_t life() const { return life_; }

private:
  scene& run_;
  std::function<void()> afterwards_;
  std::uint64_t life_ = 0;
  bool paused_ = false;
  std::vector<std::function<void()>> missed_;
};

} // namespace sluice::simulation
