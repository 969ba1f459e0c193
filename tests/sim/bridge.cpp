#include "bridge.hpp"

#include "sim_cluster.hpp"
#include "wording.hpp"

#include "codec/message.hpp"

#include <algorithm>

namespace sluice::simulation {

namespace {

constexpr micros gives_up_after = 5 * second;

} // namespace

void bridge::request(const entity_ref& to, std::shared_ptr<const domain::message> m, bool is_query,
                     std::function<void(const node_answer&)> done) {
  if (run_.telling())
    run_.say("node " + std::to_string(node_.id().value) + " request " + std::to_string(next_) + " to " + to_string(to) +
             ": " + words_for(*m));
  begin(to, std::move(m), is_query, std::move(done), false);
}

void bridge::begin(const entity_ref& to, std::shared_ptr<const domain::message> m, bool is_query,
                   std::function<void(const node_answer&)> done, bool in_burst) {
  auto number = next_++;
  auto partition = place_of(to.event);
  node_.all_checkers().asked_of({node_.id(), node_.incarnation(), number}, partition, to, m, is_query);
  auto body = is_query ? std::string{} : codec::encode(*m);
  pending_.emplace(number, pending{to,
                                   partition,
                                   std::move(m),
                                   std::move(body),
                                   is_query,
                                   std::move(done),
                                   {},
                                   0,
                                   run_.time.now() + gives_up_after,
                                   in_burst});
  send(number);
}

partition_id bridge::place_of(event_number event) const {
  return ways_.place_of(node_.home().places(), event);
}

bool bridge::gave_up(std::map<std::uint64_t, pending>::iterator late) {
  if (run_.time.now() < late->second.until)
    return false;
  auto done = std::move(late->second.done);
  pending_.erase(late);
  done({nullptr, errc::timed_out});
  return true;
}

void bridge::request_all(const entity_ref& to, const std::vector<std::shared_ptr<const domain::message>>& all,
                         const burst_handler& done) {
  auto first = next_;
  for (const auto& m : all)
    begin(
        to, m, false, [m, done](const node_answer& a) { done(*m, a); }, true);
  if (run_.telling())
    run_.say("node " + std::to_string(node_.id().value) + " requests " + std::to_string(first) + " to " +
             std::to_string(next_ - 1) + " to " + to_string(to));
  burst_again(first, next_);
}

/// Those without an answer, after a while.
void bridge::burst_again(std::uint64_t first, std::uint64_t end) {
  node_.clock().after(run_.settings.bridge_patience, [this, first, end] {
    std::vector<std::uint64_t> open;
    for (auto at = pending_.lower_bound(first); at != pending_.end() && at->first < end; ++at)
      open.push_back(at->first);
    if (open.empty())
      return;
    for (auto number : open) {
      auto found = pending_.find(number);
      if (found != pending_.end() && !gave_up(found))
        send(number);
    }
    burst_again(first, end);
  });
}

node_id bridge::choose(const pending& p) {
  if (auto known = leader_of(p.partition))
    return known;
  auto all = node_.home().candidates(p.partition);
  if (p.tries == 0 && std::find(all.begin(), all.end(), node_.id()) != all.end())
    return node_.id();
  return all[(p.tries + node_.id().value) % all.size()];
}

void bridge::send(std::uint64_t number) {
  auto& p = pending_.at(number);
  p.partition = place_of(p.to.event);
  p.sent_to = choose(p);
  if (p.tries++ > 0)
    ++run_.counts[deed::resent];
  partition::origin from{node_.id(), node_.incarnation(), number};
  auto& waiting = leaving_[{p.sent_to, p.partition}];
  if (waiting.commands.empty() && waiting.questions.empty())
    node_.clock().after(run_.dice.between(0, 100),
                        [this, to = p.sent_to, partition = p.partition] { flush(to, partition); });
  if (p.is_query) {
    waiting.questions.push_back({p.to, from, actors::box(*p.what)});
  } else {
    partition::proposal command;
    command.to = p.to;
    command.from = from;
    command.request_id = std::to_string(number);
    command.body = p.body;
    waiting.commands.push_back(std::move(command));
  }
  if (run_.settings.nodes > 1 && !p.in_burst)
    again(number, run_.settings.bridge_patience);
}

void bridge::flush(node_id to, partition_id partition) {
  auto leaving = std::move(leaving_.at({to, partition}));
  leaving_.erase({to, partition});
  if (to != node_.id()) {
    run_.counts[deed::forwarded] += leaving.commands.size();
    if (!leaving.commands.empty())
      node_.home().net().send(node_.id(), to, commands_parcel{partition, std::move(leaving.commands)});
    if (!leaving.questions.empty())
      node_.home().net().send(node_.id(), to, questions_parcel{partition, std::move(leaving.questions)});
    return;
  }
  if (!leaving.commands.empty())
    node_.propose(partition, std::move(leaving.commands));
  if (!leaving.questions.empty())
    node_.ask(partition, std::move(leaving.questions));
}

/// Unless it was sent another time, or answered, until then.
void bridge::again(std::uint64_t number, micros wait) {
  auto& p = pending_.at(number);
  if (p.in_burst)
    return;
  node_.clock().after(wait, [this, number, tries = p.tries] {
    auto found = pending_.find(number);
    if (found == pending_.end() || found->second.tries != tries)
      return;
    if (gave_up(found))
      return;
    const auto& late = found->second;
    if (leader_of(late.partition) == late.sent_to)
      leads_[late.partition].node = {}; // it does not answer: ask around
    send(number);
  });
}

void bridge::answered(const partition::origin& to, partition_id partition, log_index index,
                      std::shared_ptr<const domain::reply> reply) {
  if (to.node != node_.id() || to.incarnation != node_.incarnation())
    return; // asked of an earlier process: nobody is there any more
  auto found = pending_.find(to.request);
  if (found == pending_.end())
    return; // answered before: it was sent more than once
  auto asked = std::move(found->second);
  pending_.erase(found);
  if (run_.telling())
    run_.say("node " + std::to_string(node_.id().value) + " answer to " + std::to_string(to.request) + " " +
             to_string(asked.to) + " " + words_for(*asked.what) + ": " + words_for(*reply));
  if (!asked.is_query)
    ++run_.counts.commands;
  node_.all_checkers().heard(partition, asked.to.event, index);
  asked.done({std::move(reply), errc::ok});
}

void bridge::refused(const partition::refusal_out& refusal, node_id hint) {
  if (refusal.to.node != node_.id() || refusal.to.incarnation != node_.incarnation())
    return;
  auto found = pending_.find(refusal.to.request);
  if (found == pending_.end())
    return;
  if (refusal.moved)
    learn(*refusal.moved);
  if (refusal.why == errc::overloaded)
    ++run_.counts[fault::overload];
  auto& p = found->second;
  if (refusal.why == errc::not_leader && run_.time.now() < p.until) {
    auto& known = leads_[p.partition];
    if (known.node == p.sent_to || !known.node)
      known.node = hint == p.sent_to ? node_id{} : hint;
    return again(refusal.to.request, run_.dice.between(1, 80) * ms);
  }
  auto done = std::move(p.done);
  pending_.erase(found);
  done({nullptr, refusal.why});
}

void bridge::leads(partition_id partition, log_term term, node_id leader) {
  auto& known = leads_[partition];
  if (term < known.term || (term == known.term && !leader))
    return;
  bool is_new = leader && (known.node != leader || known.term != term);
  known = {term, leader};
  if (!is_new)
    return;
  // What was sent to the leader before may never be answered.
  std::vector<std::uint64_t> stranded;
  for (const auto& [number, p] : pending_)
    if (p.partition == partition && p.sent_to != leader)
      stranded.push_back(number);
  for (auto number : stranded)
    send(number);
}

void bridge::leads_not(partition_id partition, node_id who) {
  if (auto& known = leads_[partition]; known.node == who)
    known.node = {};
}

void bridge::lost_link(node_id to) {
  for (auto& [partition, known] : leads_)
    if (known.node == to)
      known.node = {};
  for (auto& [number, p] : pending_)
    if (p.sent_to == to)
      again(number, run_.dice.between(1, 50) * ms);
}

node_id bridge::leader_of(partition_id partition) const {
  auto known = leads_.find(partition);
  return known == leads_.end() ? node_id{} : known->second.node;
}

} // namespace sluice::simulation
