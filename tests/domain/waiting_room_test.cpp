#include "domain/waiting_room.hpp"
#include "support/property.hpp"

#include <deque>
#include <map>

using namespace sluice;
using namespace sluice::domain;
using namespace std::chrono_literals;

namespace {

admission_settings settings(std::uint32_t rate, std::uint32_t cap) {
  admission_settings s;
  s.users_per_minute = rate;
  s.max_active_users = cap;
  return s;
}

admission_id capability(std::uint8_t n) {
  admission_id id;
  id.bytes[0] = n;
  return id;
}

} // namespace

TEST_CASE("waiting_room: the first pass at once, the rest wait in order", "[domain][waiting_room]") {
  waiting_room room;
  log_time now{};
  room.configure(now, settings(60'000, 2));
  CHECK(room.join("a", now, true).passed_at_once);
  CHECK(room.join("b", now, true).passed_at_once);
  CHECK_FALSE(room.join("c", now, true).passed_at_once);
  CHECK_FALSE(room.join("d", now, true).passed_at_once);
  CHECK(room.promote(now).empty()); // the cap holds

  SECTION("a freed slot goes to the next in line at once") {
    room.end({1}, ticket_state::completed);
    CHECK(room.promote(now) == std::vector<ticket_number>{{3}});
  }
  SECTION("who leaves the line is skipped, and told to the board") {
    room.end({3}, ticket_state::left);
    CHECK(room.take_gone() == std::vector<ticket_number>{{3}});
    room.end({2}, ticket_state::completed);
    CHECK(room.promote(now) == std::vector<ticket_number>{{4}});
  }
  SECTION("nobody passes one who waits, even when a slot is free") {
    room.end({1}, ticket_state::completed);
    CHECK_FALSE(room.join("e", now, true).passed_at_once);
  }
}

TEST_CASE("waiting_room: a second join gives the same ticket while it lives", "[domain][waiting_room]") {
  waiting_room room;
  log_time now{};
  room.configure(now, settings(60'000, 1));
  room.join("a", now, true);
  auto first = room.join("b", now, true);
  auto again = room.join("b", now + 1min, true);
  CHECK(again.ticket == first.ticket);
  CHECK_FALSE(again.created);
  room.end(first.ticket, ticket_state::left);
  auto anew = room.join("b", now + 2min, true);
  CHECK(anew.created);
  CHECK(anew.ticket.value == 3); // at the tail: leaving gives the place up
}

TEST_CASE("waiting_room: a turn not claimed in time is lost, and the slot is free", "[domain][waiting_room]") {
  waiting_room room;
  log_time now{};
  room.configure(now, settings(60'000, 1));
  room.join("a", now, true);
  room.join("b", now, true);
  CHECK(room.next_deadline(now, true) == now + 120s);
  CHECK(room.expire(now + 120s - 1ms).empty());
  auto ended = room.expire(now + 120s);
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].ticket.value == 1);
  CHECK_FALSE(ended[0].was_active);
  CHECK(room.promote(now + 120s) == std::vector<ticket_number>{{2}});
}

TEST_CASE("waiting_room: a claim starts the visit, a repeated one changes nothing", "[domain][waiting_room]") {
  waiting_room room;
  entry_time now{log_time{}, wall_time_from_ms(5'000)};
  room.configure(now.log, settings(60'000, 1));
  room.join("a", now.log, true);
  auto v = room.claim({1}, now, capability(1));
  CHECK(v.expires_at == now.wall + 600s);
  now.log += 1min;
  now.wall += 1min;
  CHECK(room.claim({1}, now, capability(2)) == v);
  auto ended = room.expire(log_time{} + 600s);
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].was_active);
}

TEST_CASE("waiting_room: whoever waited a day is let go", "[domain][waiting_room]") {
  waiting_room room;
  log_time now{};
  room.configure(now, settings(1, 1));
  room.join("a", now, false);
  room.join("b", now + 1s, false);
  CHECK(room.expire(now + 24h - 1ms).empty());
  CHECK(room.expire(now + 24h).size() == 1);
  CHECK(room.count().waiting == 1);
}

TEST_CASE("waiting_room: agrees with a naive line", "[domain][waiting_room][property]") {
  struct step {
    enum { joins, leaves, completes, claims, waits, caps, rates } what;

    std::uint64_t n;
  };

  constexpr std::array<const char*, 7> words{"join u", "leave u", "complete u", "claim u", "wait ms ", "cap ", "rate "};
  test::check_sequences<step>(
      1, 400,
      [](test::rng& r) {
        std::vector<step> steps(150);
        for (auto& s : steps) {
          auto pick = test::below(r, 100);
          s.what = pick < 45   ? step::joins
                   : pick < 52 ? step::leaves
                   : pick < 62 ? step::completes
                   : pick < 75 ? step::claims
                   : pick < 96 ? step::waits
                   : pick < 98 ? step::caps
                               : step::rates;
          s.n = s.what == step::waits   ? test::below(r, test::chance(r, 10) ? 200'000 : 300)
                : s.what == step::caps  ? 1 + test::below(r, 10)
                : s.what == step::rates ? 60 + test::below(r, 60'000)
                                        : test::below(r, 30);
        }
        return steps;
      },
      [](const std::vector<step>& steps) -> std::optional<std::string> {
        waiting_room room;
        entry_time now{log_time{}, wall_time{}};
        auto current = settings(6'000, 5);
        room.configure(now.log, current);

        // The model: everybody in one list, with what they are and until when.
        struct person {
          std::string user;
          ticket_state state;
          log_time until;
        };

        std::vector<person> line;
        auto find = [&](const std::string& user) -> int {
          for (int i = static_cast<int>(line.size()) - 1; i >= 0; --i)
            if (line[static_cast<std::size_t>(i)].user == user)
              return i;
          return -1;
        };
        auto inside = [&] {
          std::size_t n = 0;
          for (const auto& p : line)
            n += p.state == ticket_state::admitted || p.state == ticket_state::active;
          return n;
        };
        auto let_in = [&](ticket_number t) -> bool {
          for (std::uint32_t i = 0; i + 1 < t.value; ++i)
            if (line[i].state == ticket_state::waiting)
              return false; // somebody was passed
          auto& p = line[t.value - 1];
          if (p.state != ticket_state::waiting || inside() >= current.max_active_users)
            return false;
          p.state = ticket_state::admitted;
          p.until = now.log + 120s;
          return true;
        };
        for (const auto& s : steps) {
          auto user = "u" + std::to_string(s.n);
          for (auto& p : line)
            if (!is_terminal(p.state) && p.until <= now.log)
              p.state = ticket_state::expired;
          room.expire(now.log);
          auto at = find(user);
          auto ticket = ticket_number{static_cast<std::uint32_t>(at + 1)};
          bool live = at >= 0 && !is_terminal(line[static_cast<std::size_t>(at)].state);
          switch (s.what) {
          case step::joins: {
            auto joined = room.join(user, now.log, true);
            if (joined.created == live)
              return "join " + user + ": created " + std::to_string(joined.created);
            if (joined.created)
              line.push_back({user, ticket_state::waiting, now.log + 24h});
            if (joined.ticket.value != static_cast<std::uint32_t>(find(user) + 1))
              return "join " + user + " gives ticket " + std::to_string(joined.ticket.value);
            if (joined.passed_at_once && !let_in(joined.ticket))
              return user + " passed at once, but others wait or the cap is reached";
            break;
          }
          case step::leaves:
          case step::completes:
            if (live && (s.what == step::leaves || line[static_cast<std::size_t>(at)].state != ticket_state::waiting)) {
              auto to = s.what == step::leaves ? ticket_state::left : ticket_state::completed;
              room.end(ticket, to);
              line[static_cast<std::size_t>(at)].state = to;
            }
            break;
          case step::claims:
            if (live && line[static_cast<std::size_t>(at)].state == ticket_state::admitted) {
              room.claim(ticket, now, capability(1));
              line[static_cast<std::size_t>(at)].state = ticket_state::active;
              line[static_cast<std::size_t>(at)].until = now.log + 600s;
            }
            break;
          case step::waits:
            now.log += milliseconds{s.n};
            now.wall += milliseconds{s.n};
            continue;
          case step::caps:
            current.max_active_users = static_cast<std::uint32_t>(s.n);
            room.configure(now.log, current);
            break;
          case step::rates:
            current.users_per_minute = static_cast<std::uint32_t>(s.n);
            room.configure(now.log, current);
            break;
          }
          for (auto t : room.promote(now.log))
            if (!let_in(t))
              return "ticket " + std::to_string(t.value) + " was let through out of turn or beyond the cap";
          std::uint32_t waiting = 0;
          for (std::uint32_t i = 0; i < line.size(); ++i) {
            if (room.book().state_of({i + 1}) != line[i].state)
              return "ticket " + std::to_string(i + 1) + " is " + std::string{word_of(room.book().state_of({i + 1}))} +
                     ", not " + std::string{word_of(line[i].state)};
            waiting += line[i].state == ticket_state::waiting;
          }
          if (room.count().waiting != waiting || room.active() != inside())
            return "the counts are wrong";
        }
        return std::nullopt;
      },
      [&](const step& s) { return words[s.what] + std::to_string(s.n); });
}
