#include "actors/log_guard.hpp"

#include "codec/message.hpp"
#include "core/ids.hpp"
#include "core/slot.hpp"
#include "sluice/log_entry.pb.h"
#include "sluice/peer.pb.h"

#include <algorithm>

namespace sluice::actors {

namespace {

bool may_enter_as_step(const proto::Command& c, std::size_t partitions) {
  proto::PartitionStep step;
  return c.has_note() && step.ParseFromString(c.body()) && step.slot() < slot_count &&
         (step.has_taken() || (step.has_arrives() && step.arrives().from() < partitions) ||
          (step.has_claimed() && step.claimed().by() < partitions));
}

} // namespace

bool is_addressable(const proto::EntityRef& of) {
  switch (of.kind()) {
  case static_cast<std::uint32_t>(entity_kind::event):
  case static_cast<std::uint32_t>(entity_kind::seat_block):
  case static_cast<std::uint32_t>(entity_kind::area):
  case static_cast<std::uint32_t>(entity_kind::session):
  case static_cast<std::uint32_t>(entity_kind::catalogue):
  case static_cast<std::uint32_t>(entity_kind::ranking):
    return true;
  default:
    return false;
  }
}

bool may_enter(const proto::Command& c, std::size_t partitions) {
  return c.is_step() ? may_enter_as_step(c, partitions)
                     : is_addressable(c.to()) && codec::decode_message(c.body()).has_value();
}

bool may_enter(const proto::PulledSlot& pulled) {
  if (pulled.slot() >= slot_count)
    return false;
  if (pulled.step().empty())
    return true;
  proto::PartitionStep step;
  if (!step.ParseFromString(pulled.step()) || !step.has_part() || step.slot() != pulled.slot() ||
      step.part().position() != pulled.position() || step.part().fenced() != pulled.fenced())
    return false;
  auto is_ours = [&pulled](std::uint32_t event) { return event != 0 && slot_of({event}).value == pulled.slot(); };
  auto names_ours = [&is_ours](const proto::EntityRef& of) { return is_addressable(of) && is_ours(of.event()); };
  auto all_name_ours = [&names_ours](const auto& all) {
    return std::all_of(all.begin(), all.end(), [&names_ours](const auto& item) { return names_ours(item.entity()); });
  };
  const auto& luggage = step.part().luggage();
  return all_name_ours(step.part().pieces()) && all_name_ours(luggage.deadlines()) &&
         all_name_ours(luggage.open_effects()) &&
         std::all_of(luggage.roster().begin(), luggage.roster().end(), names_ours) &&
         std::all_of(luggage.ended_groups().begin(), luggage.ended_groups().end(), is_ours);
}

} // namespace sluice::actors
