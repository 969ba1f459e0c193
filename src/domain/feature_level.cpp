#include "domain/feature_level.hpp"

namespace sluice::domain {

std::uint32_t feature_level() {
  return 3;
}

} // namespace sluice::domain
