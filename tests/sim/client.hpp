// A client's side of the network: requests get lost, come twice, answers get lost; whoever hears nothing tries again with
// the same ids.
#pragma once

#include "checkers.hpp"
#include "scene.hpp"
#include "sim_cluster.hpp"

#include <functional>
#include <memory>

namespace sluice::simulation {

/// What a client knows in the end. Neither: it may or may not have happened.
struct outcome {
  std::shared_ptr<const domain::reply> reply;
  bool is_unknown = false;

  template <class T>
  const T* as() const {
    return reply ? std::get_if<T>(reply.get()) : nullptr;
  }

  /// The refusal's reason, ok for anything else.
  errc why() const {
    const auto* refused = as<domain::refusal>();
    return refused ? refused->why : errc::ok;
  }
};

/// Owned by one run; shared by all its clients.
class network {
public:
  network(scene& run, checkers& all, sim_cluster& home) : run_{run}, checkers_{all}, home_{home} {}

  using handler = std::function<void(const outcome&)>;
  /// Each try makes its message anew: a bridge draws fresh ids, the keys stay.
  using maker = std::function<domain::message()>;

  void call(entity_ref to, maker make, handler done);
  void ask(entity_ref to, domain::message m, handler done);

private:
  struct exchange {
    entity_ref to;
    maker make;
    handler done;
    bool is_query = false;
    std::uint32_t tries = 0;
    bool answered = false;
    node_id node; // whose bridge is asked; another one after every failure
  };

  using exchange_pointer = std::shared_ptr<exchange>;

  void send(const exchange_pointer& x);
  void arrive(const exchange_pointer& x, const std::shared_ptr<const domain::message>& m, std::uint32_t attempt,
              node_id node);
  void back(const exchange_pointer& x, const node_answer& a, std::uint32_t attempt);
  void again(const exchange_pointer& x, micros wait);

  scene& run_;
  checkers& checkers_;
  sim_cluster& home_;
};

} // namespace sluice::simulation
