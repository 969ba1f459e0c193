#include "codec/reply.hpp"
#include "sluice/reply.pb.h"
#include "support/damage.hpp"

#include <catch2/catch.hpp>

#include <set>

using namespace sluice;
using namespace sluice::domain;

namespace {

template <class Id>
Id filled(std::uint8_t from) {
  Id id;
  for (auto& b : id.bytes)
    b = from++;
  return id;
}

wall_time at(std::int64_t ms) {
  return wall_time_from_ms(1'800'000'000'000 + ms);
}

std::vector<priced_part> two_parts() {
  return {{{1}, false, {{0, 2, 5'000}, {19'999, 0, 0}}, 0, 0, 0}, {{3}, true, {}, 4, 1, 1'000'000'000'000}};
}

reservation_reply a_reservation(reservation_state state) {
  return {filled<reservation_id>(80),
          filled<hold_id>(40),
          state,
          "CAPTURE_REFUSED",
          two_parts(),
          4'000'000'005'000,
          "EUR",
          at(1),
          at(2)};
}

std::vector<reply> one_of_each() {
  return {done{},
          refusal{errc::seat_not_available, "sold 좌석", {{{1}, 0}, {{2}, 7}}},
          ticket_reply{{4'294'967'295}, ticket_state::expired, true, at(5)},
          visit_reply{{7}, filled<admission_id>(3), at(6), at(7)},
          hold_reply{filled<hold_id>(40), two_parts(), 4'000'000'005'000, "KRW", at(8), 299'999},
          a_reservation(reservation_state::failed),
          reservations_reply{{a_reservation(reservation_state::stuck), a_reservation(reservation_state::paying)}},
          event_reply{{9}, 10, true},
          registered_reply{{11}, {4095}, true},
          joined_reply{{12}, 13, 5}};
}

template <class Change>
std::string changed(const reply& from, Change&& change) {
  proto::Reply p;
  REQUIRE(p.ParseFromString(codec::encode(from)));
  change(p);
  return p.SerializeAsString();
}

} // namespace

TEST_CASE("codec: every reply comes back as it was", "[codec][reply]") {
  std::set<std::size_t> kinds;
  for (const auto& r : one_of_each()) {
    kinds.insert(r.index());
    auto back = codec::decode_reply(codec::encode(r));
    REQUIRE(back);
    CHECK(*back == r);
  }
  CHECK(kinds.size() == std::variant_size_v<reply>);
  CHECK(codec::decode_reply(codec::encode(reservations_reply{})) == reply{reservations_reply{}});
}

TEST_CASE("codec: every reason and state has a wire form", "[codec][reply]") {
  int reasons = 0;
  for (int n = 0; n <= 255; ++n) {
    auto e = static_cast<errc>(n);
    bool known = e == errc::internal || code_of(e) != "INTERNAL";
    reasons += known;
    CHECK(codec::decode_reply(codec::encode(refusal{e, {}, {}})).has_value() == known);
    auto s = static_cast<reservation_state>(n);
    CHECK(codec::decode_reply(codec::encode(a_reservation(s))).has_value() == (word_of(s) != "UNKNOWN"));
    auto t = static_cast<ticket_state>(n);
    CHECK(codec::decode_reply(codec::encode(ticket_reply{{1}, t, false, at(0)})).has_value() ==
          (word_of(t) != "UNKNOWN"));
  }
  CHECK(reasons > 60);
}

TEST_CASE("codec: a damaged reply is refused or still a reply", "[codec][reply]") {
  for (const auto& r : one_of_each())
    test::damage(codec::encode(r), [](std::string_view bytes) {
      if (auto back = codec::decode_reply(bytes))
        CHECK(codec::decode_reply(codec::encode(*back)) == back);
    });
}

TEST_CASE("codec: a reply that makes no sense is refused", "[codec][reply]") {
  auto refuses = [](const reply& from, auto change) { return !codec::decode_reply(changed(from, change)); };
  auto all = one_of_each();
  auto unchanged = [](proto::Reply&) {};
  CHECK_FALSE(refuses(all[1], unchanged));

  // an enum's value beyond a byte must not be taken for the one its low byte names
  CHECK(refuses(all[1], [](auto& p) { p.mutable_refusal()->set_why(256 + 10); }));
  CHECK(refuses(all[1], [](auto& p) { p.mutable_refusal()->set_why(200); }));
  CHECK(refuses(all[1], [](auto& p) { p.mutable_refusal()->add_seats(1); }));
  CHECK(refuses(all[1], [](auto& p) { p.mutable_refusal()->set_blocks(0, 0); }));
  CHECK(refuses(all[2], [](auto& p) { p.mutable_ticket()->set_ticket(0); }));
  CHECK(refuses(all[2], [](auto& p) { p.mutable_ticket()->set_state(7); }));
  CHECK(refuses(all[2], [](auto& p) { p.mutable_ticket()->set_state(256 + 1); }));
  CHECK(refuses(all[2], [](auto& p) { p.mutable_ticket()->set_ends_ms(INT64_MAX); }));
  CHECK(refuses(all[3], [](auto& p) { p.mutable_visit()->set_id("short"); }));
  CHECK(refuses(all[3], [](auto& p) { p.mutable_visit()->set_claimed_ms(INT64_MIN); }));
  CHECK(refuses(all[4], [](auto& p) { p.mutable_hold()->clear_hold(); }));
  CHECK(refuses(all[4], [](auto& p) { p.mutable_hold()->set_expires_in_ms(-1); }));
  CHECK(refuses(all[4], [](auto& p) { p.mutable_hold()->mutable_parts(0)->set_block(0); }));
  CHECK(refuses(all[4], [](auto& p) { p.mutable_hold()->mutable_parts(0)->clear_seats(); }));
  CHECK(refuses(all[4], [](auto& p) { p.mutable_hold()->mutable_parts(1)->set_quantity(0); }));
  CHECK(refuses(all[5], [](auto& p) { p.mutable_reservation()->set_state(4); }));
  CHECK(refuses(all[5], [](auto& p) { p.mutable_reservation()->set_reservation(std::string(21, 'x')); }));
  CHECK(refuses(all[6], [](auto& p) { p.mutable_reservations()->mutable_reservations(1)->clear_hold(); }));
  CHECK(refuses(all[7], [](auto& p) { p.mutable_event()->set_number(0); }));
  CHECK(refuses(all[8], [](auto& p) { p.mutable_registered()->set_slot(slot_count); }));
  CHECK(refuses(all[8], [](auto& p) { p.mutable_registered()->set_slot(65'536 + 1); }));
  CHECK(refuses(all[9], [](auto& p) { p.mutable_joined()->set_node(0); }));
  CHECK(refuses(all[0], [](auto& p) { p.Clear(); }));
}
