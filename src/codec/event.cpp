#include "codec/event.hpp"

#include "codec/event_definition.hpp"
#include "codec/fields.hpp"
#include "codec/json_of.hpp"
#include "codec/reply.hpp"
#include "core/planted.hpp"
#include "sluice/event.pb.h"

#include <map>
#include <set>

namespace sluice::codec {

namespace {

using codec::decode;
using codec::encode;

constexpr std::uint32_t head_piece = 0;
constexpr std::uint32_t plan_piece = 1;

constexpr std::uint32_t tickets_piece(std::uint32_t chunk) {
  return 2 + 2 * chunk;
}

constexpr std::uint32_t visits_piece(std::uint32_t chunk) {
  return 3 + 2 * chunk;
}

proto::EventHead head_of(const domain::event& machine) {
  const auto& head = machine.head();
  const auto& count = machine.room().count();
  proto::EventHead p;
  p.set_index_seed(head.index_seed);
  p.set_opened_by_hand(head.opened_by_hand);
  p.set_closed_by_hand(head.closed_by_hand);
  p.set_paused(head.paused);
  p.set_draining(head.draining);
  p.set_window_told_open(head.window_told_open);
  p.set_text(head.text);
  for (const auto& [block, counts] : head.stock) {
    auto& s = *p.add_stock();
    s.set_block(block.value);
    s.set_available(counts.available);
    s.set_held(counts.held);
    s.set_confirmed(counts.confirmed);
    s.set_blocked(counts.blocked);
  }
  p.set_sold(head.sold);
  p.set_revenue(head.revenue);
  p.set_last_sale_ms(to_ms(head.last_sale));
  p.set_count_sequence(head.count_sequence);
  p.set_count_received(head.count_received);
  p.set_count_changed(head.count_changed);
  p.set_charges_open(head.charges_open);
  if (!head.requests.all().empty())
    encode(head.requests, *p.mutable_requests());
  p.set_waiting(count.waiting);
  p.set_admitted_total(count.admitted_total);
  p.set_completed_total(count.completed_total);
  p.set_now_serving(count.now_serving.value);
  p.set_head(count.head.value);
  p.set_flow_credit(count.flow.credit);
  p.set_flow_at_ms(to_ms(count.flow.at));
  p.set_flow_users_per_minute(count.flow.users_per_minute);
  p.set_flow_batch_ms(count.flow.batch_ms);
  return p;
}

domain::event_head decode_head(const proto::EventHead& p) {
  domain::event_head head;
  head.index_seed = p.index_seed();
  head.opened_by_hand = p.opened_by_hand();
  head.closed_by_hand = p.closed_by_hand();
  head.paused = p.paused();
  head.draining = p.draining();
  head.window_told_open = p.window_told_open();
  head.text = p.text();
  for (const auto& s : p.stock())
    head.stock[{s.block()}] = {s.available(), s.held(), s.confirmed(), s.blocked()};
  head.sold = p.sold();
  head.revenue = p.revenue();
  head.last_sale = wall_time_from_ms(p.last_sale_ms());
  head.count_sequence = p.count_sequence();
  head.count_received = p.count_received();
  head.count_changed = p.count_changed();
  head.charges_open = p.charges_open();
  head.requests = decode(p.requests());
  return head;
}

domain::waiting_room::counters decode_counters(const proto::EventHead& p) {
  domain::waiting_room::counters count;
  count.waiting = p.waiting();
  count.admitted_total = p.admitted_total();
  count.completed_total = p.completed_total();
  count.now_serving = {p.now_serving()};
  count.head = {p.head()};
  count.flow = {p.flow_credit(), log_time_from_ms(p.flow_at_ms()), p.flow_users_per_minute(), p.flow_batch_ms()};
  return count;
}

std::string encode(const domain::ticket_chunk& chunk) {
  proto::TicketChunk p;
  p.set_first_joined_ms(to_ms(chunk.first_joined));
  p.set_states(chunk.states.data(), chunk.states.size());
  p.mutable_joined_ms()->Add(chunk.joined_ms.begin(), chunk.joined_ms.end());
  p.mutable_user_ends()->Add(chunk.user_ends.begin(), chunk.user_ends.end());
  p.set_users(chunk.users);
  p.mutable_joined_high()->Add(chunk.joined_high.begin(), chunk.joined_high.end());
  return p.SerializeAsString();
}

std::shared_ptr<domain::ticket_chunk> decode_chunk(const std::string& bytes) {
  auto p = parsed<proto::TicketChunk>(bytes);
  auto chunk = std::make_shared<domain::ticket_chunk>();
  chunk->first_joined = log_time_from_ms(p.first_joined_ms());
  chunk->states.reserve(p.states().size());
  for (char s : p.states())
    chunk->states.push_back(static_cast<domain::ticket_state>(s));
  chunk->joined_ms.assign(p.joined_ms().begin(), p.joined_ms().end());
  chunk->user_ends.assign(p.user_ends().begin(), p.user_ends().end());
  chunk->users = std::move(*p.mutable_users());
  for (auto high : p.joined_high())
    chunk->joined_high.push_back(static_cast<std::uint16_t>(high));
  return chunk;
}

std::function<std::string()> encode_visits(const domain::waiting_room& room, std::uint32_t chunk) {
  proto::VisitChunk p;
  auto first = chunk * domain::ticket_chunk::capacity + 1;
  auto end = room.visits().lower_bound({first + domain::ticket_chunk::capacity});
  for (auto at = room.visits().lower_bound({first}); at != end; ++at) {
    auto& v = *p.add_visits();
    v.set_ticket(at->first.value);
    v.set_claimed(at->second.claimed && !is_planted(planted::codec_drops_stage));
    v.set_deadline_ms(to_ms(at->second.deadline));
    if (at->second.claimed)
      v.set_id(bytes_of(at->second.id));
    v.set_claimed_at_ms(to_ms(at->second.claimed_at));
    v.set_expires_at_ms(to_ms(at->second.expires_at));
  }
  if (p.visits_size() == 0)
    return {};
  return [owned = p.SerializeAsString()] { return owned; };
}

void decode_visits(const std::string& bytes, std::map<ticket_number, domain::visit>& visits) {
  auto p = parsed<proto::VisitChunk>(bytes);
  for (const auto& v : p.visits()) {
    domain::visit made{v.claimed(),
                       log_time_from_ms(v.deadline_ms()),
                       {},
                       wall_time_from_ms(v.claimed_at_ms()),
                       wall_time_from_ms(v.expires_at_ms())};
    if (v.claimed())
      made.id = id_from<admission_id>(v.id());
    visits.emplace(ticket_number{v.ticket()}, made);
  }
}

record_piece plan_of(const domain::event& machine) {
  const auto& placed = machine.head().placed;
  if (!placed)
    return {plan_piece, {}};
  return {plan_piece, [placed] {
            proto::PlacedEvent p;
            encode(*placed, p);
            return p.SerializeAsString();
          }};
}

} // namespace

void encode(const domain::placed_event& from, proto::PlacedEvent& to) {
  to.set_number(from.number.value);
  to.set_revision(from.revision);
  encode(from.definition, *to.mutable_definition());
  for (const auto& block : from.blocks) {
    auto& b = *to.add_blocks();
    b.set_number(block.number.value);
    b.set_id(block.id);
    b.set_name(block.name);
    b.set_section(block.section);
    b.set_area(block.area);
    b.set_category(block.category);
    b.set_capacity(block.capacity);
    b.set_retired(block.retired);
    for (const auto& seat : block.seats) {
      auto& s = *b.add_seats();
      s.set_id(seat.id);
      s.set_row(seat.row);
      s.set_number(seat.number);
      s.set_category(seat.category);
      s.set_retired(seat.retired);
    }
  }
  for (const auto& id : from.categories)
    to.add_categories(id);
}

std::shared_ptr<const domain::placed_event> decode(const proto::PlacedEvent& from) {
  auto placed = std::make_shared<domain::placed_event>();
  placed->number = {from.number()};
  placed->revision = from.revision();
  placed->definition = decode(from.definition());
  for (const auto& b : from.blocks()) {
    domain::placed_block block{{b.number()}, b.id(),       b.name(),    b.section(), b.area(),
                               b.category(), b.capacity(), b.retired(), {}};
    block.seats.reserve(static_cast<std::size_t>(b.seats_size()));
    for (const auto& s : b.seats())
      block.seats.push_back({s.id(), s.row(), s.number(), s.category(), s.retired()});
    placed->blocks.push_back(std::move(block));
  }
  placed->categories.assign(from.categories().begin(), from.categories().end());
  if (placed->categories.empty()) // written before categories had numbers: the definition's order was theirs
    for (const auto& category : placed->definition.categories)
      placed->categories.push_back(category.id);
  return placed;
}

record_pieces save_changed(domain::event& machine) {
  record_pieces pieces;
  // The head carries the line's counters, so it changes with nearly everything; it is small.
  pieces.push_back({head_piece, [owned = head_of(machine).SerializeAsString()] { return owned; }});
  if (machine.take_placed_changed())
    pieces.push_back(plan_of(machine));
  for (auto& [number, chunk] : machine.room().book().take_changed())
    pieces.push_back({tickets_piece(number), [shared = std::move(chunk)] { return encode(*shared); }});
  for (auto chunk : machine.room().take_changed_visits())
    pieces.push_back({visits_piece(chunk), encode_visits(machine.room(), chunk)});
  return pieces;
}

record_pieces save_all(const domain::event& machine) {
  record_pieces pieces;
  pieces.push_back({head_piece, [owned = head_of(machine).SerializeAsString()] { return owned; }});
  pieces.push_back(plan_of(machine));
  const auto& chunks = machine.room().book().chunks();
  for (std::uint32_t number = 0; number < chunks.size(); ++number) {
    pieces.push_back({tickets_piece(number), [shared = std::shared_ptr<const domain::ticket_chunk>{chunks[number]}] {
                        return encode(*shared);
                      }});
    pieces.push_back({visits_piece(number), encode_visits(machine.room(), number)});
  }
  return pieces;
}

domain::event load(const entity_ref& ref, const loaded_pieces& pieces, const domain::event*) {
  if (pieces.empty())
    return domain::event{ref.event};
  SLUICE_ASSERT(pieces.front().first == head_piece, "an event's checkpoint lacks its head");
  auto p = parsed<proto::EventHead>(pieces.front().second);
  auto head = decode_head(p);
  domain::ticket_book book{head.index_seed};
  std::map<ticket_number, domain::visit> visits;
  std::uint32_t chunks = 0;
  for (const auto& [number, bytes] : pieces) {
    if (number == head_piece)
      continue;
    if (number == plan_piece) {
      head.placed = decode(parsed<proto::PlacedEvent>(bytes));
      continue;
    }
    if (number == tickets_piece(chunks)) {
      book.restore(decode_chunk(bytes));
      ++chunks;
      continue;
    }
    SLUICE_ASSERT(number % 2 == 1, "an event's checkpoint lacks a chunk of tickets");
    decode_visits(bytes, visits);
  }
  auto settings = head.placed ? head.placed->definition.admission : domain::admission_settings{};
  domain::waiting_room room{std::move(book), std::move(visits), decode_counters(p), settings};
  return domain::event{ref.event, std::move(head), std::move(room)};
}

std::string describe(const domain::event& machine) {
  return json_of(head_of(machine));
}

} // namespace sluice::codec
