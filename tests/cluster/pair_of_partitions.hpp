// Two partitions on a table: the notes between them carried by hand, slots read out of a real checkpoint.
#pragma once

#include "partition_fixture.hpp"

#include "actors/slot_source.hpp"
#include "core/slot.hpp"

namespace sluice::partition::test {

inline const slot_number the_slot = slot_of(the_number);

/// A disk's checkpoint, as a store shows it.
class pinned final : public storage::checkpoint_image {
public:
  pinned(const disk& from, std::map<std::pair<entity_ref, std::uint32_t>, std::string> pieces)
      : pieces_{std::move(pieces)}, record_{from.commit->checkpoint,
                                            from.commit->index,
                                            from.commit->term,
                                            from.commit->record,
                                            {}} {}

  const storage::checkpoint_record& record() const override { return record_; }

  void scan_pieces(const place* after, const piece_visitor& visit) const override {
    auto at = after == nullptr ? pieces_.begin() : pieces_.upper_bound({after->of, after->number});
    for (; at != pieces_.end(); ++at)
      if (!visit(at->first.first, at->first.second, at->second))
        return;
  }

  void scan_feed(log_index, const feed_visitor&) const override {}

private:
  std::map<std::pair<entity_ref, std::uint32_t>, std::string> pieces_;
  storage::checkpoint_record record_;
};

inline config of_partition(std::uint32_t number) {
  config c;
  c.partition = {number};
  return c;
}

/// Two partitions that hear each other's notes.
struct pair_of_partitions {
  std::optional<replica> a_{std::in_place, of_partition(1)};
  std::optional<replica> b_{std::in_place, of_partition(2)};
  std::size_t part_bytes = 64 * 1024;
  std::size_t parts = 0;
  bool others_hear = true; // partitions that are not here

  replica& a() { return *a_; }

  replica& b() { return *b_; }

  replica& at(partition_id p) { return p.value == 1 ? a() : b(); }

  void carry(replica& from) {
    for (auto& n : std::exchange(from.notes, {}))
      if (n.to.value == 1 || n.to.value == 2) {
        at(n.to).handle(propose{{std::move(n.what)}});
        at(n.to).settle();
      } else if (n.what.note && others_hear) {
        proposal ack;
        ack.ack = note_source{n.to, n.what.note->sequence};
        from.handle(propose{{ack}});
        from.settle();
      }
  }

  bool pull(replica& to, partition_id number) {
    auto wanted = std::exchange(to.pulls, {});
    for (const auto& w : wanted) {
      const auto& from = at(w.from).stored();
      auto step = from.commit ? actors::read_slot(pinned{from, from.pieces}, w, number, part_bytes) : std::string{};
      parts += step.empty() ? 0 : 1;
      to.handle(slot_pulled{w.slot, w.fenced, w.position, std::move(step)});
      to.settle();
    }
    return !wanted.empty();
  }

  /// Everything between them, until nothing is left.
  void settle() {
    for (int i = 0; i < 50; ++i) {
      carry(a());
      carry(b());
      pull(a(), {1});
      pull(b(), {2});
      a().pass(10ms);
      b().pass(10ms);
    }
  }

  void move(replica& from, std::uint32_t to) {
    from.handle(move_slot{the_slot, {to}});
    from.settle();
    settle();
  }
};

} // namespace sluice::partition::test
