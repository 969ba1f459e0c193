#include "actors/cluster_router.hpp"

#include "actors/entity_shell.hpp"
#include "actors/log_guard.hpp"
#include "cluster/partition/wire.hpp"
#include "codec/message.hpp"
#include "codec/reply.hpp"
#include "sluice/peer.pb.h"

#include <map>
#include <utility>

namespace sluice::actors {

namespace {

void encode_origin(const partition::origin& from, proto::Origin& to) {
  to.set_node(from.node.value);
  to.set_incarnation(from.incarnation);
  to.set_request(from.request);
}

/// An answer always goes to the node that sent the request, whatever the request says.
partition::origin decode_origin(node_id sender, const proto::Origin& from) {
  return {from.node() == 0 ? node_id{} : sender, from.incarnation(), from.request()};
}

std::optional<partition::slot_home> moved_in(const proto::ForwardedAnswer& a) {
  if (!a.has_moved() || a.moved().slot() >= slot_count)
    return std::nullopt;
  return partition::slot_home{
      {static_cast<std::uint16_t>(a.moved().slot())}, {a.moved().by()}, {a.moved().partition()}};
}

} // namespace

cluster_router::cluster_router(node_id node, std::uint64_t incarnation, std::uint32_t partitions)
    : local_{node, incarnation, partitions}, ways_(partitions) {}

cluster_router::way cluster_router::way_of(partition_id partition) const {
  std::lock_guard lock{lock_};
  return partition.value < ways_.size() ? ways_[partition.value] : way{};
}

// ---- who leads -------------------------------------------------------------------------------------------------------

void cluster_router::leader_is(partition_id partition, log_term term, node_id leader) {
  std::lock_guard lock{lock_};
  if (partition.value >= ways_.size())
    return;
  auto& w = ways_[partition.value];
  if (term < w.term || (term == w.term && (!leader || w.leader)))
    return;
  w = {leader, term, w.version + 1};
}

void cluster_router::line_changed(node_id node) {
  std::lock_guard lock{lock_};
  for (auto& w : ways_)
    if (w.leader == node)
      ++w.version;
}

node_id cluster_router::leader_of(partition_id partition) const {
  return way_of(partition).leader;
}

std::vector<std::pair<partition_id, log_term>> cluster_router::led_here() const {
  std::vector<std::pair<partition_id, log_term>> led;
  std::lock_guard lock{lock_};
  for (std::uint32_t p = 0; p < ways_.size(); ++p)
    if (ways_[p].leader == local_.node())
      led.emplace_back(partition_id{p}, ways_[p].term);
  return led;
}

std::uint64_t cluster_router::way_to(partition_id partition) const {
  return way_of(partition).version;
}

// ---- out -------------------------------------------------------------------------------------------------------------

bool cluster_router::send(node_id to, const std::string& item) {
  return links_ != nullptr && links_->send(to, item);
}

template <class Asked>
void cluster_router::refuse(const std::vector<Asked>& batch) {
  std::vector<partition::refusal_out> refusals;
  for (const auto& asked : batch)
    if (asked.from.node)
      refusals.push_back({asked.from, errc::not_leader});
  if (!refusals.empty())
    local_.give_back({}, std::move(refusals));
}

void cluster_router::propose(partition_id to, std::vector<partition::proposal> batch) {
  auto leader = leader_of(to);
  if (leader == local_.node() && local_.handle_of(to))
    return local_.propose(to, std::move(batch));
  bool sent = false;
  if (leader && leader != local_.node()) {
    proto::PeerItem item;
    auto& out = *item.mutable_commands();
    out.set_partition(to.value);
    for (const auto& p : batch)
      partition::encode(p, *out.add_commands());
    sent = send(leader, item.SerializeAsString());
  }
  if (sent)
    return;
  refuse(batch);
}

void cluster_router::ask(partition_id to, std::vector<partition::query> batch) {
  auto leader = leader_of(to);
  if (leader == local_.node() && local_.handle_of(to))
    return local_.ask(to, std::move(batch));
  bool sent = false;
  if (leader && leader != local_.node()) {
    proto::PeerItem item;
    auto& out = *item.mutable_questions();
    out.set_partition(to.value);
    for (const auto& q : batch) {
      auto& question = *out.add_questions();
      partition::encode(q.to, *question.mutable_to());
      encode_origin(q.from, *question.mutable_origin());
      question.set_question(codec::encode(unbox(q.body)));
    }
    sent = send(leader, item.SerializeAsString());
  }
  if (sent)
    return;
  refuse(batch);
}

void cluster_router::give_back(std::vector<partition::answer_out> answers,
                               std::vector<partition::refusal_out> refusals) {
  std::map<node_id, proto::PeerItem> elsewhere;
  auto add = [&](const partition::origin& to) -> proto::ForwardedAnswer& {
    auto& a = *elsewhere[to.node].mutable_answers()->add_answers();
    a.set_incarnation(to.incarnation);
    a.set_request(to.request);
    return a;
  };
  auto is_ours = [this](const partition::origin& o) { return o.node == local_.node() || !o.node; };
  std::erase_if(answers, [&](const partition::answer_out& a) {
    if (is_ours(a.to))
      return false;
    auto& out = add(a.to);
    out.set_index(a.index);
    out.set_reply(codec::encode(unbox(a.body)));
    return true;
  });
  std::erase_if(refusals, [&](const partition::refusal_out& r) {
    if (is_ours(r.to))
      return false;
    auto& out = add(r.to);
    out.set_refusal(static_cast<std::uint32_t>(r.why));
    if (r.moved) {
      out.mutable_moved()->set_slot(r.moved->slot.value);
      out.mutable_moved()->set_by(r.moved->by.value);
      out.mutable_moved()->set_partition(r.moved->partition.value);
    }
    return true;
  });
  // One that can not be handed over is asked for again: its node sees the line break.
  for (const auto& [node, item] : elsewhere)
    if (links_ != nullptr)
      links_->send_or_break(node, item.SerializeAsString());
  if (!answers.empty() || !refusals.empty())
    local_.give_back(std::move(answers), std::move(refusals));
}

// ---- in --------------------------------------------------------------------------------------------------------------

bool cluster_router::take(node_id from, const proto::ForwardedCommands& in) {
  partition_id to{in.partition()};
  if (to.value >= ways_.size())
    return false;
  std::vector<partition::proposal> batch;
  std::vector<partition::refusal_out> refusals;
  bool is_here = static_cast<bool>(local_.handle_of(to));
  bool makes_sense = true;
  auto refuse = [&refusals](const partition::origin& asked, errc why) {
    if (asked.node)
      refusals.push_back({asked, why});
  };
  batch.reserve(static_cast<std::size_t>(in.commands_size()));
  for (const auto& c : in.commands()) {
    partition::proposal p;
    if (c.note_ack() != 0) {
      p.ack = partition::note_source{{c.note_ack_from()}, c.note_ack()};
    } else {
      // The others of the batch are other people's.
      if (!may_enter(c, ways_.size())) {
        refuse(decode_origin(from, c.origin()), errc::bad_request);
        makes_sense = false;
        continue;
      }
      p.is_step = c.is_step();
      if (!p.is_step)
        p.to = partition::decode(c.to());
      p.body = c.body();
      p.request_id = c.request_id();
      p.from = decode_origin(from, c.origin());
      if (c.has_note())
        p.note = partition::note_source{{c.note().partition()}, c.note().sequence()};
    }
    if (is_here)
      batch.push_back(std::move(p));
    else
      refuse(p.from, errc::not_leader);
  }
  if (!batch.empty())
    local_.propose(to, std::move(batch));
  if (!refusals.empty())
    give_back({}, std::move(refusals));
  return makes_sense;
}

bool cluster_router::take(node_id from, const proto::ForwardedQuestions& in) {
  partition_id to{in.partition()};
  if (to.value >= ways_.size())
    return false;
  std::vector<partition::query> batch;
  std::vector<partition::refusal_out> refusals;
  bool is_here = static_cast<bool>(local_.handle_of(to));
  bool makes_sense = true;
  batch.reserve(static_cast<std::size_t>(in.questions_size()));
  for (const auto& q : in.questions()) {
    auto origin = decode_origin(from, q.origin());
    auto question = codec::decode_message(q.question());
    bool good = is_addressable(q.to()) && question;
    if (good && is_here)
      batch.push_back({partition::decode(q.to()), origin, box(std::move(*question))});
    else
      refusals.push_back({origin, good ? errc::not_leader : errc::bad_request});
    makes_sense = makes_sense && good;
  }
  if (!batch.empty())
    local_.ask(to, std::move(batch));
  if (!refusals.empty())
    give_back({}, std::move(refusals));
  return makes_sense;
}

bool cluster_router::take(const proto::ForwardedAnswers& in) {
  std::vector<partition::answer_out> answers;
  std::vector<partition::refusal_out> refusals;
  for (const auto& a : in.answers()) {
    partition::origin to{local_.node(), a.incarnation(), a.request()};
    if (a.refusal() != 0) {
      refusals.push_back({to, static_cast<errc>(a.refusal()), moved_in(a)});
      continue;
    }
    auto reply = codec::decode_reply(a.reply());
    if (!reply)
      return false;
    answers.push_back({to, a.index(), box(std::move(*reply))});
  }
  local_.give_back(std::move(answers), std::move(refusals));
  return true;
}

} // namespace sluice::actors
