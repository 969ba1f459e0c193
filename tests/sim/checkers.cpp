#include "checkers.hpp"

#include "wording.hpp"

#include "actors/entity_shell.hpp"
#include "codec/fact.hpp"
#include "sluice/fact.pb.h"

namespace sluice::simulation {

checkers::checkers(scene& run, const sim_provider& provider)
    : cluster{run}, lines{run, asked}, stock{run, asked, lines, cluster}, money{run, asked, lines, stock, provider},
      answers{run, asked, lines, stock, money}, replay{run}, run_{run} {
  lines.sold_out = [this](event_number event) { return stock.sold_out(event); };
}

void checkers::feed(partition_id partition, const partition::feed_out& f) {
  if (replay.told(partition, f.index, f.record))
    positions_[partition].waiting.emplace(f.index, f.record);
}

void checkers::follow(const process& leader, partition_id partition, log_index index) {
  auto& p = positions_[partition];
  if (index <= p.index)
    return;
  p.leader = leader;
  p.index = index;
  while (!p.waiting.empty() && p.waiting.begin()->first <= index) {
    auto next = p.waiting.extract(p.waiting.begin());
    tell(partition, next.key(), next.mapped());
  }
}

bool checkers::follows(const process& leader, partition_id partition) const {
  auto known = positions_.find(partition);
  return known != positions_.end() && known->second.leader == leader;
}

void checkers::asked_of(const partition::origin& by, partition_id partition, const entity_ref& to,
                        std::shared_ptr<const domain::message> m, bool) {
  auto& all = requests_[{by.node, by.incarnation}];
  if (by.request != all.size() + 1)
    return run_.fail("host", "a bridge does not count its requests");
  all.push_back({to, std::move(m), heard_of(partition, to.event)});
}

log_index& checkers::heard_of(partition_id partition, event_number event) {
  auto moved = heard_moved_.find(event);
  return moved == heard_moved_.end() ? positions_[partition].heard : moved->second;
}

void checkers::leaves(partition_id partition, event_number event) {
  heard_moved_.try_emplace(event, positions_[partition].heard);
  cluster.event_moved(event);
}

void checkers::answers_leave(partition_id partition, log_index index, const entry_stamps& stamps, const process& leader,
                             const partition::origin& to, const domain::reply& r, bool is_query) {
  replay.promised(partition, index);
  auto known = requests_.find({to.node, to.incarnation});
  if (known == requests_.end() || to.request < 1 || to.request > known->second.size())
    return run_.fail("host", "an answer to what nobody asked");
  const auto& question = known->second[to.request - 1];
  const auto& at = stamps.at(question.to.event);
  if (at.index < question.not_before + (is_query ? 0 : 1))
    return run_.fail("answers", to_string(question.to) + ", " + to_string(at) +
                                    ": this answer is older than what a client knew (index " +
                                    std::to_string(question.not_before) + ") when it was asked for");
  // Who leads no longer still answers what it was asked before, perhaps as of an entry that no leader has executed yet.
  bool is_current = follows(leader, partition) && positions_[partition].index >= index;
  if (!is_current)
    ++run_.counts[deed::late_answers];
  if (is_query)
    answers.told(at, question.to, *question.what, r, is_current);
  else
    answers.answered(at, question.to, *question.what, r, is_current);
}

void checkers::heard(partition_id partition, event_number event, log_index index) {
  auto& known = heard_of(partition, event);
  known = std::max(known, index);
}

void checkers::tell(partition_id partition, log_index index, const std::string& bytes) {
  proto::FeedRecord record;
  if (!record.ParseFromString(bytes))
    return run_.fail("feed", "a record does not parse");
  entry_stamps touched;
  for (const auto& item : record.items()) {
    bool has_own_clock = item.index() != 0;
    entry_stamp at{partition, has_own_clock ? item.index() : index,
                   log_time_from_ms(has_own_clock ? item.log_time_ms() : record.log_time_ms()),
                   wall_time_from_ms(has_own_clock ? item.wall_time_ms() : record.wall_time_ms())};
    tell(at, {item.event()}, item.fact());
    touched.emplace(event_number{item.event()}, at);
  }
  for (const auto& [event, at] : touched) {
    stock.end_entry(at, event);
    money.end_entry(at, event);
    lines.end_entry(at, event);
    if (lines.removed(event))
      stock.group_ended(event);
  }
}

void checkers::tell(const entry_stamp& at, event_number event, std::string_view bytes) {
  auto fact = codec::decode_fact(bytes);
  if (!fact)
    return run_.fail("feed", "a fact does not parse");
  if (run_.telling())
    run_.say("fact " + to_string(at) + " event " + std::to_string(event.value) + ": " + words_for(*fact));
  if (std::holds_alternative<domain::cluster_changed>(*fact))
    return; // of no event
  events_.insert(event);
  std::visit(
      [&](const auto& f) {
        if constexpr (requires { lines.on(at, event, f); })
          lines.on(at, event, f);
        else if constexpr (requires { stock.on(at, event, f); })
          stock.on(at, event, f);
        else if constexpr (requires { money.on(at, event, f); })
          money.on(at, event, f);
      },
      *fact);
}

void checkers::published(const entry_stamps& stamps, const std::vector<partition::publication_out>& all) {
  // An entry may publish a thing several times; only the last is as of its end.
  std::map<event_number, const domain::board_update*> boards;
  std::map<std::pair<event_number, block_number>, const domain::block_update*> blocks;
  for (const auto& p : all) {
    const auto& body = actors::unbox(p.body);
    publish(body);
    if (const auto* board = std::get_if<domain::board_update>(&body))
      boards[board->event] = board;
    else if (const auto* block = std::get_if<domain::block_update>(&body))
      blocks[{block->event, block->block}] = block;
  }
  for (const auto& [event, board] : boards) {
    lines.compare(stamps.at(event), *board);
    if (board->sold != money.sold(event) || board->revenue != money.revenue(event))
      run_.fail("money", "the board of event " + std::to_string(event.value) + " says " + std::to_string(board->sold) +
                             " sold for " + std::to_string(board->revenue) + ", counted are " +
                             std::to_string(money.sold(event)) + " for " + std::to_string(money.revenue(event)));
  }
  for (const auto& [key, block] : blocks)
    stock.compare(stamps.at(key.first), *block);
}

void checkers::publish(const domain::publication& p) {
  if (const auto* placed = std::get_if<domain::event_placed>(&p))
    placed_[placed->event->number] = placed->event;
  else if (const auto* removed = std::get_if<domain::event_removed>(&p))
    placed_.erase(removed->event);
  else if (const auto* ranking = std::get_if<domain::ranking_update>(&p))
    ranking_ = *ranking;
  else if (const auto* catalogue = std::get_if<domain::catalogue_update>(&p))
    catalogue_ = *catalogue;
}

const domain::placed_event* checkers::placed(event_number event) const {
  auto known = placed_.find(event);
  return known == placed_.end() ? nullptr : known->second.get();
}

} // namespace sluice::simulation
