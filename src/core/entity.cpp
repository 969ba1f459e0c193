#include "core/entity.hpp"

namespace sluice {

std::string_view name_of(entity_kind kind) {
  switch (kind) {
  case entity_kind::event:
    return "event";
  case entity_kind::seat_block:
    return "seat_block";
  case entity_kind::area:
    return "area";
  case entity_kind::session:
    return "session";
  case entity_kind::catalogue:
    return "catalogue";
  case entity_kind::ranking:
    return "ranking";
  }
  return "unknown";
}

std::string to_string(const entity_ref& ref) {
  std::string text{name_of(ref.kind)};
  text += '/';
  text += std::to_string(ref.event.value);
  if (ref.block) {
    text += '/';
    text += std::to_string(ref.block.value);
  }
  if (!ref.user.empty()) {
    text += '/';
    text += ref.user;
  }
  return text;
}

} // namespace sluice
