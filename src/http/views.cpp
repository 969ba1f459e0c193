#include "http/views.hpp"

#include "codec/times.hpp"
#include "core/hash.hpp"
#include "core/text_id.hpp"

#include <algorithm>
#include <map>

namespace sluice::http {

namespace {

domain::stock_counts& operator+=(domain::stock_counts& a, const domain::stock_counts& b) {
  a.available += b.available;
  a.held += b.held;
  a.confirmed += b.confirmed;
  a.blocked += b.blocked;
  return a;
}

void count(domain::stock_counts& counts, domain::seat_status status) {
  switch (status) {
  case domain::seat_status::available:
    ++counts.available;
    return;
  case domain::seat_status::held:
  case domain::seat_status::pinned:
    ++counts.held;
    return;
  case domain::seat_status::confirmed:
    ++counts.confirmed;
    return;
  case domain::seat_status::blocked:
    ++counts.blocked;
    return;
  }
}

domain::stock_counts counts_of(const event_view& event, block_number number) {
  domain::stock_counts counts;
  event.with_block(number, [&](const block_view& b) { counts = b.counts; });
  return counts;
}

} // namespace

// ---- tickets ---------------------------------------------------------------------------------------------------------

std::optional<ticket_view> look_up(const event_view& event, ticket_number ticket) {
  return event.with_board([&](const serving_board& board) -> std::optional<ticket_view> {
    auto ahead = board.users_ahead(ticket);
    if (!ahead)
      return std::nullopt;
    const auto& f = board.figures();
    auto state = f.phase == domain::event_phase::closed ? domain::ticket_state::expired : domain::ticket_state::waiting;
    return ticket_view{ticket, state, *ahead, f.waiting, board.estimate(*ahead), {}, board.version(), f.phase, f.text};
  });
}

ticket_view combine(const event_view& event, const domain::ticket_reply& reply, log_index version) {
  ticket_view v;
  if (auto known = look_up(event, reply.ticket))
    v = std::move(*known);
  else
    event.with_board([&](const serving_board& board) {
      v.phase = board.figures().phase;
      v.waiting = board.figures().waiting;
      v.text = board.figures().text;
      v.wait = board.estimate(0);
    });
  v.ticket = reply.ticket;
  v.state = reply.state;
  v.ends = reply.ends;
  v.version = std::max(v.version, version);
  if (v.state != domain::ticket_state::waiting)
    v.users_ahead = 0;
  else if (v.phase == domain::event_phase::closed)
    v.state = domain::ticket_state::expired;
  return v;
}

std::uint32_t poll_after_ms(const ticket_view& v) {
  if (v.state == domain::ticket_state::admitted || v.state == domain::ticket_state::active)
    return 5'000;
  if (v.state != domain::ticket_state::waiting)
    return 30'000;
  auto wait = std::uint64_t{v.wait.min_seconds} * 1000 / 4;
  auto base = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(wait, 1'000, 20'000));
  return base + static_cast<std::uint32_t>(mix(v.ticket.value) % (base / 4));
}

std::string etag_of(const ticket_view& v) {
  return "\"" + std::to_string(static_cast<unsigned>(v.state)) + "-" + std::to_string(v.users_ahead) + "-" +
         std::to_string(static_cast<unsigned>(v.phase)) + "-" + std::to_string(hash_of(v.text) & 0xFFFF) + "\"";
}

void write_ticket(std::string& out, const ticket_view& v, std::string_view token) {
  bool waits = v.state == domain::ticket_state::waiting;
  codec::json_writer w{out};
  w.begin_object().field("state", word_of(v.state)).field("ticketNumber", v.ticket.value);
  w.field("position", waits ? v.users_ahead + 1 : 0).field("usersAhead", v.users_ahead);
  w.field("waitingUsers", v.waiting);
  w.key("estimatedWaitSeconds").begin_object();
  w.field("min", waits ? v.wait.min_seconds : 0).field("max", waits ? v.wait.max_seconds : 0).end_object();
  w.field("pollAfterMs", poll_after_ms(v)).field("phase", word_of(v.phase));
  if (v.ends != wall_time{}) {
    auto ends = codec::to_text(v.ends);
    if (v.state == domain::ticket_state::admitted)
      w.field("claimBefore", ends);
    if (!is_terminal(v.state))
      w.field("expiresAt", ends);
  }
  if (!v.text.empty())
    w.field("message", v.text);
  if (!token.empty())
    w.field("token", token);
  w.field("version", v.version).end_object();
}

