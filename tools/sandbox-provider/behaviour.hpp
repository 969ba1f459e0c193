// What the sandbox does with a payment, by its card number.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sluice::sandbox {

/// Faults "after effect" and `error_once` strike the first try of each step; a repetition with the same key is answered.
/// Those "without effect" strike every try.
enum class behaviour : std::uint8_t {
  approve,
  decline,
  decline_at_capture,
  timeout_without_effect,
  timeout_after_effect,
  error_without_effect,
  error_after_effect,
  error_once,
  slow,
  cut_after_effect,
  garbage_after_effect,
  stuck_at_capture,
};

struct test_card {
  std::string_view number;
  behaviour is;
  std::string_view what; // for --help
};

/// The documented table. Any other number is approved.
std::span<const test_card> test_cards();

std::optional<behaviour> behaviour_of_card(std::string_view number);

/// The word control calls use, such as "timeout-after-effect".
std::string_view name_of(behaviour b);
std::optional<behaviour> behaviour_from(std::string_view name);

/// A number as the ledger may keep it: test cards as they are, of all others the last four digits.
std::string masked(std::string_view number);

} // namespace sluice::sandbox
