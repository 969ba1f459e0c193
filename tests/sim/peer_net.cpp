#include "peer_net.hpp"

#include "sim_cluster.hpp"

#include <algorithm>

namespace sluice::simulation {

void peer_net::send(node_id from, node_id to, parcel what) {
  const auto& plan = run_.settings;
  if (is_cut(from, to))
    return;
  if (run_.strikes(fault::lost_message, plan.message_lost)) {
    if (plan.links_keep_order)
      break_link(from, to);
    return;
  }
  auto takes = run_.stormy ? run_.dice.between(plan.link_time_min, plan.link_time_max)
                           : std::min<micros>(run_.dice.between(plan.link_time_min, plan.link_time_max), 5 * ms);
  if (run_.strikes(fault::late_message, plan.message_late))
    takes += run_.dice.spread(5 * ms, 1 * second);
  if (plan.links_keep_order) {
    auto& last = arrives_[from.value][to.value];
    last = std::max(last + 1, run_.time.now() + takes);
    return carry(from, to, std::move(what), last - run_.time.now());
  }
  if (run_.strikes(fault::repeated_message, plan.message_repeated))
    carry(from, to, what, run_.dice.spread(1 * ms, 4 * second));
  auto& latest = latest_[from.value][to.value];
  auto arrival = run_.time.now() + takes;
  if (run_.stormy && arrival < latest)
    ++run_.counts[fault::overtaken_message];
  latest = std::max(latest, arrival);
  carry(from, to, std::move(what), takes);
}

void peer_net::carry(node_id from, node_id to, parcel what, micros takes) {
  auto& receiver = home_.node(to);
  auto incarnation = home_.node(from).incarnation();
  auto connection = connection_[from.value][to.value];
  auto arrive = [this, from, to, incarnation, connection, body = std::move(what)]() mutable {
    bool is_broken = run_.settings.links_keep_order && connection != connection_[from.value][to.value];
    if (!is_broken && !is_cut(from, to))
      home_.node(to).receive(from, incarnation, std::move(body));
  };
  if (run_.settings.links_keep_order)
    return !receiver.up() ? void() : receiver.clock().after(takes, std::move(arrive));
  // A message may outlive the process it was sent to, and reach the next one.
  run_.time.after(takes, [this, to, doing = std::move(arrive)]() mutable {
    if (home_.node(to).up())
      home_.node(to).clock().after(0, std::move(doing));
  });
}

void peer_net::break_link(node_id a, node_id b) {
  for (auto [from, to] : {std::pair{a, b}, std::pair{b, a}}) {
    ++connection_[from.value][to.value];
    arrives_[from.value][to.value] = run_.time.now() + run_.dice.between(1 * ms, 50 * ms); // connecting takes a moment
    notice(from, to);
  }
}

void peer_net::break_links(node_id of) {
  for (auto& n : home_.nodes())
    if (n.id() != of)
      break_link(of, n.id());
}

void peer_net::notice(node_id who, node_id lost) {
  if (!run_.dice.permille(run_.settings.hints))
    return;
  auto& n = home_.node(who);
  if (n.up())
    n.clock().after(run_.dice.between(200, 5 * ms), [&n, lost] { n.lost_link(lost); });
}

} // namespace sluice::simulation
