#include "codec/area.hpp"

#include "codec/fields.hpp"
#include "codec/json_of.hpp"
#include "sluice/area.pb.h"

#include <algorithm>
#include <vector>

namespace sluice::codec {

namespace {

constexpr std::uint32_t head_piece = 0;

constexpr std::uint32_t holds_piece(std::uint32_t chunk) {
  return 1 + chunk;
}

proto::AreaRecord head_of(const domain::area& machine) {
  const auto& state = machine.state();
  proto::AreaRecord p;
  p.set_target(state.target);
  p.set_held(state.held);
  p.set_confirmed(state.confirmed);
  p.set_category(state.category);
  p.set_price(state.price);
  p.set_sale_open(state.sale_open);
  return p;
}

void add_holds(const domain::hold_book::chunk& chunk, google::protobuf::RepeatedPtrField<proto::AreaHold>& to) {
  std::vector<const domain::hold_book::chunk::value_type*> sorted; // the same bytes on every replica
  sorted.reserve(chunk.size());
  for (const auto& one : chunk)
    sorted.push_back(&one);
  std::sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) { return a->first < b->first; });
  to.Reserve(to.size() + static_cast<int>(chunk.size()));
  for (const auto* one : sorted) {
    const auto& [hold, h] = *one;
    auto& q = *to.Add();
    q.set_hold(bytes_of(hold));
    q.set_user(h.user);
    q.set_quantity(h.quantity);
    q.set_deadline_ms(to_ms(h.deadline));
    q.set_fence(h.fence);
  }
}

/// Encoded when the piece is written, on another thread: the chunk stays as it is.
record_piece holds_of(std::uint32_t number, std::shared_ptr<const domain::hold_book::chunk> chunk) {
  if (chunk->empty())
    return {holds_piece(number), {}};
  return {holds_piece(number), [shared = std::move(chunk)] {
            proto::AreaHolds p;
            add_holds(*shared, *p.mutable_holds());
            return p.SerializeAsString();
          }};
}

void decode_holds(const google::protobuf::RepeatedPtrField<proto::AreaHold>& holds, domain::hold_book& book) {
  for (const auto& q : holds)
    book.add(id_from<hold_id>(q.hold()), {q.user(), q.quantity(), log_time_from_ms(q.deadline_ms()), q.fence()});
}

record_piece head_piece_of(const domain::area& machine) {
  return {head_piece, [owned = head_of(machine).SerializeAsString()] { return owned; }};
}

} // namespace

record_pieces save_changed(domain::area& machine) {
  if (!machine.take_changed())
    return {};
  record_pieces pieces{head_piece_of(machine)};
  for (auto& [number, chunk] : machine.take_changed_holds())
    pieces.push_back(holds_of(number, std::move(chunk)));
  return pieces;
}

record_pieces save_all(const domain::area& machine) {
  record_pieces pieces{head_piece_of(machine)};
  const auto& chunks = machine.state().holds.chunks();
  for (std::uint32_t number = 0; number < chunks.size(); ++number)
    if (chunks[number] && !chunks[number]->empty())
      pieces.push_back(holds_of(number, chunks[number]));
  return pieces;
}

domain::area load(const entity_ref& ref, const loaded_pieces& pieces, const domain::area*) {
  if (pieces.empty())
    return {ref.event, ref.block};
  SLUICE_ASSERT(pieces.front().first == head_piece, "an area without its first piece");
  auto p = parsed<proto::AreaRecord>(pieces.front().second);
  domain::area_state state;
  state.target = p.target();
  state.held = p.held();
  state.confirmed = p.confirmed();
  state.category = p.category();
  state.price = p.price();
  state.sale_open = p.sale_open();
  for (auto piece = pieces.begin() + 1; piece != pieces.end(); ++piece)
    decode_holds(parsed<proto::AreaHolds>(piece->second).holds(), state.holds);
  state.holds.take_changed();
  decode_holds(p.holds(), state.holds); // where earlier versions have them; these move into pieces of their own
  return {ref.event, ref.block, std::move(state)};
}

std::string describe(const domain::area& machine) {
  auto p = head_of(machine);
  for (const auto& chunk : machine.state().holds.chunks())
    if (chunk)
      add_holds(*chunk, *p.mutable_holds());
  return json_of(p);
}

} // namespace sluice::codec
