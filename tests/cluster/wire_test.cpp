// Replicas' messages as bytes: what goes in comes out, and nothing a peer sends does harm.
#include "cluster/wire.hpp"

#include <catch2/catch.hpp>

#include <random>

namespace sluice::wire {

namespace {

using namespace raft;

membership three() {
  return {{{1}, {2}, {3}}, {{4}}};
}

std::shared_ptr<const std::string> bytes(std::string text) {
  return std::make_shared<const std::string>(std::move(text));
}

bool same(const entry& a, const entry& b) {
  return a.index == b.index && a.term == b.term && a.kind == b.kind && bool(a.payload) == bool(b.payload) &&
         (!a.payload || *a.payload == *b.payload) && bool(a.members) == bool(b.members) &&
         (!a.members || *a.members == *b.members);
}

append_request full_request() {
  append_request m{7, 41, 6, 40, 99, {}};
  m.entries.push_back({42, 6, entry_kind::commands, bytes(std::string("a\0b", 3)), nullptr});
  m.entries.push_back({43, 7, entry_kind::noop, nullptr, nullptr});
  m.entries.push_back({44, 7, entry_kind::members, nullptr, std::make_shared<const membership>(three())});
  m.entries.push_back({45, 7, entry_kind::commands, bytes(""), nullptr});
  return m;
}

std::vector<message> all_kinds() {
  return {vote_request{5, 10, 4, true, true},
          vote_reply{5, true, true},
          full_request(),
          append_reply{7, true, 45, 41, 3, 2, 1, 99, standing::rejoining},
          snapshot_offer{7, {100, 6, three(), bytes("12")}, 3},
          snapshot_reply{7, 100, true, 3, true},
          timeout_now{9},
          read_request{9, 4},
          read_reply{9, 4, 77, 78}};
}

template <class Message>
Message through(const Message& m) {
  auto back = decode_raft(encode_raft(m));
  REQUIRE(back);
  REQUIRE(std::holds_alternative<Message>(*back));
  return std::get<Message>(*back);
}

} // namespace

TEST_CASE("wire: requests keep every field of their entries", "[cluster][wire]") {
  auto sent = full_request();
  auto got = through(sent);
  CHECK(got.term == sent.term);
  CHECK(got.prev_index == sent.prev_index);
  CHECK(got.prev_term == sent.prev_term);
  CHECK(got.commit == sent.commit);
  CHECK(got.round == sent.round);
  REQUIRE(got.entries.size() == sent.entries.size());
  for (std::size_t i = 0; i < sent.entries.size(); ++i)
    CHECK(same(got.entries[i], sent.entries[i]));
}

TEST_CASE("wire: answers, votes, offers and reads keep every field", "[cluster][wire]") {
  auto vote = through(vote_request{5, 10, 4, true, true});
  CHECK((vote.term == 5 && vote.last_index == 10 && vote.last_term == 4 && vote.pre_vote && vote.transfer));
  auto voted = through(vote_reply{5, true, true});
  CHECK((voted.term == 5 && voted.granted && voted.pre_vote));
  auto reply = through(append_reply{7, true, 45, 41, 3, 2, 1, 99, standing::rejoining});
  CHECK((reply.term == 7 && reply.success && reply.match == 45 && reply.accepted_prev == 41));
  CHECK((reply.rejected_prev == 3 && reply.conflict_term == 2 && reply.conflict_first == 1 && reply.round == 99));
  CHECK(reply.standing == standing::rejoining);
  auto offer = through(snapshot_offer{7, {100, 6, three(), bytes("12")}, 3});
  CHECK((offer.term == 7 && offer.round == 3 && offer.snapshot.index == 100 && offer.snapshot.term == 6));
  CHECK(offer.snapshot.members == three());
  CHECK(*offer.snapshot.manifest == "12");
  auto installed = through(snapshot_reply{7, 100, true, 3, true});
  CHECK((installed.term == 7 && installed.index == 100 && installed.installed && installed.failed));
  CHECK(through(timeout_now{9}).term == 9);
  CHECK(through(read_request{9, 4}).id == 4);
  auto read = through(read_reply{9, 4, 77, 78});
  CHECK((read.term == 9 && read.id == 4 && read.index == 77 && read.last == 78));
}

TEST_CASE("wire: damaged bytes are refused or are some other message, never a crash", "[cluster][wire]") {
  std::mt19937_64 dice{20};
  for (const auto& m : all_kinds()) {
    auto good = encode_raft(m);
    for (std::size_t length = 0; length < good.size(); ++length)
      decode_raft(std::string_view{good}.substr(0, length));
    for (int i = 0; i < 2'000; ++i) {
      auto bad = good;
      for (auto flips = 1 + dice() % 4; flips > 0; --flips)
        bad[dice() % bad.size()] = static_cast<char>(dice());
      if (auto decoded = decode_raft(bad))
        encode_raft(*decoded);
    }
  }
  CHECK_FALSE(decode_raft(""));
  CHECK_FALSE(decode_raft("\xFF\xFF\xFF"));
}

} // namespace sluice::wire
