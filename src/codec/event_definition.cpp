#include "codec/event_definition.hpp"

namespace sluice::codec {

namespace {

void encode(const domain::block_definition& from, proto::Block& to) {
  to.set_id(from.id);
  to.set_name(from.name);
  for (const auto& row : from.rows) {
    auto& r = *to.add_rows();
    r.set_id(row.id);
    for (const auto& seat : row.seats) {
      auto& s = *r.add_seats();
      s.set_id(seat.id);
      s.set_number(seat.number);
      s.set_category(seat.category);
    }
  }
}

domain::block_definition decode(const proto::Block& from) {
  domain::block_definition block{from.id(), from.name(), {}};
  for (const auto& r : from.rows()) {
    domain::row_definition row{r.id(), {}};
    row.seats.reserve(static_cast<std::size_t>(r.seats_size()));
    for (const auto& s : r.seats())
      row.seats.push_back({s.id(), s.number(), s.category()});
    block.rows.push_back(std::move(row));
  }
  return block;
}

} // namespace

void encode(const domain::admission_settings& from, proto::AdmissionSettings& to) {
  to.set_users_per_minute(from.users_per_minute);
  to.set_max_active_users(from.max_active_users);
  to.set_active_ttl_seconds(from.active_ttl_seconds);
  to.set_claim_window_seconds(from.claim_window_seconds);
  to.set_waiting_ttl_seconds(from.waiting_ttl_seconds);
  to.set_batch_ms(from.batch_ms);
  to.set_max_waiting_users(from.max_waiting_users);
}

domain::admission_settings decode(const proto::AdmissionSettings& from) {
  return {from.users_per_minute(),    from.max_active_users(), from.active_ttl_seconds(), from.claim_window_seconds(),
          from.waiting_ttl_seconds(), from.batch_ms(),         from.max_waiting_users()};
}

void encode(const domain::event_definition& from, proto::EventDefinition& to) {
  to.set_id(from.id);
  to.set_name(from.name);
  to.set_venue(from.venue);
  to.set_starts_at_ms(to_ms(from.starts_at));
  to.set_time_zone(from.time_zone);
  to.set_local_date(from.local_date);
  if (from.sale_opens_at)
    to.set_sale_opens_at_ms(to_ms(*from.sale_opens_at));
  if (from.sale_closes_at)
    to.set_sale_closes_at_ms(to_ms(*from.sale_closes_at));
  to.set_currency(from.currency);
  for (const auto& category : from.categories) {
    auto& c = *to.add_categories();
    c.set_id(category.id);
    c.set_name(category.name);
    c.set_price(category.price);
  }
  for (const auto& section : from.sections) {
    auto& s = *to.add_sections();
    s.set_id(section.id);
    s.set_name(section.name);
    for (const auto& block : section.blocks)
      encode(block, *s.add_blocks());
  }
  for (const auto& area : from.areas) {
    auto& a = *to.add_areas();
    a.set_id(area.id);
    a.set_name(area.name);
    a.set_category(area.category);
    a.set_capacity(area.capacity);
  }
  encode(from.admission, *to.mutable_admission());
  to.set_hold_ttl_seconds(from.hold_ttl_seconds);
  to.set_hold_extensions_max(from.hold_extensions_max);
  to.set_limit_per_user(from.limit_per_user);
  to.set_payment_window_seconds(from.payment_window_seconds);
  to.set_keep_active_after_booking(from.keep_active_after_booking);
  to.set_identity(static_cast<std::uint32_t>(from.identity));
}

domain::event_definition decode(const proto::EventDefinition& from) {
  domain::event_definition d;
  d.id = from.id();
  d.name = from.name();
  d.venue = from.venue();
  d.starts_at = wall_time_from_ms(from.starts_at_ms());
  d.time_zone = from.time_zone();
  d.local_date = from.local_date();
  if (from.has_sale_opens_at_ms())
    d.sale_opens_at = wall_time_from_ms(from.sale_opens_at_ms());
  if (from.has_sale_closes_at_ms())
    d.sale_closes_at = wall_time_from_ms(from.sale_closes_at_ms());
  d.currency = from.currency();
  for (const auto& c : from.categories())
    d.categories.push_back({c.id(), c.name(), c.price()});
  for (const auto& s : from.sections()) {
    domain::section_definition section{s.id(), s.name(), {}};
    for (const auto& b : s.blocks())
      section.blocks.push_back(decode(b));
    d.sections.push_back(std::move(section));
  }
  for (const auto& a : from.areas())
    d.areas.push_back({a.id(), a.name(), a.category(), a.capacity()});
  d.admission = decode(from.admission());
  d.hold_ttl_seconds = from.hold_ttl_seconds();
  d.hold_extensions_max = from.hold_extensions_max();
  d.limit_per_user = from.limit_per_user();
  d.payment_window_seconds = from.payment_window_seconds();
  d.keep_active_after_booking = from.keep_active_after_booking();
  d.identity = static_cast<domain::identity_mode>(from.identity());
  return d;
}

void encode(const domain::admission_patch& from, proto::AdmissionPatch& to) {
  if (from.users_per_minute)
    to.set_users_per_minute(*from.users_per_minute);
  if (from.max_active_users)
    to.set_max_active_users(*from.max_active_users);
  if (from.active_ttl_seconds)
    to.set_active_ttl_seconds(*from.active_ttl_seconds);
  if (from.claim_window_seconds)
    to.set_claim_window_seconds(*from.claim_window_seconds);
  if (from.waiting_ttl_seconds)
    to.set_waiting_ttl_seconds(*from.waiting_ttl_seconds);
  if (from.batch_ms)
    to.set_batch_ms(*from.batch_ms);
  if (from.max_waiting_users)
    to.set_max_waiting_users(*from.max_waiting_users);
}

domain::admission_patch decode(const proto::AdmissionPatch& from) {
  domain::admission_patch patch;
  if (from.has_users_per_minute())
    patch.users_per_minute = from.users_per_minute();
  if (from.has_max_active_users())
    patch.max_active_users = from.max_active_users();
  if (from.has_active_ttl_seconds())
    patch.active_ttl_seconds = from.active_ttl_seconds();
  if (from.has_claim_window_seconds())
    patch.claim_window_seconds = from.claim_window_seconds();
  if (from.has_waiting_ttl_seconds())
    patch.waiting_ttl_seconds = from.waiting_ttl_seconds();
  if (from.has_batch_ms())
    patch.batch_ms = from.batch_ms();
  if (from.has_max_waiting_users())
    patch.max_waiting_users = from.max_waiting_users();
  return patch;
}

} // namespace sluice::codec
