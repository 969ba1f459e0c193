#include "domain/outflow.hpp"
#include "support/property.hpp"

#include <deque>

using namespace sluice;
using namespace sluice::domain;
using namespace std::chrono_literals;

TEST_CASE("outflow: a second at 600 a minute lets ten through", "[domain][waiting_room]") {
  outflow flow;
  log_time now{};
  flow.configure(now, 600, 100);
  CHECK(flow.batch() == 1);
  CHECK(flow.available(now) == 1);
  flow.take(now, 1);
  int passed = 0;
  for (auto t = now; t < now + 1s; t += 10ms)
    if (auto n = flow.available(t)) {
      flow.take(t, n);
      passed += static_cast<int>(n);
    }
  CHECK(passed == 9); // the tenth comes exactly at the end of the second
  CHECK(flow.next(now + 999ms) == now + 1s);
}

TEST_CASE("outflow: an outage fills it no further than one batch", "[domain][waiting_room]") {
  outflow flow;
  flow.configure(log_time{}, 60'000, 100);
  flow.take(log_time{}, 100);
  CHECK(flow.available(log_time{} + std::chrono::hours{24 * 365}) == 100);
}

TEST_CASE("outflow: a new rate counts from when it was set, and refills nothing", "[domain][waiting_room]") {
  outflow flow;
  log_time now{};
  flow.configure(now, 60'000, 100);
  flow.take(now, 100);
  flow.configure(now, 6'000'000, 100);
  CHECK(flow.available(now) == 0);
  CHECK(flow.available(now + 1ms) == 100);
}

TEST_CASE("outflow: in any window at most rate times window plus one batch", "[domain][waiting_room][property]") {
  struct step {
    std::int64_t wait_ms;
    std::uint32_t want;
  };

  test::check_sequences<step>(
      1, 300,
      [](test::rng& r) {
        std::vector<step> steps(60);
        for (auto& s : steps)
          s = {static_cast<std::int64_t>(test::below(r, test::chance(r, 10) ? 5'000 : 50)),
               static_cast<std::uint32_t>(test::below(r, 500))};
        return steps;
      },
      [](const std::vector<step>& steps) -> std::optional<std::string> {
        for (std::uint32_t rate : {1u, 7u, 600u, 60'000u, 6'000'000u}) {
          outflow flow;
          log_time now{};
          flow.configure(now, rate, 100);
          std::vector<std::pair<std::int64_t, std::uint64_t>> passes;
          for (const auto& s : steps) {
            now += milliseconds{s.wait_ms};
            auto n = std::min(flow.available(now), s.want);
            flow.take(now, n);
            passes.emplace_back(to_ms(now), n);
          }
          for (std::size_t i = 0; i < passes.size(); ++i) {
            std::uint64_t sum = 0;
            for (auto j = i; j < passes.size(); ++j) {
              sum += passes[j].second;
              auto window = static_cast<std::uint64_t>(passes[j].first - passes[i].first);
              if (sum * 60'000 > std::uint64_t{rate} * window + std::uint64_t{flow.batch()} * 60'000)
                return "rate " + std::to_string(rate) + ": " + std::to_string(sum) + " in " + std::to_string(window) +
                       " ms";
            }
          }
        }
        return std::nullopt;
      },
      [](const step& s) { return "wait " + std::to_string(s.wait_ms) + " ms, want " + std::to_string(s.want); });
}
