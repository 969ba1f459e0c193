#include "codec/event.hpp"
#include "codec/publication.hpp"
#include "sluice/publication.pb.h"
#include "support/damage.hpp"

#include <catch2/catch.hpp>

#include <set>

using namespace sluice;
using namespace sluice::domain;

namespace {

wall_time at(std::int64_t ms) {
  return wall_time_from_ms(1'800'000'000'000 + ms);
}

std::shared_ptr<const placed_event> a_plan() {
  event_definition d;
  d.id = "demo";
  d.name = "Demo";
  d.venue = "Hall";
  d.starts_at = at(1);
  d.time_zone = "Europe/Berlin";
  d.local_date = "2027-01-15";
  d.sale_opens_at = at(-2);
  d.sale_closes_at = at(-1);
  d.currency = "KRW";
  d.categories = {{"front", "Front", 1'000'000'000'000}, {"back", "Back", 0}};
  d.sections = {{"s", "S", {{"b", "B", {{"1", {{"b-1", "1", 0}, {"b-2", "2", 1}}}}}}}};
  d.areas = {{"f", "F", 1, 10'000'000}};
  d.admission = {1, 2, 5, 3, 10, 20, 30};
  d.hold_ttl_seconds = 61;
  d.hold_extensions_max = 3;
  d.limit_per_user = 5;
  d.payment_window_seconds = 77;
  d.keep_active_after_booking = true;
  d.identity = identity_mode::anonymous;
  std::vector<placed_block> blocks{
      // a seat that is no longer sold may be of a category that is no more
      {{1}, "b", "B", "s", false, 0, 0, false, {{"b-1", "1", "1", 0, false}, {"b-0", "1", "0", 9, true}}},
      {{2}, "f", "F", "", true, 1, 10'000'000, false, {}},
      {{3}, "old", "Old", "", true, 9, 0, true, {}}};
  return std::make_shared<const placed_event>(placed_event{{7}, 12, d, blocks, {"back", "front"}});
}

board_update a_board() {
  board_update u;
  u.event = {7};
  u.full = true;
  u.phase = event_phase::queueing;
  u.now_serving = {100};
  u.last_ticket = {4'294'967'295};
  u.waiting = 3;
  u.active = 4;
  u.admitted_total = 1ull << 40;
  u.completed_total = 1ull << 39;
  u.sold = 1ull << 38;
  u.revenue = -5;
  u.admission = {1, 2, 5, 3, 10, 20, 30};
  u.text = "공연이 곧 시작됩니다";
  u.gone = {{101}, {102}, {4'294'967'295}, {1}};
  u.waits_ms = {0, 1, 4'294'967'295};
  return u;
}

reservation_reply a_reservation() {
  reservation_reply r;
  r.reservation.bytes.fill(8);
  r.hold.bytes.fill(9);
  r.state = reservation_state::refund_pending;
  r.reason = "REFUND_REFUSED";
  r.parts = {{{1}, false, {{3, 1, 5}}, 0, 0, 0}};
  r.amount = 5;
  r.currency = "EUR";
  r.created = at(3);
  r.changed = at(4);
  return r;
}

catalogue_update a_catalogue() {
  node_entry node{{2},   "b", "10.0.0.2:7000", "10.0.0.2:8080", ~0ull, 3, node_role::bridge, node_state::draining,
                  "1.2", 4};
  return {true,
          "cluster",
          2,
          std::string("\0\xff", 2),
          {{{7}, "demo", {4095}, true, "Demo", "Hall", at(1), "UTC"}},
          {{"admin", "hash", key_role::admin}},
          {node},
          5,
          6};
}

std::vector<publication> one_of_each() {
  return {a_board(),
          block_update{{7}, {2}, true, {1, 2, 3, 4}, {{0, seat_status::available}, {1, seat_status::blocked}}},
          event_placed{a_plan()},
          event_removed{{4'294'967'295}},
          reservation_update{{7}, a_reservation(), "김"},
          a_catalogue(),
          ranking_update{{{"2027-01-15", 1ull << 40, at(5)}, {"2027-01-16", 1, at(6)}}}};
}

template <class Change>
std::string changed(const publication& from, Change&& change) {
  proto::Publication p;
  REQUIRE(p.ParseFromString(codec::encode(from)));
  change(p);
  return p.SerializeAsString();
}

} // namespace

TEST_CASE("codec: every publication comes back as it was", "[codec][publication]") {
  std::set<std::size_t> kinds;
  for (const auto& p : one_of_each()) {
    kinds.insert(p.index());
    auto back = codec::decode_publication(codec::encode(p));
    REQUIRE(back);
    CHECK(*back == p);
  }
  CHECK(kinds.size() == std::variant_size_v<publication>);
}

TEST_CASE("codec: some seats of a block keep their numbers", "[codec][publication]") {
  block_update some{{7}, {2}, false, {1, 2, 3, 4}, {{3, seat_status::held}, {999'999, seat_status::pinned}}};
  CHECK(codec::decode_publication(codec::encode(some)) == publication{some});
  some.seats = {{1, seat_status::confirmed}};
  CHECK(codec::decode_publication(codec::encode(some)) == publication{some});
  some.seats.clear();
  CHECK(codec::decode_publication(codec::encode(some)) == publication{some});
}

TEST_CASE("codec: boards and blocks are small on the wire", "[codec][publication]") {
  board_update board = a_board();
  board.gone.clear();
  for (std::uint32_t t = 3'000'000; t < 3'100'000; ++t)
    board.gone.push_back({t});
  CHECK(codec::encode(board).size() < 101'000);
  block_update block{{7}, {2}, true, {20'000, 0, 0, 0}, {}};
  for (seat_index s = 0; s < 20'000; ++s)
    block.seats.emplace_back(s, seat_status::available);
  CHECK(codec::encode(block).size() < 20'100);
}

TEST_CASE("codec: a damaged publication is refused or still a publication", "[codec][publication]") {
  for (const auto& p : one_of_each())
    test::damage(codec::encode(p), [](std::string_view bytes) {
      if (auto back = codec::decode_publication(bytes))
        CHECK(codec::decode_publication(codec::encode(*back)) == back);
    });
}

TEST_CASE("codec: a publication that names what no machine has is refused", "[codec][publication]") {
  auto refuses = [](const publication& from, auto change) { return !codec::decode_publication(changed(from, change)); };
  auto all = one_of_each();
  CHECK_FALSE(refuses(all[0], [](auto&) {}));

  CHECK(refuses(all[0], [](auto& p) { p.mutable_board_update()->set_event(0); }));
  CHECK(refuses(all[0], [](auto& p) { p.mutable_board_update()->set_phase(2); }));
  CHECK(refuses(all[0], [](auto& p) { p.mutable_board_update()->set_phase(256 + 3); }));
  CHECK(refuses(all[0], [](auto& p) { p.mutable_board_update()->set_last_ticket(99); }));
  // a bridge would set memory aside for a ticket that was never given out
  CHECK(refuses(all[0], [](auto& p) {
    p.mutable_board_update()->set_last_ticket(200);
    p.mutable_board_update()->clear_gone_steps();
    p.mutable_board_update()->add_gone_steps(201);
  }));
  CHECK(refuses(all[0], [](auto& p) { p.mutable_board_update()->set_gone_steps(0, 0); }));
  CHECK(refuses(all[0], [](auto& p) { p.mutable_board_update()->set_gone_steps(1, INT64_MAX); }));
  CHECK(refuses(all[0], [](auto& p) { p.mutable_board_update()->set_gone_steps(1, INT64_MIN); }));

  CHECK(refuses(all[1], [](auto& p) { p.mutable_block_update()->set_block(0); }));
  CHECK(refuses(all[1], [](auto& p) { p.mutable_block_update()->set_block(100'001); }));
  CHECK(refuses(all[1], [](auto& p) { p.mutable_block_update()->set_statuses("\5"); }));
  CHECK(refuses(all[1], [](auto& p) { p.mutable_block_update()->set_statuses("\x80"); }));
  CHECK(refuses(all[1], [](auto& p) { p.mutable_block_update()->add_seats(0); }));
  CHECK(refuses(all[1], [](auto& p) { p.mutable_block_update()->set_statuses(std::string(1'000'001, '\0')); }));
  CHECK(refuses(all[1], [](auto& p) {
    p.mutable_block_update()->add_seats(0);
    p.mutable_block_update()->add_seats(1'000'000);
  }));

  auto plan = [](auto& p) { return p.mutable_event_placed()->mutable_event(); };
  CHECK(refuses(all[2], [&](auto& p) { plan(p)->set_number(0); }));
  CHECK(refuses(all[2], [&](auto& p) { plan(p)->mutable_blocks(1)->set_number(1); }));
  CHECK(refuses(all[2], [&](auto& p) { plan(p)->mutable_blocks(1)->set_category(2); }));
  CHECK(refuses(all[2], [&](auto& p) { plan(p)->mutable_blocks(0)->mutable_seats(0)->set_category(2); }));
  CHECK(refuses(all[2], [&](auto& p) { plan(p)->mutable_definition()->mutable_areas(0)->set_category(2); }));
  CHECK(refuses(all[2], [&](auto& p) {
    plan(p)
        ->mutable_definition()
        ->mutable_sections(0)
        ->mutable_blocks(0)
        ->mutable_rows(0)
        ->mutable_seats(1)
        ->set_category(2);
  }));
  CHECK(refuses(all[2], [&](auto& p) { plan(p)->mutable_definition()->set_identity(2); }));
  CHECK(refuses(all[2], [&](auto& p) { plan(p)->mutable_definition()->set_sale_opens_at_ms(INT64_MAX); }));
  CHECK(refuses(all[2], [](auto& p) { p.mutable_event_placed()->clear_event(); }));

  CHECK(refuses(all[3], [](auto& p) { p.mutable_event_removed()->clear_event(); }));

  CHECK(refuses(all[4], [](auto& p) { p.mutable_reservation_update()->set_event(0); }));
  CHECK(refuses(all[4], [](auto& p) { p.mutable_reservation_update()->clear_reservation(); }));
  CHECK(refuses(all[4], [](auto& p) { p.mutable_reservation_update()->mutable_reservation()->set_state(0); }));

  CHECK(refuses(all[5], [](auto& p) { p.mutable_catalogue_update()->mutable_events(0)->set_slot(slot_count); }));
  CHECK(refuses(all[5], [](auto& p) { p.mutable_catalogue_update()->mutable_events(0)->set_number(0); }));
  CHECK(refuses(all[5], [](auto& p) { p.mutable_catalogue_update()->mutable_keys(0)->set_role(256 + 1); }));
  CHECK(refuses(all[5], [](auto& p) { p.mutable_catalogue_update()->mutable_nodes(0)->set_id(0); }));
  CHECK(refuses(all[5], [](auto& p) { p.mutable_catalogue_update()->mutable_nodes(0)->set_state(4); }));
  CHECK(refuses(all[5], [](auto& p) {
    for (int i = 0; i < 1'000; ++i)
      p.mutable_catalogue_update()->add_keys()->set_role(1);
  }));

  CHECK(refuses(all[6], [](auto& p) { p.mutable_ranking_update()->mutable_dates(0)->set_last_sale_ms(INT64_MIN); }));
  CHECK(refuses(all[6], [](auto& p) { p.Clear(); }));
}

TEST_CASE("codec: a plan written before categories had numbers has those of its definition", "[codec]") {
  proto::PlacedEvent written;
  codec::encode(*a_plan(), written);
  CHECK(codec::decode(written)->categories == a_plan()->categories);
  written.clear_categories();
  CHECK(codec::decode(written)->categories == std::vector<std::string>{"front", "back"});
}
