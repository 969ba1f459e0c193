#include "codec/fact.hpp"
#include "codec/message.hpp"

#include <catch2/catch.hpp>

#include <random>

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

std::vector<message> one_of_each() {
  auto admission = filled<admission_id>(3);
  auto hold = filled<hold_id>(40);
  auto reservation = filled<reservation_id>(80);
  idempotency once{"key", {1, ~0ull}};
  event_definition d;
  d.id = "demo";
  d.name = "Demo";
  d.sale_opens_at = wall_time_from_ms(-5);
  d.categories = {{"a", "A", 1'000'000'000'000}};
  d.sections = {{"s", "S", {{"b", "B", {{"1", {{"b-1", "1", 0}}}}}}}};
  d.areas = {{"f", "F", 0, 10}};
  admission_patch patch;
  patch.batch_ms = 0;
  return {pulse{},
          define_event{d, 7, "root"},
          control_event{event_action::say, "hello", true, "root"},
          set_admission{patch, "root"},
          join{"김"},
          leave{"a", {7}},
          claim_turn{"a", {7}, admission},
          complete_visit{"a", {7}},
          ask_ticket{"a", {7}},
          count_received{9},
          request_hold{once, admission, hold, {{{1}, false, {0, 5}, 0}, {{2}, true, {}, 3}}},
          extend_hold{admission, hold, "r"},
          release_hold{admission, hold},
          pay_hold{once, admission, hold, reservation, payment_method::card, "4242"},
          cancel_reservation{reservation},
          charge_settled{reservation, charge_step::capture, 3, charge_outcome::unknown, "WHY"},
          ask_hold{hold},
          ask_reservation{reservation},
          ask_reservations{},
          found_cluster{"c", std::string("\0\xff", 2), "h"},
          register_event{"demo"},
          event_summary{{1}, "demo", "Demo", "Hall", wall_time_from_ms(1), "UTC", true},
          add_key{"n", "h", key_role::operator_},
          remove_key{"n"},
          sold_count{{1}, 2, "2027-01-01", 3, wall_time_from_ms(4)}};
}

} // namespace

TEST_CASE("codec: every message that crosses a log comes back as it was", "[codec]") {
  for (const auto& m : one_of_each()) {
    auto bytes = codec::encode(m);
    auto back = codec::decode_message(bytes);
    REQUIRE(back);
    CHECK(back->index() == m.index());
    CHECK(codec::encode(*back) == bytes);
    CHECK(codec::describe_message(bytes).size() > 2);
  }
}

TEST_CASE("codec: an unfit message is refused, whatever its bytes", "[codec]") {
  CHECK_FALSE(codec::decode_message(""));
  std::mt19937_64 r{1};
  for (const auto& m : one_of_each()) {
    auto bytes = codec::encode(m);
    for (int i = 0; i < 200; ++i) {
      auto bent = bytes;
      if (!bent.empty())
        bent[r() % bent.size()] = static_cast<char>(r());
      bent.resize(r() % (bent.size() + 1));
      if (auto back = codec::decode_message(bent)) // whatever still reads as a message can be written again
        CHECK_NOTHROW(codec::encode(*back));
    }
  }
}

TEST_CASE("codec: no card number is shown to people", "[codec]") {
  pay_hold m;
  m.method = payment_method::card;
  m.card = "4242424242424242";
  CHECK(codec::describe_message(codec::encode(message{m})).find("4242") == std::string::npos);
}

TEST_CASE("codec: facts come back as they were", "[codec]") {
  auto hold = filled<hold_id>(9);
  std::vector<fact> all{event_changed{"open", 1, 2, "root"},
                        user_joined{{3}, "alice"},
                        users_admitted{{{1}, {2}}},
                        turn_claimed{{4}},
                        ticket_ended{{5}, ticket_state::expired},
                        stock_defined{{1}, 100, 3},
                        stock_moved{{2}, hold, stock_move::confirmed, {1, 2}, 0},
                        reservation_moved{filled<reservation_id>(1), hold, "a", reservation_state::failed, 2, -5, "X"}};
  for (const auto& f : all) {
    auto bytes = codec::encode(f);
    auto back = codec::decode_fact(bytes);
    REQUIRE(back);
    CHECK(back->index() == f.index());
    CHECK(codec::encode(*back) == bytes);
  }
}
