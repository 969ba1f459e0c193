// Events that change partitions: operators ask any node, the leader of where the event is decides.
#include "node/cluster.hpp"

#include "core/slot.hpp"

#include <sstream>
#include <utility>

namespace sluice::node {

namespace {

using prospect = partition::slot_prospect;
using moving = http::node_services::move_state;

constexpr int tries_max = 8; // every one brings us to where a partition knew the event to be

/// "KIND WHERE WHY".
std::string text_of(const prospect& p) {
  return std::to_string(static_cast<int>(p.is)) + " " + std::to_string(p.where.value) + " " + p.why;
}

prospect prospect_in(const std::string& text) {
  prospect p;
  int kind = 0;
  std::istringstream in{text};
  if (!(in >> kind >> p.where.value))
    return {prospect::kind::impossible, {}, "the partition's leader does not answer; try again"};
  p.is = static_cast<prospect::kind>(kind);
  std::getline(in >> std::ws, p.why);
  return p;
}

} // namespace

void cluster::move(event_number event, partition_id to, const http::node_services::on_moved& done) {
  move(event, to, 1, done);
}

void cluster::move(event_number event, partition_id to, int tries, const http::node_services::on_moved& done) {
  auto at = parts_.routes->place_of(event);
  auto leader = parts_.routes->leader_of(at);
  if (!leader)
    return done(moving::impossible, "partition " + std::to_string(at.value) + " has no leader right now; try again");
  auto argument =
      std::to_string(at.value) + " " + std::to_string(slot_of(event).value) + " " + std::to_string(to.value);
  auto go_on = [this, event, at, to, tries, done](const std::string& text) {
    auto p = prospect_in(text);
    switch (p.is) {
    case prospect::kind::done:
      return done(moving::done, {});
    case prospect::kind::possible:
      return done(moving::begun, {});
    case prospect::kind::under_way:
      return done(moving::under_way, {});
    case prospect::kind::elsewhere:
      parts_.routes->learn({slot_of(event), at, p.where});
      if (tries < tries_max)
        return move(event, to, tries + 1, done);
      return done(moving::impossible, "where the event is changes faster than it can be asked; try again");
    case prospect::kind::impossible:
      break;
    }
    done(moving::impossible, p.why);
  };
  if (leader == parts_.who->self)
    return answer_move(argument, go_on);
  desk_->ask(leader, "move", argument, [go_on](const std::optional<std::string>& text) { go_on(text.value_or("")); });
}

/// "AT SLOT TO".
void cluster::answer_move(const std::string& argument, const std::function<void(std::string)>& done) {
  partition_id at;
  partition::move_slot what;
  std::istringstream in{argument};
  in >> at.value >> what.slot.value >> what.to.value;
  bool makes_sense = in && what.slot.value < slot_count && what.to.value < parts_.routes->places().partitions();
  if (!makes_sense || !parts_.routes->local().handle_of(at))
    return done({});
  // It would stand still until they have one.
  for (auto needed : {what.to, partition_id{0}})
    if (at != what.to && !parts_.routes->leader_of(needed))
      return done(text_of({prospect::kind::impossible,
                           {},
                           "partition " + std::to_string(needed.value) + " has no leader right now; try again"}));
  tell(at, actors::move_slot_to{what, [done](const prospect& p) { done(text_of(p)); }});
}

// ---- where it is -----------------------------------------------------------------------------------------------------

void cluster::place(event_number event, on_placed done) {
  find(event, 1, [this, done = std::move(done)](const whereabouts& f) {
    if (!f.at)
      return done(std::nullopt);
    done({{*f.at, name_of(parts_.routes->leader_of(*f.at)), f.moving_to}});
  });
}

void cluster::find(event_number event, int tries, const std::function<void(const whereabouts&)>& done) {
  auto at = parts_.routes->place_of(event);
  auto leader = parts_.routes->leader_of(at);
  if (!leader)
    return done({});
  auto go_on = [this, event, at, tries, done](const std::string& text) {
    std::istringstream in{text};
    std::string what;
    partition_id other;
    if (!(in >> what >> other.value))
      return done({});
    if (what == "here" || what == "nothing")
      return done({at, std::nullopt, what == "here"});
    if (what == "leaving")
      return done({at, other, true});
    if (what == "arriving")
      return done({other, at, true});
    parts_.routes->learn({slot_of(event), at, other});
    if (tries >= tries_max)
      return done({});
    find(event, tries + 1, done);
  };
  auto argument = std::to_string(at.value) + " " + std::to_string(event.value);
  if (leader == parts_.who->self)
    return answer_place(argument, go_on);
  desk_->ask(leader, "place", argument, [go_on](const std::optional<std::string>& text) { go_on(text.value_or("")); });
}

/// "AT EVENT": "here AT", "nothing AT", "leaving TO", "arriving FROM" or "elsewhere PARTITION".
void cluster::answer_place(const std::string& argument, const std::function<void(std::string)>& done) {
  partition_id at;
  event_number event;
  std::istringstream in{argument};
  in >> at.value >> event.value;
  if (!in || !event || !parts_.routes->local().handle_of(at))
    return done({});
  auto look = [at, event, done](const partition::core& core) {
    using stage = partition::slot_state::stage;
    const auto* s = core.slots().find(event);
    auto home = core.slots().home_of(event);
    if (!core.leading())
      done({});
    else if (core.slots().is_here(event))
      done((core.knows(event) ? "here " : "nothing ") + std::to_string(at.value));
    else if (home)
      done("elsewhere " + std::to_string(home->partition.value));
    else
      done((s->where == stage::leaving ? "leaving " : "arriving ") + std::to_string(s->peer.value));
  };
  tell(at, actors::look_inside{std::move(look)});
}

/// Where the partition knows its slots to be: equal before and after something means that none moved meanwhile.
void cluster::answer_slots(const std::string& argument, const std::function<void(std::string)>& done) {
  partition_id at{static_cast<std::uint32_t>(std::strtoul(argument.c_str(), nullptr, 10))};
  if (!parts_.routes->local().handle_of(at))
    return done({});
  auto look = [done](const partition::core& core) {
    if (!core.leading())
      return done({});
    std::string text = core.status().moving_slots > 0 ? "moving" : "settled";
    for (const auto& [slot, s] : core.slots().all())
      text += " " + std::to_string(slot.value) + ":" + std::to_string(s.peer.value) + "/" + std::to_string(s.since);
    done(std::move(text));
  };
  tell(at, actors::look_inside{std::move(look)});
}

} // namespace sluice::node
