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

  /// Where the group is asked for, as far as is known here: where it was dealt out to, and on from there. A wrong one costs a
  /// refusal that says better.
  virtual partition_id place_of(event_number event) const = 0;
  /// A slot was found to be elsewhere, or where it is.
  virtual void learn(const partition::slot_home& home) = 0;

  /// Hands commands on. Answers and refusals come back to the port named in each origin.
  virtual void propose(partition_id to, std::vector<partition::proposal> proposals) = 0;
  virtual void ask(partition_id to, std::vector<partition::query> queries) = 0;

  /// Hands answers and refusals to whoever asked, on this node or another. Called by partition and entity actors.
  virtual void give_back(std::vector<partition::answer_out> answers, std::vector<partition::refusal_out> refusals) = 0;

  /// Changes whenever requests sent to this partition before may have been lost: another leader, or the line to it broke.
  /// What is not answered by then is to be sent again, with the same bytes.
  virtual std::uint64_t way_to(partition_id partition) const = 0;

  /// Gives a port its place in origins. Before any request; the port outlives the router's traffic.
  virtual std::uint8_t add_port(answer_port& port) = 0;

  /// An origin for a request of this process: `port` from add_port, `number` the port's own (56 bits).
  virtual partition::origin origin_of(std::uint8_t port, std::uint64_t number) const = 0;

  static std::uint8_t port_of(const partition::origin& o) { return static_cast<std::uint8_t>(o.request >> 56); }

  static std::uint64_t number_of(const partition::origin& o) { return o.request & 0x00FF'FFFF'FFFF'FFFF; }
};

} // namespace sluice::actors
