// What the sandbox was told to do by control calls. Kept in memory only: a restarted provider behaves again.
#pragma once

#include "codec/document.hpp"
#include "sandbox-provider/behaviour.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace sluice::sandbox {

enum class mode : std::uint8_t {
  normal,
  down,  // every connection is cut before anything takes effect
  slow,  // every answer waits for `delay`
  flaky, // every n-th call meets a fault, one kind after the other
};

std::string_view name_of(mode m);

struct control {
  sandbox::mode mode = mode::normal;
  std::uint32_t fail_every = 10;      // in flaky mode
  std::chrono::milliseconds delay{0}; // in any mode; slow without one means 1.5 s
  std::map<std::string, behaviour, std::less<>> cards;
  bool die_after_effect = false;

  std::chrono::milliseconds added_delay() const;
  behaviour of_card(std::string_view number) const;
};

/// Applies what the document names; the rest stays. Nothing changes if there are mistakes.
void change(control& c, const codec::document& wanted, std::vector<codec::document_error>& mistakes);

void write(codec::json_writer& w, const control& c);

} // namespace sluice::sandbox
