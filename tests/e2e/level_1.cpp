// Makes the program of the first feature level: linked in front of domain/feature_level.cpp. It reads no command of a newer level
// and says so of itself.
#include "domain/feature_level.hpp"

namespace sluice::domain {

std::uint32_t feature_level() {
  return 1;
}

} // namespace sluice::domain
