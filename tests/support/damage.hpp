// Damaged bytes for decoders that read what peers send.
#pragma once

#include <google/protobuf/stubs/logging.h>

#include <functional>
#include <random>
#include <string>
#include <string_view>

namespace sluice::test {

/// Gives `look` the bytes cut short at every length, with single bytes changed, and noise; the same ones every time.
inline void damage(const std::string& bytes, const std::function<void(std::string_view)>& look) {
  google::protobuf::LogSilencer silence;
  for (std::size_t length = 0; length < bytes.size(); ++length)
    look(std::string_view{bytes}.substr(0, length));
  std::mt19937_64 random{20'270'301};
  for (int i = 0; i < 2'000 && !bytes.empty(); ++i) {
    auto bent = bytes;
    for (auto changes = 1 + random() % 3; changes > 0; --changes)
      bent[random() % bent.size()] = static_cast<char>(random());
    look(bent);
  }
  for (int i = 0; i < 2'000; ++i) {
    std::string noise(random() % 200, '\0');
    for (auto& c : noise)
      c = static_cast<char>(random());
    look(noise);
  }
}

} // namespace sluice::test