// ---- events ----------------------------------------------------------------------------------------------------------

std::string status_json(const event_view& event, const plan_view& plan) {
  domain::stock_counts total;
  for (const auto& block : plan.placed().blocks)
    total += counts_of(event, block.number);
  std::string text;
  event.with_board([&](const serving_board& board) {
    const auto& f = board.figures();
    codec::json_writer w{text};
    w.begin_object().field("phase", word_of(f.phase)).field("nowServing", f.now_serving.value);
    w.field("lastTicket", f.last_ticket.value).field("waitingUsers", f.waiting).field("activeUsers", f.active);
    w.field("usersPerMinute", f.admission.users_per_minute).field("maxActiveUsers", f.admission.max_active_users);
    auto wait = board.estimate(f.waiting);
    w.key("estimatedWaitSeconds").begin_object();
    w.field("min", f.waiting > 0 ? wait.min_seconds : 0)
        .field("max", f.waiting > 0 ? wait.max_seconds : 0)
        .end_object();
    w.key("availability").begin_object();
    write_counts(w, total);
    w.end_object().field("message", f.text).field("asOf", codec::to_text(board.as_of()));
    w.field("version", board.version()).end_object();
  });
  return text;
}

const std::string& category_id(const plan_view& plan, std::uint32_t number) {
  static const std::string none; // a part of a hold may come from a definition this node has not heard of yet
  const auto& ids = plan.placed().categories;
  return number < ids.size() ? ids[number] : none;
}

std::string availability_json(const event_view& event, const plan_view& plan) {
  std::vector<domain::stock_counts> by_number(plan.placed().categories.size());
  domain::stock_counts elsewhere; // of retired seats, whose category may be gone
  auto counts_of = [&](std::uint32_t category) -> domain::stock_counts& {
    return category < by_number.size() ? by_number[category] : elsewhere;
  };
  std::string blocks;
  std::string areas;
  codec::json_writer in_blocks{blocks};
  codec::json_writer in_areas{areas};
  in_blocks.begin_array();
  in_areas.begin_array();
  log_index version = 0;
  for (const auto& block : plan.placed().blocks) {
    domain::stock_counts counts;
    event.with_block(block.number, [&](const block_view& b) {
      counts = b.counts;
      version = std::max(version, b.version);
      if (block.area)
        counts_of(block.category) += b.counts;
      else
        for (seat_index s = 0; s < b.seats.size() && s < block.seats.size(); ++s)
          count(counts_of(block.seats[s].category), b.seats[s]);
    });
    if (block.retired)
      continue;
    auto& w = block.area ? in_areas : in_blocks;
    w.begin_object().field("id", block.id);
    write_counts(w, counts);
    w.end_object();
  }
  in_blocks.end_array();
  in_areas.end_array();
  std::map<std::string_view, const domain::stock_counts*> by_category;
  for (std::uint32_t number = 0; number < by_number.size(); ++number)
    by_category.emplace(category_id(plan, number), &by_number[number]);
  std::string text;
  codec::json_writer w{text};
  w.begin_object().field("version", version).key("categories").begin_array();
  for (const auto& category : plan.definition().categories) {
    w.begin_object().field("id", category.id);
    write_counts(w, *by_category.at(category.id));
    w.end_object();
  }
  w.end_array().key("blocks").raw(blocks).key("areas").raw(areas).end_object();
  return text;
}

std::string block_json(const event_view& event, const plan_view& plan, const domain::placed_block& block) {
  std::vector<domain::seat_status> statuses;
  log_index version = 0;
  domain::stock_counts counts;
  event.with_block(block.number, [&](const block_view& b) {
    statuses = b.seats;
    version = b.version;
    counts = b.counts;
  });
  std::string text;
  text.reserve(block.seats.size() * 96 + 128);
  codec::json_writer w{text};
  w.begin_object().field("id", block.id).field("name", block.name).field("section", block.section);
  w.field("version", version);
  write_counts(w, counts);
  w.key("seats").begin_array();
  for (seat_index s = 0; s < block.seats.size(); ++s) {
    const auto& seat = block.seats[s];
    if (seat.retired)
      continue;
    auto status = s < statuses.size() ? statuses[s] : domain::seat_status::available;
    w.begin_object().field("id", seat.id).field("row", seat.row).field("number", seat.number);
    w.field("category", category_id(plan, seat.category)).field("status", word_of(status));
    w.end_object();
  }
  w.end_array().end_object();
  return text;
}

