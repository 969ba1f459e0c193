#include "http/serving_board.hpp"
#include "support/property.hpp"

#include <set>

using namespace sluice;
using namespace sluice::http;

TEST_CASE("serving_board: positions are exact, whoever leaves", "[http][board][property]") {
  struct step {
    enum { more, gone, serve } what;

    std::uint32_t n;
  };

  test::check_sequences<step>(
      1, 200,
      [](test::rng& r) {
        std::vector<step> steps(80);
        for (auto& s : steps) {
          auto pick = test::below(r, 100);
          s.what = pick < 30 ? step::more : pick < 85 ? step::gone : step::serve;
          s.n = static_cast<std::uint32_t>(s.what == step::more ? test::below(r, 3'000) : test::below(r, 20'000));
        }
        return steps;
      },
      [](const std::vector<step>& steps) -> std::optional<std::string> {
        serving_board board;
        domain::board_update u;
        std::set<std::uint32_t> gone;
        log_index version = 0;
        for (const auto& s : steps) {
          u.gone.clear();
          switch (s.what) {
          case step::more:
            u.last_ticket.value += s.n;
            break;
          case step::gone:
            if (s.n <= u.now_serving.value || s.n > u.last_ticket.value)
              continue;
            u.gone.push_back({s.n});
            gone.insert(s.n);
            break;
          case step::serve:
            u.now_serving.value = std::max(u.now_serving.value, std::min(s.n, u.last_ticket.value));
            break;
          }
          board.apply(++version, u, {}, {});
          for (std::uint32_t t : {u.now_serving.value, u.now_serving.value + 1, u.now_serving.value + 4'095,
                                  u.last_ticket.value, s.n, s.n / 2, u.last_ticket.value + 1}) {
            if (t == 0)
              continue;
            auto known = board.users_ahead({t});
            bool waits = t > u.now_serving.value && t <= u.last_ticket.value && !gone.contains(t);
            if (known.has_value() != waits)
              return "ticket " + std::to_string(t) + " is " + (waits ? "waiting" : "not waiting");
            if (!waits)
              continue;
            std::uint32_t ahead = 0;
            for (auto i = u.now_serving.value + 1; i < t; ++i)
              ahead += !gone.contains(i);
            if (*known != ahead)
              return "ticket " + std::to_string(t) + " has " + std::to_string(ahead) + " ahead, not " +
                     std::to_string(*known);
          }
        }
        return std::nullopt;
      },
      [](const step& s) {
        return std::string{s.what == step::more   ? "join "
                           : s.what == step::gone ? "gone "
                                                  : "serve "} +
               std::to_string(s.n);
      });
}

TEST_CASE("serving_board: a late update of an old leader changes nothing, a new leader's full one everything",
          "[http][board]") {
  serving_board board;
  domain::board_update u;
  u.last_ticket = {10};
  u.waiting = 10;
  u.gone = {{3}};
  board.apply(100, u, {}, {});
  auto old = u;
  old.waiting = 7;
  old.gone = {};
  board.apply(99, old, {}, {});
  CHECK(board.figures().waiting == 10);
  u.full = true;
  u.gone = {{4}};
  board.apply(99, u, {}, {}); // held up on its way: whoever leads now has said more
  CHECK_FALSE(board.users_ahead({3}));
  board.apply(100, u, {}, {}); // a new leader knows all that was ever published
  CHECK(board.users_ahead({3}) == 2u);
  CHECK_FALSE(board.users_ahead({4}));
}
