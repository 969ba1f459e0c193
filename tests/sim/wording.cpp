#include "wording.hpp"

#include "core/overloaded.hpp"
#include "core/text_id.hpp"

namespace sluice::simulation {

namespace {

std::string number(std::uint64_t n) {
  return std::to_string(n);
}

/// The last characters tell ids apart.
template <class Id>
std::string brief(const Id& id) {
  auto text = to_text(id);
  return text.substr(text.size() - 6);
}

std::string words_for(const std::vector<domain::wanted_part>& parts) {
  std::string text;
  for (const auto& p : parts) {
    text += " block " + number(p.block.value) + ":";
    if (p.area)
      text += " " + number(p.quantity) + " places";
    for (auto seat : p.seats)
      text += " " + number(seat);
  }
  return text;
}

} // namespace

std::string words_for(const domain::fact& f) {
  return std::visit(
      overloaded{
          [](const domain::event_changed& x) {
            return "event_changed " + x.what + " rate " + number(x.users_per_minute) + " cap " +
                   number(x.max_active_users);
          },
          [](const domain::user_joined& x) { return "joined " + x.user + " ticket " + number(x.ticket.value); },
          [](const domain::users_admitted& x) {
            std::string text = "admitted";
            for (auto t : x.tickets)
              text += " " + number(t.value);
            return text;
          },
          [](const domain::turn_claimed& x) { return "claimed " + number(x.ticket.value); },
          [](const domain::ticket_ended& x) {
            return "ended " + number(x.ticket.value) + " " + std::string{word_of(x.state)};
          },
          [](const domain::stock_defined& x) {
            return "stock block " + number(x.block.value) + " capacity " + number(x.capacity) + " blocked " +
                   number(x.blocked);
          },
          [](const domain::stock_moved& x) {
            constexpr const char* moves[] = {"", "held", "released", "lapsed", "pinned", "confirmed", "returned"};
            std::string text = std::string{moves[static_cast<int>(x.move)]} + " " + brief(x.hold) + " block " +
                               number(x.block.value) + ":";
            for (auto seat : x.seats)
              text += " " + number(seat);
            if (x.quantity > 0)
              text += " " + number(x.quantity) + " places";
            return text;
          },
          [](const domain::reservation_moved& x) {
            return "reservation " + brief(x.reservation) + " of " + x.user + " hold " + brief(x.hold) + " " +
                   std::string{word_of(x.state)} + " " + x.reason;
          },
          [](const domain::cluster_changed& x) { return x.what + " " + x.subject + " " + x.detail; },
      },
      f);
}

std::string words_for(const domain::message& m) {
  return std::visit(
      overloaded{
          [](const domain::define_event& x) {
            auto text = "define rate " + number(x.definition.admission.users_per_minute);
            if (const auto& opens = x.definition.sale_opens_at)
              text += " opens " + std::to_string(to_ms(*opens));
            if (const auto& closes = x.definition.sale_closes_at)
              text += " closes " + std::to_string(to_ms(*closes));
            return text;
          },
          [](const domain::control_event& x) { return "control " + number(static_cast<std::uint64_t>(x.action)); },
          [](const domain::set_admission& x) {
            return "set_admission rate " + number(x.patch.users_per_minute.value_or(0));
          },
          [](const domain::join& x) { return "join " + x.user; },
          [](const domain::leave& x) { return "leave " + x.user + " " + number(x.ticket.value); },
          [](const domain::claim_turn& x) { return "claim " + x.user + " " + number(x.ticket.value); },
          [](const domain::complete_visit& x) { return "complete " + x.user + " " + number(x.ticket.value); },
          [](const domain::request_hold& x) {
            return "request_hold " + brief(x.hold) + " key " + x.once.key + words_for(x.parts);
          },
          [](const domain::extend_hold& x) { return "extend_hold " + brief(x.hold) + " request " + x.request_id; },
          [](const domain::release_hold& x) { return "release_hold " + brief(x.hold); },
          [](const domain::pay_hold& x) {
            return "pay_hold " + brief(x.hold) + " reservation " + brief(x.reservation) + " key " + x.once.key;
          },
          [](const domain::cancel_reservation& x) { return "cancel " + brief(x.reservation); },
          [](const domain::charge_settled& x) {
            return "charge_settled " + brief(x.reservation) + " step " + number(static_cast<std::uint64_t>(x.step)) +
                   " attempt " + number(x.attempt) + " outcome " + number(static_cast<std::uint64_t>(x.outcome));
          },
          [](const domain::register_event& x) { return "register " + x.slug; },
          [](const auto&) { return std::string{"another message"}; },
      },
      m);
}

std::string words_for(const domain::reply& r) {
  return std::visit(
      overloaded{
          [](const domain::done&) { return std::string{"done"}; },
          [](const domain::refusal& x) { return "refused " + std::string{code_of(x.why)} + " " + x.detail; },
          [](const domain::ticket_reply& x) {
            return "ticket " + number(x.ticket.value) + " " + std::string{word_of(x.state)};
          },
          [](const domain::visit_reply& x) { return "visit of ticket " + number(x.ticket.value); },
          [](const domain::hold_reply& x) {
            return "hold " + brief(x.hold) + " for " + std::to_string(x.expires_in_ms) + " ms";
          },
          [](const domain::reservation_reply& x) {
            return "reservation " + brief(x.reservation) + " " + std::string{word_of(x.state)} + " " + x.reason;
          },
          [](const domain::reservations_reply& x) { return number(x.reservations.size()) + " reservations"; },
          [](const domain::event_reply& x) { return "event revision " + number(x.revision); },
          [](const domain::registered_reply& x) { return "event number " + number(x.number.value); },
          [](const auto&) { return std::string{"another reply"}; },
      },
      r);
}

std::string words_for(const raft::message& m) {
  auto text = std::visit(
      overloaded{
          [](const raft::vote_request& x) {
            return (x.pre_vote ? "pre_vote? last " : "vote? last ") + number(x.last_index) + "/" + number(x.last_term);
          },
          [](const raft::vote_reply& x) {
            return std::string{x.pre_vote ? "pre_vote " : "vote "} + (x.granted ? "yes" : "no");
          },
          [](const raft::append_request& x) {
            return "append prev " + number(x.prev_index) + "/" + number(x.prev_term) + " entries " +
                   number(x.entries.size()) + " commit " + number(x.commit);
          },
          [](const raft::append_reply& x) {
            return x.success
                       ? "appended to " + number(x.match) + " standing " + number(static_cast<unsigned>(x.standing))
                       : "rejected prev " + number(x.rejected_prev) + " conflict " + number(x.conflict_first);
          },
          [](const raft::snapshot_offer& x) { return "offer of index " + number(x.snapshot.index); },
          [](const raft::snapshot_reply& x) {
            return "offer of index " + number(x.index) + (x.installed ? " installed" : x.failed ? " failed" : " noted");
          },
          [](const raft::timeout_now&) { return std::string{"timeout_now"}; },
          [](const raft::read_request&) { return std::string{"read?"}; },
          [](const raft::read_reply& x) { return "read " + number(x.index); },
      },
      m);
  return text + " term " + number(std::visit([](const auto& x) { return x.term; }, m));
}

} // namespace sluice::simulation
