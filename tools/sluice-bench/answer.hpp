// As much of an HTTP answer as a load client needs, read by searching instead of parsing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sluice::bench {

struct answer {
  unsigned status = 0;
  std::string_view head;
  std::string_view body;
  bool closes = false;  // the server ends the connection after it
  std::size_t size = 0; // of the whole answer
};

enum class reading : std::uint8_t { whole, more, nonsense };

/// Looks for one whole answer at the start of `bytes`. Bodies come with Content-Length or not at all; chunked ones are
/// nonsense here. With `more`, `a.size` is how many bytes it takes, if that is known already (else 0).
reading read_answer(std::string_view bytes, answer& a);

/// The text of the first string member of that name, as it stands (escapes and all); empty if there is none.
std::string_view text_field(std::string_view json, std::string_view name);
std::optional<std::uint64_t> number_field(std::string_view json, std::string_view name);

} // namespace sluice::bench
