// The execution of one committed entry: step 1 hands each addressed entity its commands in entry order, as one batch; what
// entities tell each other is handed over in step 2, again one batch per entity; and so on until no tells are left.
#pragma once

#include "cluster/partition/entry.hpp"
#include "cluster/partition/types.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace sluice::partition {

/// Owned by one partition core. Deterministic: whatever order entities answer in, tells and effects come out in
/// (step, delivery, sequence) order, so every replica sees the same.
class superstep {
public:
  /// A hold takes five steps; a cascade this long is a bug in the machines.
  static constexpr std::uint32_t steps_max = 16;

  /// `skip(i)` is asked per command; true leaves it out (an acknowledgement, or a note that arrived before).
  template <class Skip>
  std::vector<delivery> begin(log_index index, log_entry entry, Skip&& skip) {
    start(index, std::move(entry));
    for (std::uint32_t i = 0; i < entry_.commands.size(); ++i)
      if (!skip(entry_.commands[i]))
        add_message(entry_.commands[i].to, {i, entry_.commands[i].body, {}});
    return take_deliveries();
  }

  bool running() const { return index_ != 0; }

  log_index index() const { return index_; }

  const log_entry& entry() const { return entry_; }

  /// Takes an entity's results. False: they belong to no open delivery (a broken invariant).
  bool accept(delivered d);

  bool step_complete() const { return missing_ == 0; }

  /// The next step's deliveries; empty when the entry is complete. Call when `step_complete`.
  std::vector<delivery> next();

  bool ran_away() const { return step_ > steps_max; }

  /// The results of every step, in order, with the entity each came from. Call when the entry is complete; ends it.
  std::vector<std::pair<entity_ref, delivered>> finish();

private:
  void start(log_index index, log_entry entry);
  void add_message(const entity_ref& to, inbound message);
  std::vector<delivery> take_deliveries();

  log_index index_ = 0;
  log_entry entry_;
  std::uint32_t step_ = 0;
  std::size_t missing_ = 0;
  std::vector<delivery> gathering_;                         // the step being put together
  std::unordered_map<entity_ref, std::uint32_t> slot_of_;   // looked up only, never iterated
  std::vector<entity_ref> addressed_;                       // of the open step, by slot
  std::vector<std::optional<delivered>> results_;           // of the open step, by slot
  std::vector<std::uint32_t> arrived_;                      // slots; kept only for planted::arrival_order
  std::vector<std::pair<entity_ref, delivered>> completed_; // of the steps before
};

} // namespace sluice::partition
