#include "reckoning.hpp"

#include "core/slot.hpp"
#include "core/text_id.hpp"

namespace sluice::simulation {

reckoning::reckoning(scene& run, checkers& all, sim_cluster& home, network& net)
    : run_{run}, checkers_{all}, home_{home}, net_{net},
      canary_{std::make_shared<canary>(canary{definition_book{run, "canary"}, {}, {}, {}, {}, {}, false})} {}

template <class Reply>
void reckoning::next(const char* what, entity_ref to, domain::message m, std::function<void(const Reply&)> then) {
  net_.call(
      std::move(to), [m = std::move(m)] { return m; },
      [this, what, then = std::move(then)](const outcome& o) {
        if (const auto* reply = o.as<Reply>())
          return then(*reply);
        run_.fail("liveness", std::string{"after the storm, "} + what +
                                  " fails: " + (o.is_unknown ? "no answer" : std::string{code_of(o.why())}));
      });
}

void reckoning::engine_still_works() {
  auto bird = canary_;
  auto event = [bird] { return entity_ref::of_event(bird->event); };
  auto session = [bird] { return entity_ref::of_session(bird->event, "canary"); };
  auto confirmed = [this, bird] {
    run_.time.after(3 * second, [this, bird] {
      const auto* b = checkers_.money.find(bird->reservation);
      if (b == nullptr || b->state != domain::reservation_state::confirmed)
        return run_.fail("liveness", "after the storm, a payment is not confirmed within 3 s");
      bird->sang = true;
    });
  };
  auto pay = [this, bird, session, confirmed](const domain::hold_reply& h) {
    bird->reservation = make_routed_id<reservation_id>(slot_of(bird->event), bird->event, {2});
    next<domain::reservation_reply>(
        "a payment", session(),
        domain::pay_hold{
            {"k2", {2, 2}}, bird->admission, h.hold, bird->reservation, domain::payment_method::card, "4242"},
        [confirmed](const auto&) { confirmed(); });
  };
  auto hold = [this, bird, session, pay](const domain::visit_reply& v) {
    bird->admission = v.id;
    bird->hold = make_routed_id<hold_id>(slot_of(bird->event), bird->event, {1});
    next<domain::hold_reply>("a hold", session(),
                             domain::request_hold{{"k1", {1, 1}}, v.id, bird->hold, {{{1}, false, {0}, 0}}}, pay);
  };
  auto claim = [this, bird, event, hold](const domain::ticket_reply& t) {
    bird->ticket = t.ticket;
    next<domain::visit_reply>("a claim", event(), domain::claim_turn{"canary", t.ticket, admission_id{{1}}}, hold);
  };
  auto join = [this, event, claim](const domain::event_reply&) {
    next<domain::ticket_reply>("a join", event(), domain::join{"canary"}, claim);
  };
  auto define = [this, bird, event, join](const domain::registered_reply& r) {
    bird->event = r.number;
    next<domain::event_reply>("a definition", event(), domain::define_event{bird->book.calm(), 7, "operator"}, join);
  };
  auto enrol = [this, define](const domain::done&) {
    next<domain::registered_reply>("a registration", entity_ref::of_catalogue(), domain::register_event{"canary"},
                                   define);
  };
  next<domain::done>("founding", entity_ref::of_catalogue(), domain::found_cluster{"cluster", "keys", "hash"}, enrol);
}

void reckoning::everything_ended() {
  if (run_.failed())
    return;
  if (!canary_->sang)
    return run_.fail("liveness", "after the storm, a booking takes longer than 6 s");
  for (auto event : checkers_.events())
    if (!checkers_.lines.removed(event))
      checkers_.stock.at_the_end(event);
  checkers_.money.at_the_end();
  check_partitions();
  check_catalogue();
  check_ranking();
}

void reckoning::check_partitions() {
  for (std::uint32_t p = 0; p < home_.places().partitions(); ++p) {
    auto complain = [&](const std::string& what) {
      run_.fail("liveness", "partition " + std::to_string(p) + " " + what);
    };
    auto* r = home_.leader({p});
    if (r == nullptr)
      return complain("has no leader at the end");
    auto s = r->core().status();
    if (s.outbox > 0)
      complain("still has " + std::to_string(s.outbox) + " notes to deliver");
    if (s.open_effects > 0)
      complain("still has " + std::to_string(s.open_effects) + " charges open");
    if (s.waiting_commands > 0)
      complain("still has commands waiting");
    if (checkers_.cluster.members({p}) != home_.target({p}))
      complain("is not where it shall be");
    if (s.moving_slots > 0)
      complain("still has an event on its way");
    checkers_.lines.at_the_end([&](event_number event) {
      const auto& slots = r->core().slots();
      return slots.is_here(event) ? std::make_optional(slots.time_of(event, s.time).log) : std::nullopt;
    });
  }
}

void reckoning::somebody_leads() {
  for (std::uint32_t p = 0; p < home_.places().partitions(); ++p)
    if (home_.leader({p}) == nullptr)
      run_.fail("liveness", "partition " + std::to_string(p) + " has no leader 3 s after the storm");
}

void reckoning::replicas_agree() {
  for (std::uint32_t p = 0; p < home_.places().partitions(); ++p)
    for (auto member : checkers_.cluster.members({p}).voters) {
      auto& n = home_.node(member);
      auto* r = n.up() ? n.find({p}) : nullptr;
      if (r == nullptr)
        return run_.fail("liveness", "node " + std::to_string(member.value) + " has no replica of partition " +
                                         std::to_string(p) + " at the end");
      if (r->core().status().consensus.rejoining)
        return run_.fail("liveness", "node " + std::to_string(member.value) + " was not readmitted to partition " +
                                         std::to_string(p));
      checkers_.replay.at_the_end({p}, member, r->core().applied(), n.disk());
    }
}

void reckoning::check_catalogue() {
  const auto& catalogue = checkers_.catalogue();
  if (!catalogue.founded)
    run_.fail("catalogue", "the cluster was founded, the catalogue does not know");
  std::set<event_number> listed;
  for (const auto& entry : catalogue.events) {
    const auto* defined = checkers_.lines.definition(entry.number);
    if (checkers_.lines.removed(entry.number))
      run_.fail("catalogue", "'" + entry.slug + "' was removed, but is still listed");
    else if (defined != nullptr && (!entry.defined || entry.name != defined->name))
      run_.fail("catalogue", "'" + entry.slug + "' is listed as it was before");
    listed.insert(entry.number);
  }
  for (auto event : checkers_.events())
    if (!checkers_.lines.removed(event) && !listed.contains(event))
      run_.fail("catalogue", "event " + std::to_string(event.value) + " is not listed");
}

void reckoning::check_ranking() {
  std::map<std::string, std::uint64_t> counted;
  for (auto event : checkers_.events())
    if (!checkers_.lines.removed(event) && checkers_.money.sold(event) > 0)
      counted[checkers_.lines.definition(event)->local_date] += checkers_.money.sold(event);
  std::map<std::string, std::uint64_t> ranked;
  for (const auto& entry : checkers_.ranking().dates)
    ranked[entry.date] += entry.sold;
  if (ranked == counted)
    return;
  std::string text = "ranked";
  for (const auto& [date, sold] : ranked)
    text += " " + date + ":" + std::to_string(sold);
  text += ", sold";
  for (const auto& [date, sold] : counted)
    text += " " + date + ":" + std::to_string(sold);
  run_.fail("ranking", text);
}

void reckoning::ask_for_all(const user_client& user) {
  for (const auto& r : user.reservations()) {
    if (checkers_.lines.removed(r.event))
      continue;
    ++open_questions_;
    net_.ask(entity_ref::of_session(r.event, user.name()), domain::ask_reservation{r.id}, [this, r](const outcome& o) {
      --open_questions_;
      if (o.as<domain::reservation_reply>() == nullptr)
        run_.fail("durability", "reservation " + to_text(r.id) + " was acknowledged, now it is " +
                                    (o.is_unknown ? "not answered for" : std::string{code_of(o.why())}));
    });
  }
  for (const auto& t : user.tickets()) {
    if (checkers_.lines.removed(t.event))
      continue;
    ++open_questions_;
    net_.ask(entity_ref::of_event(t.event), domain::ask_ticket{user.name(), t.number}, [this, t](const outcome& o) {
      --open_questions_;
      const auto* told = o.as<domain::ticket_reply>();
      const auto* known = checkers_.lines.find(t.event, t.number);
      if (told == nullptr || known == nullptr || told->state != known->state)
        run_.fail("durability", "ticket " + std::to_string(t.number.value) + " of event " +
                                    std::to_string(t.event.value) + " was acknowledged, now it is unknown or other");
    });
  }
}

void reckoning::all_was_answered() {
  if (open_questions_ > 0)
    run_.fail("liveness", "after the storm, " + std::to_string(open_questions_) + " questions are not answered");
}

} // namespace sluice::simulation
