#include "codec/fact.hpp"
#include "codec/message.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
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

node_entry a_node() {
  return {{3}, "a", "10.0.0.1:7070", "10.0.0.1:8080", 1ull << 63, 2, node_role::bridge, node_state::draining, "1.2", 4};
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
          define_event{d, 7, "root", "r1"},
          control_event{event_action::say, "hello", true, "root", "r2"},
          set_admission{patch, "root", "r3"},
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
          register_event{"demo", "r4"},
          event_summary{{1}, "demo", "Demo", "Hall", wall_time_from_ms(1), "UTC", true, "root"},
          add_key{"n", "h", key_role::operator_, "r5", "root"},
          remove_key{"n", "r6", "root"},
          sold_count{{1}, 2, "2027-01-01", 3, wall_time_from_ms(4)},
          found_cluster{"c", "keys", "h", a_node()},
          add_join_token{"h", wall_time_from_ms(5), "a", "root", "r7"},
          join_cluster{"h", "b", "10.0.0.2:7070", "10.0.0.2:8080", ~0ull, node_role::bridge, "1.2", 3},
          announce_node{{2}, "b", "10.0.0.2:7070", "10.0.0.2:8080", 7, node_role::member, "1.2", 3},
          change_node{"b", node_state::draining, "root", "r8"},
          set_replication{5, "root", "r9"},
          activate_feature{4, "root", "r10"},
          note_deed{"leader moved", "3", "to b", "root", "r12"},
          control_event{event_action::drain, {}, false, "root", "r11"}};
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

TEST_CASE("codec: an operator's request keeps its id", "[codec]") {
  std::vector<std::string> ids;
  for (const auto& m : one_of_each())
    std::visit(
        [&](const auto& body) {
          if constexpr (requires { body.request_id; })
            ids.push_back(body.request_id);
        },
        *codec::decode_message(codec::encode(m)));
  for (const char* id : {"r1", "r2", "r3", "r4", "r5", "r6"})
    CHECK(std::count(ids.begin(), ids.end(), id) == 1);
}

TEST_CASE("codec: of the commands about nodes no field is lost", "[codec]") {
  auto back = [](const message& m) { return *codec::decode_message(codec::encode(m)); };
  CHECK(std::get<found_cluster>(back(found_cluster{"c", "keys", "h", a_node()})).first == a_node());
  CHECK_FALSE(std::get<found_cluster>(back(found_cluster{"c", "keys", "h"})).first);
  found_cluster anew{"c", "keys", "h"};
  anew.epoch = 3;
  anew.last_event = {17};
  CHECK(std::get<found_cluster>(back(anew)).epoch == 3);
  CHECK(std::get<found_cluster>(back(anew)).last_event == event_number{17});
  auto token = std::get<add_join_token>(back(add_join_token{"h", wall_time_from_ms(5), "a", "root"}));
  CHECK(token.expires == wall_time_from_ms(5));
  CHECK(token.replaces == "a");
  auto joining = std::get<join_cluster>(back(join_cluster{"h", "b", "p:1", "w:2", ~0ull, node_role::bridge, "1.2", 3}));
  CHECK(joining.token_hash == "h");
  CHECK(joining.name == "b");
  CHECK(joining.peer_address == "p:1");
  CHECK(joining.http_address == "w:2");
  CHECK(joining.disk == ~0ull);
  CHECK(joining.role == node_role::bridge);
  CHECK(joining.version == "1.2");
  CHECK(joining.feature_level == 3);
  CHECK(std::get<announce_node>(back(announce_node{{2}, "b", "p:1", "w:2", 7, node_role::member, "", 0})).id ==
        node_id{2});
  CHECK(std::get<change_node>(back(change_node{"b", node_state::removed, "root"})).state == node_state::removed);
  CHECK(std::get<set_replication>(back(set_replication{5, "root"})).factor == 5);
  CHECK(std::get<activate_feature>(back(activate_feature{4, "root"})).level == 4);
  SECTION("and none of a later version is guessed at") {
    auto unknown = a_node();
    unknown.state = static_cast<node_state>(4);
    CHECK_FALSE(codec::decode_message(codec::encode(message{found_cluster{"c", "keys", "h", unknown}})));
    CHECK_FALSE(codec::decode_message(codec::encode(message{change_node{"b", unknown.state, "root"}})));
    join_cluster other;
    other.role = static_cast<node_role>(3);
    CHECK_FALSE(codec::decode_message(codec::encode(message{other})));
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
                        cluster_changed{"key added", "desk", "viewer", "root"},
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
