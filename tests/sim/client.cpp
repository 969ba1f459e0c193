#include "client.hpp"

namespace sluice::simulation {

namespace {

constexpr std::uint32_t tries_max = 4;

} // namespace

void network::call(entity_ref to, maker make, handler done) {
  auto x = std::make_shared<exchange>();
  x->to = std::move(to);
  x->make = std::move(make);
  x->done = std::move(done);
  send(x);
}

void network::ask(entity_ref to, domain::message m, handler done) {
  auto x = std::make_shared<exchange>();
  x->to = std::move(to);
  x->make = [m = std::move(m)] { return m; };
  x->done = std::move(done);
  x->is_query = true;
  send(x);
}

void network::send(const exchange_pointer& x) {
  auto attempt = ++x->tries;
  x->node = home_.some_node().id();
  const auto& plan = run_.settings;
  auto copies = run_.strikes(fault::repeated_request, plan.request_repeated) ? 2 : 1;
  for (int copy = 0; copy < copies; ++copy) {
    auto m = std::make_shared<const domain::message>(x->make());
    checkers_.asked.invoked(x->to, *m);
    auto takes = run_.dice.between(0, plan.request_time);
    if (copy > 0 && run_.dice.coin())
      takes = run_.dice.between(0, 8 * second); // a proxy in between that tries again much later
    if (!run_.strikes(fault::lost_request, plan.request_lost))
      run_.time.after(takes, [this, x, m, attempt, node = x->node] { arrive(x, m, attempt, node); });
  }
  run_.time.after(plan.client_patience, [this, x, attempt] {
    if (!x->answered && x->tries == attempt)
      again(x, 0);
  });
}

void network::arrive(const exchange_pointer& x, const std::shared_ptr<const domain::message>& m, std::uint32_t attempt,
                     node_id node) {
  home_.node(node).request(x->to, m, x->is_query, [this, x, attempt](const node_answer& a) {
    if (run_.strikes(fault::lost_answer, run_.settings.answer_lost))
      return;
    run_.time.after(run_.dice.between(0, run_.settings.request_time), [this, x, a, attempt] { back(x, a, attempt); });
  });
}

void network::back(const exchange_pointer& x, const node_answer& a, std::uint32_t attempt) {
  if (x->answered)
    return;
  if (!a.reply) {
    if (x->tries == attempt)
      again(x, run_.dice.between(20, 300) * ms);
    return;
  }
  x->answered = true;
  x->done({a.reply, false});
}

void network::again(const exchange_pointer& x, micros wait) {
  if (x->tries >= tries_max) {
    x->answered = true; // whatever comes now, nobody listens
    x->done({nullptr, true});
    return;
  }
  run_.time.after(wait, [this, x, tries = x->tries] {
    if (!x->answered && x->tries == tries)
      send(x);
  });
}

} // namespace sluice::simulation