void write_event(codec::json_writer& w, const event_view& event, const plan_view& plan, bool in_full) {
  const auto& d = plan.definition();
  w.begin_object().field("id", d.id).field("name", d.name).field("venue", d.venue);
  w.field("startsAt", codec::to_text(d.starts_at)).field("timeZone", d.time_zone).field("localDate", d.local_date);
  w.field("phase", event.with_board([](const serving_board& b) { return word_of(b.figures().phase); }));
  w.field("currency", d.currency).field("capacity", d.capacity());
  if (!in_full) {
    w.end_object();
    return;
  }
  w.key("saleWindow").begin_object();
  if (d.sale_opens_at)
    w.field("opensAt", codec::to_text(*d.sale_opens_at));
  if (d.sale_closes_at)
    w.field("closesAt", codec::to_text(*d.sale_closes_at));
  w.end_object();
  w.field("holdTtlSeconds", d.hold_ttl_seconds).field("limitPerUser", d.limit_per_user);
  w.field("identity", d.identity == domain::identity_mode::trusted ? "trusted" : "anonymous");
  w.key("categories").begin_array();
  for (const auto& c : d.categories)
    w.begin_object().field("id", c.id).field("name", c.name).field("price", c.price).end_object();
  w.end_array().key("sections").begin_array();
  for (const auto& section : d.sections) {
    w.begin_object().field("id", section.id).field("name", section.name).key("blocks").begin_array();
    for (const auto& block : section.blocks)
      w.begin_object()
          .field("id", block.id)
          .field("name", block.name)
          .field("capacity", block.seat_count())
          .end_object();
    w.end_array().end_object();
  }
  w.end_array().key("blocks").begin_array();
  for (const auto& section : d.sections)
    for (const auto& block : section.blocks)
      w.begin_object()
          .field("id", block.id)
          .field("name", block.name)
          .field("section", section.id)
          .field("capacity", block.seat_count())
          .end_object();
  w.end_array().key("areas").begin_array();
  for (const auto& area : d.areas)
    w.begin_object()
        .field("id", area.id)
        .field("name", area.name)
        .field("category", d.categories.at(area.category).id)
        .field("capacity", area.capacity)
        .end_object();
  w.end_array().end_object();
}

// ---- holds and reservations --------------------------------------------------------------------------------------------

void write_parts(codec::json_writer& w, const plan_view& plan, const std::vector<domain::priced_part>& parts) {
  w.key("seats").begin_array();
  for (const auto& part : parts) {
    if (!plan.has(part.block))
      continue; // placed by a change this node has not heard of yet
    const auto& block = plan.block(part.block);
    for (const auto& seat : part.seats) {
      if (seat.seat >= block.seats.size())
        continue;
      const auto& placed = block.seats[seat.seat];
      w.begin_object().field("id", placed.id).field("block", block.id).field("row", placed.row);
      w.field("number", placed.number).field("category", category_id(plan, seat.category)).field("price", seat.price);
      w.end_object();
    }
  }
  w.end_array();
  for (const auto& part : parts)
    if (part.area && plan.has(part.block))
      w.field("area", plan.block(part.block).id).field("quantity", part.quantity);
}

void write_hold(codec::json_writer& w, const plan_view& plan, const domain::hold_reply& h) {
  w.begin_object().field("holdId", to_text(h.hold));
  write_parts(w, plan, h.parts);
  w.field("amount", h.amount).field("currency", h.currency).field("state", "HELD");
  w.field("expiresAt", codec::to_text(h.expires)).field("expiresInSeconds", (h.expires_in_ms + 999) / 1000);
  w.end_object();
}

void write_reservation(codec::json_writer& w, const plan_view& plan, const domain::reservation_reply& r) {
  w.begin_object().field("reservationId", to_text(r.reservation)).field("holdId", to_text(r.hold));
  w.field("event", plan.definition().id).field("state", word_of(r.state));
  if (!r.reason.empty())
    w.field("reason", r.reason);
  write_parts(w, plan, r.parts);
  w.field("amount", r.amount).field("currency", r.currency);
  w.field("createdAt", codec::to_text(r.created)).field("updatedAt", codec::to_text(r.changed)).end_object();
}

void write_counts(codec::json_writer& w, const domain::stock_counts& counts) {
  w.field("available", counts.available).field("held", counts.held).field("confirmed", counts.confirmed);
  w.field("blocked", counts.blocked).field("capacity", counts.capacity());
}

} // namespace sluice::http
