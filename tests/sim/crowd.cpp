#include "crowd.hpp"

#include <algorithm>

namespace sluice::simulation {

namespace {

constexpr micros burst_every = 100 * ms;

} // namespace

crowd::crowd(scene& run, checkers& all, network& net, sim_cluster& home)
    : run_{run}, checkers_{all}, net_{net}, home_{home} {}

void crowd::begin() {
  if (run_.settings.crowd == 0)
    return;
  definition_ = definition_book{run_, "rush"}.calm();
  definition_.admission.users_per_minute = 60'000;
  definition_.admission.max_active_users = 500;
  enrol();
  come_and_go();
}

void crowd::enrol() {
  net_.call(
      entity_ref::of_catalogue(), [] { return domain::register_event{"rush"}; },
      [this](const outcome& o) {
        if (const auto* made = o.as<domain::registered_reply>())
          define(made->number);
        else if (run_.stormy)
          run_.time.after(500 * ms, [this] { enrol(); });
      });
}

void crowd::define(event_number number) {
  net_.call(
      entity_ref::of_event(number),
      [d = definition_, seed = run_.dice.next()] {
        return domain::define_event{d, seed, "operator"};
      },
      [this, number](const outcome& o) {
        if (o.as<domain::event_reply>() != nullptr)
          event_ = number;
        else if (run_.stormy)
          run_.time.after(500 * ms, [this, number] { define(number); });
      });
}

void crowd::come_and_go() {
  run_.time.after(run_.dice.about(burst_every), [this] {
    if (!run_.stormy)
      return;
    auto count = static_cast<std::size_t>(std::max<micros>(run_.settings.crowd * burst_every / second, 1));
    if (event_)
      waiting_.size() > 4 * count&& run_.dice.coin() ? leave(count) : join(count);
    come_and_go();
  });
}

void crowd::join(std::size_t count) {
  std::vector<domain::message> burst;
  for (std::size_t i = 0; i < count; ++i)
    burst.emplace_back(domain::join{"c" + std::to_string(++users_made_)});
  send(burst, true);
}

/// The last who came, mostly: those before them may be through by now.
void crowd::leave(std::size_t count) {
  std::vector<domain::message> burst;
  for (std::size_t i = 0; i < count && !waiting_.empty(); ++i) {
    burst.emplace_back(domain::leave{waiting_.back().user, waiting_.back().ticket});
    waiting_.pop_back();
  }
  send(burst, false);
}

void crowd::send(const std::vector<domain::message>& burst, bool joins) {
  auto to = entity_ref::of_event(event_);
  std::vector<std::shared_ptr<const domain::message>> all;
  for (const auto& m : burst) {
    checkers_.asked.invoked(to, m);
    all.push_back(std::make_shared<const domain::message>(m));
  }
  home_.some_node().request_all(to, all, [this, joins](const domain::message& m, const node_answer& a) {
    if (!joins || !a.reply)
      return;
    if (const auto* t = std::get_if<domain::ticket_reply>(a.reply.get()))
      waiting_.push_back({t->ticket, std::get<domain::join>(m).user});
  });
}

} // namespace sluice::simulation
