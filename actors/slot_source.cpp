#include "actors/slot_source.hpp"

#include "cluster/partition/slots.hpp"
#include "cluster/partition/wire.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <vector>

namespace sluice::actors {

namespace {

/// One reading of one part.
class slot_reader {
public:
  slot_reader(const storage::checkpoint_image& image, const partition::slot_pull& wanted, std::size_t bytes_max)
      : image_{image}, wanted_{wanted}, bytes_max_{bytes_max} {}

  std::string read(partition_id to) {
    if (image_.record().index < wanted_.fenced || !record_.ParseFromString(image_.record().record) ||
        !position_.ParseFromString(wanted_.position) || !find_state(to))
      return {};
    step_.set_slot(wanted_.slot.value);
    auto& part = *step_.mutable_part();
    part.set_position(wanted_.position);
    part.set_fenced(wanted_.fenced);
    if (!position_.is_luggage())
      add_pieces(part);
    if (!is_full_)
      add_luggage(part);
    if (is_full_)
      part.set_next(position_.SerializeAsString());
    return step_.SerializeAsString();
  }

private:
  bool is_ours(const proto::EntityRef& of) const { return of.event() != 0 && slot_of({of.event()}) == wanted_.slot; }

  bool find_state(partition_id to) {
    auto found = std::find_if(record_.slots().begin(), record_.slots().end(),
                              [this](const auto& s) { return s.slot() == wanted_.slot.value; });
    if (found == record_.slots().end() || found->fenced() != wanted_.fenced || found->peer() != to.value ||
        static_cast<partition::slot_state::stage>(found->stage()) != partition::slot_state::stage::leaving)
      return false;
    state_ = &*found;
    return true;
  }

  void add_pieces(proto::SlotPart& part) {
    std::set<std::uint32_t> events;
    for (const auto& of : record_.roster())
      if (is_ours(of) && of.event() >= position_.entity().event())
        events.insert(of.event());
    for (auto event : events) {
      storage::checkpoint_image::place after{{{event}, entity_kind{}, {}, {}}, 0};
      if (event == position_.entity().event())
        after = {partition::decode(position_.entity()), position_.number()};
      image_.scan_pieces(&after, [&](const entity_ref& of, std::uint32_t number, std::string_view bytes) {
        return of.event.value == event && add_piece(part, of, number, bytes);
      });
      if (is_full_)
        return;
    }
    position_.Clear();
    position_.set_is_luggage(true);
  }

  bool add_piece(proto::SlotPart& part, const entity_ref& of, std::uint32_t number, std::string_view bytes) {
    if (filled_ > 0 && filled_ + bytes.size() > bytes_max_) {
      is_full_ = true;
      return false;
    }
    auto& piece = *part.add_pieces();
    partition::encode(of, *piece.mutable_entity());
    piece.set_number(number);
    piece.set_bytes(std::string{bytes});
    position_.Clear();
    *position_.mutable_entity() = piece.entity();
    position_.set_number(number);
    filled_ += bytes.size() + 64;
    return true;
  }

  void add_luggage(proto::SlotPart& part) {
    auto& luggage = *part.mutable_luggage();
    std::uint64_t at = 0;
    auto wants = [&] { return at++ >= position_.items() && !is_full_; };
    auto count = [&](std::size_t bytes) {
      position_.set_items(at);
      filled_ += bytes;
      is_full_ = filled_ > bytes_max_;
    };
    for (const auto& d : record_.deadlines())
      if (is_ours(d.entity()) && wants()) {
        auto& out = *luggage.add_deadlines() = d;
        out.set_at_ms(d.at_ms() + state_->time_shift_ms());
        count(out.ByteSizeLong());
      }
    for (const auto& e : record_.open_effects())
      if (is_ours(e.entity()) && wants())
        count((*luggage.add_open_effects() = e).ByteSizeLong());
    if (!is_full_)
      finish(luggage);
  }

  void finish(proto::SlotLuggage& luggage) {
    luggage.set_log_time_ms(state_->fenced_log_ms());
    luggage.set_wall_time_ms(state_->fenced_wall_ms());
    luggage.set_index(wanted_.fenced + state_->index_shift());
    for (const auto& of : record_.roster())
      if (is_ours(of))
        *luggage.add_roster() = of;
    for (auto event : record_.ended_groups())
      if (slot_of({event}) == wanted_.slot)
        luggage.add_ended_groups(event);
    *luggage.mutable_stays() = state_->stays();
    auto& last = *luggage.add_stays();
    last.set_partition(wanted_.from.value);
    last.set_first(state_->since());
    last.set_last(wanted_.fenced);
  }

  const storage::checkpoint_image& image_;
  const partition::slot_pull& wanted_;
  std::size_t bytes_max_;
  proto::PartitionRecord record_;
  const proto::SlotRecord* state_ = nullptr;
  proto::SlotPosition position_;
  proto::PartitionStep step_;
  std::size_t filled_ = 0;
  bool is_full_ = false;
};

} // namespace

std::string read_slot(const storage::checkpoint_image& image, const partition::slot_pull& wanted, partition_id to,
                      std::size_t bytes_max) {
  return slot_reader{image, wanted, bytes_max}.read(to);
}

} // namespace sluice::actors
