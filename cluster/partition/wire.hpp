// Entity addresses and memberships as Protobuf, shared by entries, records and hosts.
#pragma once

#include "cluster/partition/slots.hpp"
#include "cluster/raft/types.hpp"
#include "core/entity.hpp"
#include "sluice/log_entry.pb.h"

#include <optional>
#include <string>

namespace sluice::partition {

inline void encode(const entity_ref& from, proto::EntityRef& to) {
  to.set_event(from.event.value);
  to.set_kind(static_cast<std::uint32_t>(from.kind));
  if (from.block)
    to.set_block(from.block.value);
  if (!from.user.empty())
    to.set_user(from.user);
}

inline entity_ref decode(const proto::EntityRef& from) {
  return {{from.event()}, static_cast<entity_kind>(from.kind()), {from.block()}, from.user()};
}

/// As it lies in an entry. Defined in entry.cpp.
struct proposal;
void encode(const proposal& from, proto::Command& to);

inline void encode(const slot_stay& from, proto::SlotStay& to) {
  to.set_partition(from.partition.value);
  to.set_first(from.first);
  to.set_last(from.last);
}

inline slot_stay decode(const proto::SlotStay& from) {
  return {{from.partition()}, from.first(), from.last()};
}

inline std::string encode(const raft::membership& from) {
  proto::Membership to;
  for (auto n : from.voters)
    to.add_voters(n.value);
  for (auto n : from.learners)
    to.add_learners(n.value);
  return to.SerializeAsString();
}

inline std::optional<raft::membership> decode_membership(const std::string& bytes) {
  proto::Membership from;
  if (!from.ParseFromString(bytes))
    return std::nullopt;
  raft::membership to;
  for (auto n : from.voters())
    to.voters.insert({n});
  for (auto n : from.learners())
    to.learners.insert({n});
  return to;
}

} // namespace sluice::partition
