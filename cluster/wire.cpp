#include "cluster/wire.hpp"

#include "sluice/raft.pb.h"

#include <utility>

namespace sluice::wire {

namespace {

proto::Membership to_proto(const raft::membership& m) {
  proto::Membership out;
  for (auto n : m.voters)
    out.add_voters(n.value);
  for (auto n : m.learners)
    out.add_learners(n.value);
  return out;
}

raft::membership from_proto(const proto::Membership& m) {
  raft::membership out;
  for (auto n : m.voters())
    out.voters.insert({n});
  for (auto n : m.learners())
    out.learners.insert({n});
  return out;
}

void put(const raft::vote_request& m, proto::RaftMessage& out) {
  auto& p = *out.mutable_vote_request();
  p.set_term(m.term);
  p.set_last_index(m.last_index);
  p.set_last_term(m.last_term);
  p.set_pre_vote(m.pre_vote);
  p.set_transfer(m.transfer);
}

void put(const raft::vote_reply& m, proto::RaftMessage& out) {
  auto& p = *out.mutable_vote_reply();
  p.set_term(m.term);
  p.set_granted(m.granted);
  p.set_pre_vote(m.pre_vote);
}

void put(const raft::append_request& m, proto::RaftMessage& out) {
  auto& p = *out.mutable_append_request();
  p.set_term(m.term);
  p.set_prev_index(m.prev_index);
  p.set_prev_term(m.prev_term);
  p.set_commit(m.commit);
  p.set_round(m.round);
  p.mutable_entries()->Reserve(static_cast<int>(m.entries.size()));
  for (const auto& e : m.entries) {
    auto& to = *p.add_entries();
    to.set_index(e.index);
    to.set_term(e.term);
    to.set_kind(static_cast<std::uint32_t>(e.kind));
    if (e.payload)
      to.set_payload(*e.payload);
    if (e.members)
      *to.mutable_members() = to_proto(*e.members);
  }
}

void put(const raft::append_reply& m, proto::RaftMessage& out) {
  auto& p = *out.mutable_append_reply();
  p.set_term(m.term);
  p.set_success(m.success);
  p.set_match(m.match);
  p.set_accepted_prev(m.accepted_prev);
  p.set_rejected_prev(m.rejected_prev);
  p.set_conflict_term(m.conflict_term);
  p.set_conflict_first(m.conflict_first);
  p.set_round(m.round);
  p.set_standing(static_cast<std::uint32_t>(m.standing));
}

void put(const raft::snapshot_offer& m, proto::RaftMessage& out) {
  auto& p = *out.mutable_snapshot_offer();
  p.set_term(m.term);
  p.set_round(m.round);
  auto& s = *p.mutable_snapshot();
  s.set_index(m.snapshot.index);
  s.set_term(m.snapshot.term);
  *s.mutable_members() = to_proto(m.snapshot.members);
  if (m.snapshot.manifest)
    s.set_manifest(*m.snapshot.manifest);
}

void put(const raft::snapshot_reply& m, proto::RaftMessage& out) {
  auto& p = *out.mutable_snapshot_reply();
  p.set_term(m.term);
  p.set_index(m.index);
  p.set_installed(m.installed);
  p.set_round(m.round);
  p.set_failed(m.failed);
}

void put(const raft::timeout_now& m, proto::RaftMessage& out) {
  out.mutable_timeout_now()->set_term(m.term);
}

void put(const raft::read_request& m, proto::RaftMessage& out) {
  out.mutable_read_request()->set_term(m.term);
  out.mutable_read_request()->set_id(m.id);
}

void put(const raft::read_reply& m, proto::RaftMessage& out) {
  auto& p = *out.mutable_read_reply();
  p.set_term(m.term);
  p.set_id(m.id);
  p.set_index(m.index);
  p.set_last(m.last);
}

std::optional<raft::message> get(proto::AppendRequest& p) {
  raft::append_request m{p.term(), p.prev_index(), p.prev_term(), p.commit(), p.round(), {}};
  m.entries.reserve(static_cast<std::size_t>(p.entries_size()));
  for (auto& e : *p.mutable_entries()) {
    if (e.kind() > static_cast<std::uint32_t>(raft::entry_kind::members))
      return std::nullopt;
    raft::entry entry{e.index(), e.term(), static_cast<raft::entry_kind>(e.kind()), nullptr, nullptr};
    if (entry.kind == raft::entry_kind::commands)
      entry.payload = std::make_shared<const std::string>(std::move(*e.mutable_payload()));
    else if (entry.kind == raft::entry_kind::members)
      entry.members = std::make_shared<const raft::membership>(from_proto(e.members()));
    m.entries.push_back(std::move(entry));
  }
  return m;
}

std::optional<raft::message> get(const proto::AppendReply& p) {
  if (p.standing() > static_cast<std::uint32_t>(raft::standing::full))
    return std::nullopt;
  return raft::append_reply{p.term(),           p.success(),       p.match(),
                            p.accepted_prev(),  p.rejected_prev(), p.conflict_term(),
                            p.conflict_first(), p.round(),         static_cast<raft::standing>(p.standing())};
}

raft::snapshot_offer get(const proto::SnapshotOffer& p) {
  const auto& s = p.snapshot();
  raft::snapshot_ref ref{s.index(), s.term(), from_proto(s.members()),
                         std::make_shared<const std::string>(s.manifest())};
  return {p.term(), std::move(ref), p.round()};
}

} // namespace

std::string encode_raft(const raft::message& m) {
  proto::RaftMessage out;
  std::visit([&](const auto& body) { put(body, out); }, m);
  return out.SerializeAsString();
}

std::optional<raft::message> decode_raft(std::string_view bytes) {
  proto::RaftMessage in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return std::nullopt;
  using kind = proto::RaftMessage;
  switch (in.body_case()) {
  case kind::kVoteRequest: {
    const auto& p = in.vote_request();
    return raft::vote_request{p.term(), p.last_index(), p.last_term(), p.pre_vote(), p.transfer()};
  }
  case kind::kVoteReply:
    return raft::vote_reply{in.vote_reply().term(), in.vote_reply().granted(), in.vote_reply().pre_vote()};
  case kind::kAppendRequest:
    return get(*in.mutable_append_request());
  case kind::kAppendReply:
    return get(in.append_reply());
  case kind::kSnapshotOffer:
    return get(in.snapshot_offer());
  case kind::kSnapshotReply: {
    const auto& p = in.snapshot_reply();
    return raft::snapshot_reply{p.term(), p.index(), p.installed(), p.round(), p.failed()};
  }
  case kind::kTimeoutNow:
    return raft::timeout_now{in.timeout_now().term()};
  case kind::kReadRequest:
    return raft::read_request{in.read_request().term(), in.read_request().id()};
  case kind::kReadReply: {
    const auto& p = in.read_reply();
    return raft::read_reply{p.term(), p.id(), p.index(), p.last()};
  }
  case kind::BODY_NOT_SET:
    break;
  }
  return std::nullopt;
}

} // namespace sluice::wire
