#include "codec/publication.hpp"

#include "codec/catalogue.hpp"
#include "codec/event.hpp"
#include "codec/event_definition.hpp"
#include "codec/fields.hpp"
#include "codec/reply.hpp"
#include "domain/catalogue.hpp"
#include "sluice/publication.pb.h"

#include <algorithm>

namespace sluice::codec {

namespace {

using codec::decode;
using codec::encode;
using domain::publication;

using maybe = std::optional<publication>;

// Blocks and seats that are no longer sold keep their numbers, so that after years of changes there are more than one
// definition may have. What bridges set aside for a number nobody has is bounded by these.
constexpr std::uint32_t blocks_ever = 100'000;
constexpr std::uint32_t seats_ever = 1'000'000;

// ---- boards ----

void put(const domain::board_update& m, proto::Publication& out) {
  auto& p = *out.mutable_board_update();
  p.set_event(m.event.value);
  p.set_full(m.full);
  p.set_phase(static_cast<std::uint32_t>(m.phase));
  p.set_now_serving(m.now_serving.value);
  p.set_last_ticket(m.last_ticket.value);
  p.set_waiting(m.waiting);
  p.set_active(m.active);
  p.set_admitted_total(m.admitted_total);
  p.set_completed_total(m.completed_total);
  p.set_sold(m.sold);
  p.set_revenue(m.revenue);
  encode(m.admission, *p.mutable_admission());
  p.set_text(m.text);
  p.mutable_gone_steps()->Reserve(static_cast<int>(m.gone.size()));
  std::int64_t before = 0;
  for (auto t : m.gone) {
    p.add_gone_steps(std::int64_t{t.value} - before);
    before = t.value;
  }
  p.mutable_waits_ms()->Add(m.waits_ms.begin(), m.waits_ms.end());
}

/// False when a step leads to a ticket that was never given out.
bool read_gone(const proto::BoardUpdate& p, std::vector<ticket_number>& gone) {
  gone.reserve(static_cast<std::size_t>(p.gone_steps_size()));
  std::int64_t at = 0;
  for (auto step : p.gone_steps()) {
    // Compared before it is added: the sum of two numbers within bounds does not overflow.
    if (step < 1 - at || step > p.last_ticket() - at)
      return false;
    at += step;
    gone.push_back({static_cast<std::uint32_t>(at)});
  }
  return true;
}

maybe take(const proto::BoardUpdate& p) {
  domain::board_update m;
  m.event = {p.event()};
  m.full = p.full();
  m.phase = static_cast<domain::event_phase>(p.phase());
  m.now_serving = {p.now_serving()};
  m.last_ticket = {p.last_ticket()};
  m.waiting = p.waiting();
  m.active = p.active();
  m.admitted_total = p.admitted_total();
  m.completed_total = p.completed_total();
  m.sold = p.sold();
  m.revenue = p.revenue();
  m.admission = decode(p.admission());
  m.text = p.text();
  m.waits_ms.assign(p.waits_ms().begin(), p.waits_ms().end());
  bool good = m.event && p.phase() <= 0xFF && domain::word_of(m.phase) != "UNKNOWN" && m.now_serving <= m.last_ticket &&
              read_gone(p, m.gone);
  return good ? maybe{std::move(m)} : std::nullopt;
}

// ---- stock ----

void put(const domain::block_update& m, proto::Publication& out) {
  auto& p = *out.mutable_block_update();
  p.set_event(m.event.value);
  p.set_block(m.block.value);
  p.set_full(m.full);
  p.set_available(m.counts.available);
  p.set_held(m.counts.held);
  p.set_confirmed(m.counts.confirmed);
  p.set_blocked(m.counts.blocked);
  auto& statuses = *p.mutable_statuses();
  statuses.reserve(m.seats.size());
  bool every_seat = true;
  for (const auto& [seat, status] : m.seats) {
    every_seat = every_seat && seat == statuses.size();
    statuses += static_cast<char>(status);
  }
  if (every_seat)
    return;
  p.mutable_seats()->Reserve(static_cast<int>(m.seats.size()));
  for (const auto& [seat, status] : m.seats)
    p.add_seats(seat);
}

maybe take(const proto::BlockUpdate& p) {
  domain::block_update m{{p.event()}, {p.block()}, p.full(), {p.available(), p.held(), p.confirmed(), p.blocked()}, {}};
  const auto& statuses = p.statuses();
  bool every_seat = p.seats().empty();
  if (!m.event || !m.block || p.block() > blocks_ever || statuses.size() > seats_ever ||
      (!every_seat && static_cast<std::size_t>(p.seats_size()) != statuses.size()))
    return std::nullopt;
  m.seats.reserve(statuses.size());
  for (std::size_t i = 0; i < statuses.size(); ++i) {
    auto seat = every_seat ? static_cast<seat_index>(i) : p.seats(static_cast<int>(i));
    auto status = static_cast<unsigned char>(statuses[i]);
    if (seat >= seats_ever || !in_range(status, domain::seat_status::available, domain::seat_status::blocked))
      return std::nullopt;
    m.seats.emplace_back(seat, static_cast<domain::seat_status>(status));
  }
  return m;
}

// ---- events ----

void put(const domain::event_placed& m, proto::Publication& out) {
  encode(*m.event, *out.mutable_event_placed()->mutable_event());
}

void put(const domain::event_removed& m, proto::Publication& out) {
  out.mutable_event_removed()->set_event(m.event.value);
}

bool makes_sense(const proto::EventDefinition& p) {
  wall_time ignored;
  if (!in_range(p.identity(), domain::identity_mode::trusted, domain::identity_mode::anonymous) ||
      !read_time(p.starts_at_ms(), ignored) || !read_time(p.sale_opens_at_ms(), ignored) ||
      !read_time(p.sale_closes_at_ms(), ignored))
    return false;
  auto is_known = [&](std::uint32_t category) { return category < static_cast<std::uint32_t>(p.categories_size()); };
  for (const auto& section : p.sections())
    for (const auto& block : section.blocks())
      for (const auto& row : block.rows())
        for (const auto& seat : row.seats())
          if (!is_known(seat.category()))
            return false;
  return std::all_of(p.areas().begin(), p.areas().end(), [&](const auto& area) { return is_known(area.category()); });
}

/// What is retired may name a category the definition no longer has.
bool makes_sense(const proto::PlacedBlock& p, std::uint32_t categories) {
  if (static_cast<std::uint32_t>(p.seats_size()) > seats_ever)
    return false;
  if (p.area() && !p.retired() && p.category() >= categories)
    return false;
  return std::all_of(p.seats().begin(), p.seats().end(),
                     [&](const auto& seat) { return seat.retired() || seat.category() < categories; });
}

bool makes_sense(const proto::PlacedEvent& p) {
  if (p.number() == 0 || static_cast<std::uint32_t>(p.blocks_size()) > blocks_ever || !makes_sense(p.definition()))
    return false;
  auto categories =
      static_cast<std::uint32_t>(p.categories_size() > 0 ? p.categories_size() : p.definition().categories_size());
  for (int i = 0; i < p.blocks_size(); ++i)
    if (p.blocks(i).number() != static_cast<std::uint32_t>(i) + 1 || !makes_sense(p.blocks(i), categories))
      return false;
  return true;
}

maybe take(const proto::EventPlaced& p) {
  return makes_sense(p.event()) ? maybe{domain::event_placed{decode(p.event())}} : std::nullopt;
}

maybe take(const proto::EventRemoved& p) {
  return p.event() != 0 ? maybe{domain::event_removed{{p.event()}}} : std::nullopt;
}

// ---- reservations ----

void put(const domain::reservation_update& m, proto::Publication& out) {
  auto& p = *out.mutable_reservation_update();
  p.set_event(m.event.value);
  encode(m.reservation, *p.mutable_reservation());
  p.set_user(m.user);
}

maybe take(const proto::ReservationUpdate& p) {
  domain::reservation_update m{{p.event()}, {}, p.user()};
  return m.event && read(p.reservation(), m.reservation) ? maybe{std::move(m)} : std::nullopt;
}

// ---- the catalogue and the ranking ----

void put(const domain::catalogue_update& m, proto::Publication& out) {
  auto& p = *out.mutable_catalogue_update();
  p.set_founded(m.founded);
  p.set_cluster_id(m.cluster_id);
  p.set_epoch(m.epoch);
  p.set_wrapped_keys(m.wrapped_keys);
  for (const auto& entry : m.events)
    encode(entry, *p.add_events());
  for (const auto& key : m.keys)
    encode(key, *p.add_keys());
  for (const auto& node : m.nodes)
    encode(node, *p.add_nodes());
  p.set_replication(m.replication);
  p.set_feature_level(m.feature_level);
}

bool makes_sense(const proto::CatalogueEntry& p) {
  wall_time ignored;
  return p.number() != 0 && p.slot() < slot_count && read_time(p.starts_at_ms(), ignored);
}

bool makes_sense(const proto::AddKey& p) {
  return in_range(p.role(), domain::key_role::viewer, domain::key_role::admin);
}

maybe take(const proto::CatalogueUpdate& p) {
  domain::catalogue_update m;
  if (static_cast<std::size_t>(p.events_size()) > domain::catalogue::events_max ||
      static_cast<std::size_t>(p.keys_size()) > domain::catalogue::keys_max ||
      static_cast<std::size_t>(p.nodes_size()) > domain::catalogue::nodes_max + domain::catalogue::removed_nodes_max)
    return std::nullopt;
  m.founded = p.founded();
  m.cluster_id = p.cluster_id();
  m.epoch = p.epoch();
  m.wrapped_keys = p.wrapped_keys();
  for (const auto& entry : p.events()) {
    if (!makes_sense(entry))
      return std::nullopt;
    m.events.push_back(decode(entry));
  }
  for (const auto& key : p.keys()) {
    if (!makes_sense(key))
      return std::nullopt;
    m.keys.push_back(decode(key));
  }
  for (const auto& node : p.nodes())
    if (!read(node, m.nodes.emplace_back()))
      return std::nullopt;
  m.replication = std::max(p.replication(), 1u);
  m.feature_level = p.feature_level();
  return m;
}

void put(const domain::ranking_update& m, proto::Publication& out) {
  auto& p = *out.mutable_ranking_update();
  for (const auto& entry : m.dates) {
    auto& d = *p.add_dates();
    d.set_date(entry.date);
    d.set_sold(entry.sold);
    d.set_last_sale_ms(to_ms(entry.last_sale));
  }
}

maybe take(const proto::RankingUpdate& p) {
  domain::ranking_update m;
  m.dates.reserve(static_cast<std::size_t>(p.dates_size()));
  for (const auto& d : p.dates()) {
    m.dates.push_back({d.date(), d.sold(), {}});
    if (!read_time(d.last_sale_ms(), m.dates.back().last_sale))
      return std::nullopt;
  }
  return m;
}

} // namespace

std::string encode(const publication& p) {
  proto::Publication out;
  std::visit([&](const auto& body) { put(body, out); }, p);
  return out.SerializeAsString();
}

std::optional<publication> decode_publication(std::string_view bytes) {
  proto::Publication in;
  if (!parse(bytes, in))
    return std::nullopt;
  switch (in.body_case()) {
  case proto::Publication::kBoardUpdate:
    return take(in.board_update());
  case proto::Publication::kBlockUpdate:
    return take(in.block_update());
  case proto::Publication::kEventPlaced:
    return take(in.event_placed());
  case proto::Publication::kEventRemoved:
    return take(in.event_removed());
  case proto::Publication::kReservationUpdate:
    return take(in.reservation_update());
  case proto::Publication::kCatalogueUpdate:
    return take(in.catalogue_update());
  case proto::Publication::kRankingUpdate:
    return take(in.ranking_update());
  case proto::Publication::BODY_NOT_SET:
    break;
  }
  return std::nullopt;
}

} // namespace sluice::codec
