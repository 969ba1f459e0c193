// Seals an event's facts while they are read, and holds them against an older seal.
#pragma once

#include "core/facts_seal.hpp"
#include "http/crypto.hpp"
#include "node/event_feed.hpp"

#include <optional>

namespace sluice::node {

/// Give it every fact, in order. One thread.
class sealer {
public:
  /// `older`: to hold what is read against.
  explicit sealer(std::optional<facts_seal> older = {});

  void take(const told_fact& f);

  /// Of all that was read.
  facts_seal now() const;

  /// Whether the facts the older seal was made of are all there and unchanged; empty if there was none.
  std::optional<bool> holds() const;

private:
  void compare();

  http::sha256_stream hash_;
  std::uint64_t facts_ = 0;
  std::optional<facts_seal> older_;
  bool holds_ = false; // until the older seal's last fact came
};

} // namespace sluice::node
