#include "node/sealer.hpp"

#include <array>

namespace sluice::node {

namespace {

void append(std::string& bytes, std::uint64_t number) {
  for (int i = 0; i < 8; ++i)
    bytes.push_back(static_cast<char>(number >> 8 * i & 0xFF));
}

} // namespace

sealer::sealer(std::optional<facts_seal> older) : older_{std::move(older)} {
  compare(); // a seal of nothing is a seal
}

void sealer::take(const told_fact& f) {
  std::string place;
  append(place, f.index);
  append(place, static_cast<std::uint64_t>(to_ms(f.at)));
  append(place, f.bytes.size());
  hash_.add(place);
  hash_.add(f.bytes);
  ++facts_;
  compare();
}

void sealer::compare() {
  if (older_ && older_->facts == facts_)
    holds_ = now() == *older_;
}

facts_seal sealer::now() const {
  return {facts_, hash_.hex_so_far()};
}

std::optional<bool> sealer::holds() const {
  return older_ ? std::optional{holds_} : std::nullopt;
}

} // namespace sluice::node
