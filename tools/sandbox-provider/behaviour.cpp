#include "sandbox-provider/behaviour.hpp"

#include <algorithm>
#include <array>

namespace sluice::sandbox {

namespace {

constexpr std::array<test_card, 12> cards{{
    {"4242424242424242", behaviour::approve, "every step succeeds"},
    {"4000000000009995", behaviour::decline, "authorise is declined: INSUFFICIENT_FUNDS"},
    {"4000000000000341", behaviour::decline_at_capture, "authorise succeeds, capture is declined: CAPTURE_DECLINED"},
    {"4000000000000101", behaviour::timeout_without_effect, "authorise never takes effect and is never answered"},
    {"4000000000000119", behaviour::timeout_after_effect, "each step takes effect; its first try is never answered"},
    {"4000000000000127", behaviour::error_without_effect, "authorise never takes effect: 500"},
    {"4000000000000135", behaviour::error_after_effect, "each step takes effect; its first try is answered 500"},
    {"4000000000000143", behaviour::error_once, "the first try of each step has no effect: 500; the next succeeds"},
    {"4000000000000150", behaviour::slow, "every answer, inquiries too, takes 1.5 seconds longer"},
    {"4000000000000168", behaviour::cut_after_effect, "each step takes effect; the connection of its first try is cut"},
    {"4000000000000176", behaviour::garbage_after_effect,
     "each step takes effect; its first try is answered with garbage"},
    {"4000000000000184", behaviour::stuck_at_capture, "authorise succeeds; capture never takes effect: 500"},
}};

constexpr std::array<std::string_view, 12> names{"approve",
                                                 "decline",
                                                 "decline-at-capture",
                                                 "timeout-without-effect",
                                                 "timeout-after-effect",
                                                 "error-without-effect",
                                                 "error-after-effect",
                                                 "error-once",
                                                 "slow",
                                                 "cut-after-effect",
                                                 "garbage-after-effect",
                                                 "stuck-at-capture"};

} // namespace

std::span<const test_card> test_cards() {
  return cards;
}

std::optional<behaviour> behaviour_of_card(std::string_view number) {
  auto known = std::find_if(cards.begin(), cards.end(), [&](const test_card& c) { return c.number == number; });
  if (known == cards.end())
    return std::nullopt;
  return known->is;
}

std::string_view name_of(behaviour b) {
  return names[static_cast<std::size_t>(b)];
}

std::optional<behaviour> behaviour_from(std::string_view name) {
  auto known = std::find(names.begin(), names.end(), name);
  if (known == names.end())
    return std::nullopt;
  return static_cast<behaviour>(known - names.begin());
}

std::string masked(std::string_view number) {
  if (number.empty() || behaviour_of_card(number))
    return std::string{number};
  auto shown = number.substr(number.size() - std::min<std::size_t>(4, number.size()));
  return std::string(12, '*') + std::string{shown};
}

} // namespace sluice::sandbox
