// What this program understands beyond what the first one did.
#pragma once

#include <cstdint>

#ifndef SLUICE_VERSION
#define SLUICE_VERSION "dev"
#endif

namespace sluice::node {

/// Raised with every command, or checkpoint field, that older programs do not know. Logs hold such commands only once the
/// level was activated, which needs every member to support it.
#ifdef SLUICE_FEATURE_LEVEL
constexpr std::uint32_t feature_level = SLUICE_FEATURE_LEVEL;
#else
constexpr std::uint32_t feature_level = 1;
#endif

} // namespace sluice::node
