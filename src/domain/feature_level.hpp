// What this program understands beyond what the first one did, and how a newer command is kept out of logs that older
// programs still read.
#pragma once

#include "domain/messages.hpp"

#include <cstdint>

namespace sluice::domain {

/// The newest level this program knows. Raised with every command or checkpoint field that older programs do not know:
///   1  the first
///   2  an event can be drained; operators' deeds are noted in the cluster's audit
///   3  an event can move to another partition
/// Logs hold such commands only once the level is active in the cluster (`activate_feature`), which needs every member to
/// know it. Alone in its file, so that a test can link a program of another level.
std::uint32_t feature_level();

/// The level a program has to know to execute this.
inline std::uint32_t level_of(const message& m) {
  const auto* control = std::get_if<control_event>(&m);
  bool drains = control != nullptr && control->action == event_action::drain;
  return drains || std::holds_alternative<note_deed>(m) ? 2 : 1;
}

} // namespace sluice::domain
