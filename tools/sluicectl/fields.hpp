// Fields of the node's answers, with a default where an older or newer node has none.
#pragma once

#include "codec/document.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::ctl {

inline std::string text_in(const codec::document& d, std::string_view name) {
  const auto* found = d.find(name);
  return found ? found->text : std::string{};
}

inline std::int64_t number_in(const codec::document& d, std::string_view name) {
  const auto* found = d.find(name);
  return found ? found->integer : 0;
}

inline bool flag_in(const codec::document& d, std::string_view name) {
  const auto* found = d.find(name);
  return found != nullptr && found->boolean;
}

inline const std::vector<codec::document>& list_in(const codec::document& d, std::string_view name) {
  static const std::vector<codec::document> none;
  const auto* found = d.find(name);
  return found ? found->items : none;
}

/// The list would be gone with the document.
const std::vector<codec::document>& list_in(codec::document&& d, std::string_view name) = delete;

/// The ids in the answer of GET /api/v1/events.
inline std::vector<std::string> event_ids_in(const codec::document& d) {
  std::vector<std::string> ids;
  for (const auto& e : list_in(d, "events"))
    ids.push_back(text_in(e, "id"));
  return ids;
}

/// "17" for a column of a table.
inline std::string figure_in(const codec::document& d, std::string_view name) {
  return std::to_string(number_in(d, name));
}

} // namespace sluice::ctl
