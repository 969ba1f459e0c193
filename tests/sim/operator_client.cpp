#include "operator_client.hpp"

namespace sluice::simulation {

using domain::event_action;

operator_client::operator_client(scene& run, network& net) : run_{run}, net_{net} {
  for (std::uint32_t i = 0; i < run.settings.events; ++i)
    shows_.push_back({"show" + std::to_string(i + 1), {}, nullptr, false});
}

void operator_client::begin() {
  net_.call(
      entity_ref::of_catalogue(),
      [] {
        return domain::found_cluster{"cluster", "keys", "hash"};
      },
      [](const outcome&) {});
  for (std::size_t i = 0; i < shows_.size(); ++i)
    enrol(i);
  think();
}

void operator_client::think() {
  run_.time.after(run_.dice.about(run_.settings.operator_think), [this] {
    if (!run_.stormy)
      return;
    act(static_cast<std::size_t>(run_.dice.below(shows_.size())));
    think();
  });
}

void operator_client::enrol(std::size_t which) {
  auto& s = shows_[which];
  s.book = std::make_unique<definition_book>(run_, s.slug);
  s.number = {};
  s.defined = false;
  net_.call(
      entity_ref::of_catalogue(), [slug = s.slug] { return domain::register_event{slug}; },
      [this, which](const outcome& o) {
        const auto* made = o.as<domain::registered_reply>();
        if (made == nullptr)
          return;
        shows_[which].number = made->number;
        define(which, shows_[which].book->first());
      });
}

void operator_client::define(std::size_t which, domain::event_definition d) {
  auto number = shows_[which].number;
  auto seed = run_.dice.next();
  net_.call(
      entity_ref::of_event(number),
      [d, seed] {
        return domain::define_event{d, seed, "operator"};
      },
      [this, which, number](const outcome& o) {
        if (o.as<domain::event_reply>() != nullptr && shows_[which].number == number)
          shows_[which].defined = true;
      });
}

void operator_client::control(std::size_t which, event_action action, bool force) {
  auto number = shows_[which].number;
  net_.call(
      entity_ref::of_event(number),
      [action, force] {
        return domain::control_event{action, "hello", force, "operator"};
      },
      [this, which, number, action](const outcome& o) {
        if (action == event_action::remove && o.as<domain::done>() != nullptr && shows_[which].number == number)
          enrol(which);
      });
}

void operator_client::act(std::size_t which) {
  auto& s = shows_[which];
  if (!s.number)
    return enrol(which);
  if (!s.defined)
    return define(which, s.book->next());
  auto choice = run_.dice.below(100);
  if (choice < 35)
    define(which, s.book->next());
  else if (choice < 55)
    net_.call(
        entity_ref::of_event(s.number),
        [p = s.book->patch()] {
          return domain::set_admission{p, "operator"};
        },
        [](const outcome&) {});
  else if (choice < 70)
    control(which, event_action::open);
  else if (choice < 78)
    control(which, event_action::pause);
  else if (choice < 86)
    control(which, event_action::resume);
  else if (choice < 90)
    control(which, event_action::close);
  else if (choice < 91)
    control(which, event_action::say);
  else if (choice < 93)
    control(which, event_action::drain);
  else
    control(which, event_action::remove, run_.dice.coin());
}

void operator_client::settle() {
  for (std::size_t i = 0; i < shows_.size(); ++i)
    if (shows_[i].defined) {
      control(i, event_action::resume); // of a pause, and of a drain behind it
      control(i, event_action::resume);
    }
}

} // namespace sluice::simulation
