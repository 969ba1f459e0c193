#include "domain/ticket_book.hpp"
#include "support/property.hpp"

#include <map>

using namespace sluice;
using namespace sluice::domain;

TEST_CASE("ticket_book: tickets are dense, and lead to their users and back", "[domain][waiting_room]") {
  ticket_book book{7};
  for (std::uint32_t i = 1; i <= 20'000; ++i)
    REQUIRE(book.append("user-" + std::to_string(i), log_time{} + milliseconds{i}).value == i);
  CHECK(book.last().value == 20'000);
  for (std::uint32_t i = 1; i <= 20'000; i += 37) {
    CHECK(book.find("user-" + std::to_string(i)).value == i);
    CHECK(book.user_of({i}) == "user-" + std::to_string(i));
    CHECK(book.joined({i}) == log_time{} + milliseconds{i});
  }
  CHECK_FALSE(book.find("nobody"));
}

TEST_CASE("ticket_book: a line may be open for years", "[domain][waiting_room]") {
  ticket_book book;
  auto after = [](int days) { return log_time{} + std::chrono::hours{24} * days; };
  std::vector<int> days{0, 1, 49, 50, 51, 400, 400, 4'000};
  for (auto d : days)
    book.append("u" + std::to_string(book.last().value), after(d));
  for (std::uint32_t t = 1; t <= days.size(); ++t)
    CHECK(book.joined({t}) == after(days[t - 1]));
}

TEST_CASE("ticket_book: a user's new ticket takes the old one's place in the index", "[domain][waiting_room]") {
  ticket_book book;
  auto first = book.append("alice", {});
  book.set_state(first, ticket_state::left);
  auto second = book.append("alice", {});
  CHECK(book.find("alice") == second);
  CHECK(book.state_of(first) == ticket_state::left);
}

TEST_CASE("ticket_book: what a checkpoint holds does not change under it", "[domain][waiting_room]") {
  ticket_book book;
  for (int i = 0; i < 5'000; ++i)
    book.append("u" + std::to_string(i), {});
  auto taken = book.take_changed();
  REQUIRE(taken.size() == 2);
  auto before = *taken[0].second;
  book.set_state({1}, ticket_state::left);
  book.append("late", {});
  CHECK(*taken[0].second == before);
  auto again = book.take_changed();
  CHECK(again.size() == 2); // both chunks changed, and only they are written again
  CHECK(book.take_changed().empty());
}

TEST_CASE("ticket_book: restored chunks make the same book", "[domain][waiting_room]") {
  ticket_book book{3};
  for (int i = 0; i < 9'000; ++i)
    book.append("u" + std::to_string(i % 8'000), {}); // a thousand came twice
  ticket_book restored{3};
  for (const auto& chunk : book.chunks())
    restored.restore(std::make_shared<ticket_chunk>(*chunk));
  CHECK(restored.last() == book.last());
  for (int i = 0; i < 8'000; ++i)
    REQUIRE(restored.find("u" + std::to_string(i)) == book.find("u" + std::to_string(i)));
}

TEST_CASE("ticket_book: a ticket costs little more than the user's id", "[domain][waiting_room]") {
  ticket_book book;
  constexpr std::size_t count = 200'000;
  std::size_t ids = 0;
  for (std::size_t i = 0; i < count; ++i) {
    auto user = "customer-" + std::to_string(i);
    ids += user.size();
    book.append(user, {});
  }
  CHECK((book.bytes() - ids) / count <= 40);
}

TEST_CASE("ticket_book: agrees with a map", "[domain][waiting_room][property]") {
  struct step {
    std::string user;
    bool end;
  };

  test::check_sequences<step>(
      1, 100,
      [](test::rng& r) {
        std::vector<step> steps(400);
        for (auto& s : steps)
          s = {"u" + std::to_string(test::below(r, 60)), test::chance(r, 30)};
        return steps;
      },
      [](const std::vector<step>& steps) -> std::optional<std::string> {
        ticket_book book{99};
        std::map<std::string, std::uint32_t> latest;
        std::uint32_t next = 0;
        for (const auto& s : steps) {
          auto known = latest.find(s.user);
          auto found = book.find(s.user);
          if (found.value != (known == latest.end() ? 0 : known->second))
            return "find(" + s.user + ") gives " + std::to_string(found.value);
          if (s.end && found)
            book.set_state(found, ticket_state::left);
          else
            latest[s.user] = ++next, book.append(s.user, {});
        }
        return std::nullopt;
      },
      [](const step& s) { return s.user + (s.end ? " ends" : " joins"); });
}
