#include "sluice-bench/journey_script.hpp"

#include "core/slot.hpp"
#include "sluice-bench/visitor.hpp"

#include <cstring>

namespace sluice::bench {

journey_script::journey_script(std::vector<event_number> events, std::string prefix, bool pays, std::uint64_t users_max)
    : events_{std::move(events)}, prefix_{std::move(prefix) + "-"}, pays_{pays},
      users_max_{users_max}, salt_{std::random_device{}()} {}

action journey_script::begin(std::uint32_t lane) {
  if (users_max_ != 0 && next_ == users_max_)
    return action::only(action::what::retire);
  if (lane >= guests_.size())
    guests_.resize(lane + 1);
  auto& g = guests_[lane];
  g.number = next_++;
  g.user = visitor::user_name(prefix_, g.number);
  g.event = events_[g.number % events_.size()];
  return action::send(entity_ref::of_event(g.event), domain::join{g.user});
}

action journey_script::claim(guest& g) {
  std::memcpy(g.admission.bytes.data(), &salt_, sizeof(salt_));
  std::memcpy(g.admission.bytes.data() + sizeof(salt_), &g.number, sizeof(g.number));
  return action::send(entity_ref::of_event(g.event), domain::claim_turn{g.user, g.ticket, g.admission});
}

/// Lane, then the user's number, then salt: an update finds its lane by the id.
template <class Id>
Id journey_script::routed(const guest& g, std::uint32_t lane) const {
  std::array<std::uint8_t, 14> bytes{};
  std::memcpy(bytes.data(), &lane, 4);
  std::memcpy(bytes.data() + 4, &g.number, 6);
  std::memcpy(bytes.data() + 10, &salt_, 4);
  return make_routed_id<Id>(slot_of(g.event), g.event, bytes);
}

action journey_script::answered(std::uint32_t lane, const domain::reply& reply) {
  using domain::ticket_state;
  auto& g = guests_[lane];
  if (const auto* t = std::get_if<domain::ticket_reply>(&reply)) {
    g.ticket = t->ticket;
    if (t->state == ticket_state::admitted || t->state == ticket_state::active)
      return claim(g);
    return action::only(t->state == ticket_state::waiting ? action::what::pause : action::what::failed);
  }
  auto session = entity_ref::of_session(g.event, g.user);
  if (std::holds_alternative<domain::visit_reply>(reply)) {
    domain::request_hold c;
    c.once.key = "h" + std::to_string(g.number);
    c.once.request = {g.number, 1};
    c.admission = g.admission;
    c.hold = routed<hold_id>(g, lane);
    c.parts.push_back({block_number{1}, true, {}, 1});
    return action::send(std::move(session), std::move(c));
  }
  if (const auto* h = std::get_if<domain::hold_reply>(&reply)) {
    domain::pay_hold c;
    c.once.key = "p" + std::to_string(g.number);
    c.once.request = {g.number, 2};
    c.admission = g.admission;
    c.hold = h->hold;
    c.reservation = routed<reservation_id>(g, lane);
    c.method = pays_ ? domain::payment_method::card : domain::payment_method::free;
    if (pays_)
      c.card = "4242424242424242";
    return action::send(std::move(session), std::move(c));
  }
  if (const auto* r = std::get_if<domain::reservation_reply>(&reply)) {
    if (r->state == domain::reservation_state::paying)
      return action::only(action::what::park); // until the update comes
    return action::only(r->state == domain::reservation_state::confirmed ? action::what::finished
                                                                         : action::what::failed);
  }
  return action::only(action::what::failed);
}

action journey_script::resumed(std::uint32_t lane) {
  const auto& g = guests_[lane];
  return action::ask(entity_ref::of_event(g.event), domain::ask_ticket{g.user, g.ticket});
}

bool journey_script::wakes(const domain::reservation_update& u, std::uint32_t& lane, action& next) {
  if (!pays_)
    return false; // the answer to the payment said it all
  const auto& id = u.reservation.reservation;
  std::memcpy(&lane, id.bytes.data() + 6, 4);
  if (lane >= guests_.size() || id != routed<reservation_id>(guests_[lane], lane))
    return false;
  bool well = u.reservation.state == domain::reservation_state::confirmed;
  next = action::only(well ? action::what::finished : action::what::failed);
  return true;
}

} // namespace sluice::bench
