#include "history.hpp"

#include "core/overloaded.hpp"

namespace sluice::simulation {

namespace {

const char* word_of(domain::event_action action) {
  switch (action) {
  case domain::event_action::open:
    return "open";
  case domain::event_action::pause:
    return "pause";
  case domain::event_action::resume:
    return "resume";
  case domain::event_action::close:
    return "close";
  case domain::event_action::drain:
    return "drain";
  case domain::event_action::remove:
    return "removed";
  case domain::event_action::say:
    return "message";
  }
  return "";
}

} // namespace

void history::invoked(const entity_ref& to, const domain::message& m) {
  auto event = to.event;
  std::visit(overloaded{
                 [&](const domain::join& c) {
                   joins_.insert({event, c.user});
                 },
                 [&](const domain::leave& c) {
                   leaves_.insert({event, c.ticket, c.user});
                 },
                 [&](const domain::claim_turn& c) {
                   claims_.insert({event, c.ticket, c.user});
                 },
                 [&](const domain::complete_visit& c) {
                   completes_.insert({event, c.ticket, c.user});
                 },
                 [&](const domain::request_hold& c) {
                   holds_.insert_or_assign(c.hold, asked_hold{event, to.user, c.once, c.parts});
                 },
                 [&](const domain::extend_hold& c) { extensions_[c.hold].insert(c.request_id); },
                 [&](const domain::release_hold& c) {
                   releases_.insert({c.hold, to.user});
                 },
                 [&](const domain::pay_hold& c) {
                   payments_.insert_or_assign(c.reservation, asked_payment{event, to.user, c.once, c.hold});
                 },
                 [&](const domain::cancel_reservation& c) {
                   cancels_.insert({c.reservation, to.user});
                 },
                 [&](const domain::control_event& c) {
                   controls_.insert({event, word_of(c.action)});
                 },
                 [&](const domain::define_event& c) {
                   definitions_.insert_or_assign({event, c.definition.admission.users_per_minute}, c.definition);
                 },
                 [&](const domain::set_admission& c) {
                   if (c.patch.users_per_minute)
                     patches_.insert_or_assign({event, *c.patch.users_per_minute}, c.patch);
                 },
                 [](const auto&) {},
             },
             m);
}

} // namespace sluice::simulation
