// From a bridge to the partition that decides, and back.
#pragma once

#include "actors/messages.hpp"
#include "cluster/partition_map.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace sluice::actors {

/// Thread-safe. Knows which partition a placement group is in and where that partition's leader is.
class router {
public:
  virtual ~router() = default;

  virtual const partition_map& places() const = 0;

  /// Hands commands on. Answers and refusals come back to the port named in each origin.
  virtual void propose(partition_id to, std::vector<partition::proposal> proposals) = 0;
  virtual void ask(partition_id to, std::vector<partition::query> queries) = 0;

  /// Gives a port its place in origins. Before any request; the port outlives the router's traffic.
  virtual std::uint8_t add_port(answer_port& port) = 0;

  /// An origin for a request of this process: `port` from add_port, `number` the port's own (56 bits).
  virtual partition::origin origin_of(std::uint8_t port, std::uint64_t number) const = 0;

  static std::uint8_t port_of(const partition::origin& o) { return static_cast<std::uint8_t>(o.request >> 56); }

  static std::uint64_t number_of(const partition::origin& o) { return o.request & 0x00FF'FFFF'FFFF'FFFF; }
};

} // namespace sluice::actors
