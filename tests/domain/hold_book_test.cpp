#include "domain/hold_book.hpp"
#include "support/property.hpp"

#include <map>

using namespace sluice;
using namespace sluice::domain;

namespace {

hold_id numbered(std::uint64_t n) {
  hold_id id;
  id.bytes[18] = static_cast<std::uint8_t>(n >> 8);
  id.bytes[19] = static_cast<std::uint8_t>(n);
  return id;
}

area_hold of(std::string user) {
  return {std::move(user), 1, {}, 0};
}

} // namespace

TEST_CASE("hold_book: does what a map does", "[domain][area]") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    test::rng r{seed};
    hold_book book;
    std::map<hold_id, area_hold> naive;
    for (int i = 0; i < 2'000; ++i) {
      auto id = numbered(test::below(r, 400));
      auto user = "user" + std::to_string(test::below(r, 9));
      const auto* known = book.find(id);
      REQUIRE((known != nullptr) == naive.contains(id));
      switch (test::below(r, 4)) {
      case 0:
      case 1:
        REQUIRE(book.add(id, of(user)) == naive.emplace(id, of(user)).second);
        break;
      case 2:
        if (known != nullptr) {
          REQUIRE(book.take(id) == naive.at(id));
          naive.erase(id);
        }
        break;
      default:
        if (auto* h = book.change(id))
          naive.at(id).user = h->user = user;
      }
      if (i % 500 == 0)
        book.take_changed();
    }
    std::map<hold_id, area_hold> all;
    for (const auto& chunk : book.chunks())
      if (chunk)
        all.insert(chunk->begin(), chunk->end());
    CHECK(all == naive);
  }
}

TEST_CASE("hold_book: what a checkpoint holds does not change under it", "[domain][area]") {
  hold_book book;
  auto other = hold_book::chunk_count; // the same chunk as 0, and another hold
  book.add(numbered(0), of("alice"));
  book.add(numbered(1), of("bob"));
  auto taken = book.take_changed();
  REQUIRE(taken.size() == 2);
  book.add(numbered(other), of("carol"));
  book.change(numbered(0))->fence = 7;
  CHECK(taken[0].second->size() == 1);
  CHECK(taken[0].second->at(numbered(0)).fence == 0);
  auto again = book.take_changed();
  REQUIRE(again.size() == 1); // only what changed since is written again
  CHECK(again[0].first == taken[0].first);
  CHECK(again[0].second->size() == 2);
  CHECK(book.take_changed().empty());
}

TEST_CASE("hold_book: the last hold of a chunk leaves it empty, which is told", "[domain][area]") {
  hold_book book;
  book.add(numbered(5), of("alice"));
  book.take_changed();
  book.take(numbered(5));
  auto taken = book.take_changed();
  REQUIRE(taken.size() == 1);
  CHECK(taken[0].second->empty());
  CHECK(book == hold_book{});
}
