#include "domain/feature_level.hpp"

namespace sluice::domain {

std::uint32_t feature_level() {
  return 2;
}

} // namespace sluice::domain
