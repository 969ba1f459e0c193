// Entity addresses as Protobuf, shared by entries and records.
#pragma once

#include "core/entity.hpp"
#include "sluice/log_entry.pb.h"

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

} // namespace sluice::partition
