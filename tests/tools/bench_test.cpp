// The load client's own arithmetic: a wrong ruler makes every figure wrong.
#include "sluice-bench/answer.hpp"
#include "sluice-bench/engine.hpp"
#include "sluice-bench/histogram.hpp"
#include "sluice-bench/schedule.hpp"
#include "sluice-bench/seat_book.hpp"
#include "sluice-bench/server_figures.hpp"
#include "tools/bench_stalling_server.hpp"

#include <catch2/catch.hpp>

#include <array>

using namespace sluice::bench;
using namespace std::chrono_literals;

namespace {

double ms(nanoseconds t) {
  return static_cast<double>(t.count()) / 1e6;
}

constexpr std::array<std::string_view, 1> get_name{"get"};

/// The same GET over and over.
struct get_load final : workload {
  std::span<const std::string_view> kinds() const override { return get_name; }

  step begin(lane_number, time_point) override { return step::send(0, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); }

  step answered(lane_number, const answer& a, time_point) override {
    return a.status == 200 ? step::finished() : step::failed();
  }
};

stage_figures against(std::uint16_t port, std::optional<schedule> plan, std::uint32_t connections = 4) {
  stage_settings s;
  s.to = target_from("127.0.0.1:" + std::to_string(port));
  s.connections = connections;
  s.length = 1s;
  s.plan = std::move(plan);
  get_load work;
  return run_stage(s, work);
}

} // namespace

TEST_CASE("histogram: quantiles are within one percent", "[tools][bench]") {
  histogram h;
  for (int i = 1; i <= 100'000; ++i)
    h.record(nanoseconds{i * 1'000});
  CHECK(h.count() == 100'000);
  for (double q : {0.01, 0.5, 0.95, 0.99, 0.999})
    CHECK(static_cast<double>(h.at(q).count()) == Approx(q * 1e8).epsilon(0.01));
  CHECK(h.max() == 100ms);
  CHECK(h.min() == 1us);
  CHECK(h.at(1) == 100ms);
  SECTION("small values are exact") {
    histogram small;
    for (int i = 0; i < 100; ++i)
      small.record(nanoseconds{i});
    CHECK(small.at(0.5).count() == 49);
    CHECK(small.at(0).count() == 0);
  }
  SECTION("two that were merged say what one would have said") {
    histogram a;
    histogram b;
    for (int i = 1; i <= 100'000; ++i)
      (i % 3 == 0 ? a : b).record(nanoseconds{i * 1'000});
    a.merge(b);
    CHECK(a.count() == h.count());
    CHECK(a.at(0.99) == h.at(0.99));
    CHECK(a.mean() == h.mean());
  }
  SECTION("what is too long to tell apart still counts, and the maximum is true") {
    h.record(std::chrono::hours{3});
    CHECK(h.count() == 100'001);
    CHECK(h.max() == std::chrono::hours{3});
  }
  SECTION("an empty one has nothing to say") {
    CHECK(histogram{}.at(0.99).count() == 0);
    CHECK(histogram{}.min().count() == 0);
  }
}

TEST_CASE("schedule: arrivals come when they are due", "[tools][bench]") {
  auto offsets = [](schedule s) {
    std::vector<nanoseconds> all;
    for (; auto at = s.next(); s.advance())
      all.push_back(*at);
    return all;
  };
  SECTION("a constant rate") {
    auto all = offsets(schedule::constant(1000, 1s));
    REQUIRE(all.size() == 1000);
    CHECK(all[0] == 0ns);
    CHECK(ms(all[1]) == Approx(1.0));
    CHECK(ms(all[999]) == Approx(999.0));
  }
  SECTION("threads share it without a gap or a double") {
    auto whole = offsets(schedule::constant(500, 1s));
    std::vector<nanoseconds> shares;
    for (unsigned t = 0; t < 3; ++t)
      for (auto at : offsets(schedule::constant(500, 1s).part(t, 3)))
        shares.push_back(at);
    std::sort(shares.begin(), shares.end());
    CHECK(shares == whole);
  }
  SECTION("a wave keeps the mean, and is denser at its top") {
    auto all = offsets(schedule::wave(1000, 0.8, 1s, 4s));
    CHECK(static_cast<double>(all.size()) == Approx(4000).epsilon(0.01));
    CHECK(std::is_sorted(all.begin(), all.end()));
    auto between = [&](nanoseconds from, nanoseconds to) {
      return std::count_if(all.begin(), all.end(), [&](auto at) { return at >= from && at < to; });
    };
    CHECK(between(200ms, 300ms) > 4 * between(700ms, 800ms));
  }
  SECTION("a burst is there at once") {
    auto all = offsets(schedule::burst(50));
    CHECK(all == std::vector<nanoseconds>(50));
  }
}

TEST_CASE("arrivals: who comes while the server stalls has waited since he was due", "[tools][bench]") {
  time_point start{};
  arrivals line{schedule::constant(100, 1s), start};
  line.advance(start);
  REQUIRE(line.count() == 1);
  CHECK(line.take() == start);
  // Nobody is served for 95 ms: nine more are due meanwhile.
  line.advance(start + 95ms);
  REQUIRE(line.count() == 9);
  std::vector<double> waited;
  while (line.waiting())
    waited.push_back(ms(start + 95ms - line.take()));
  CHECK(waited.front() == Approx(85));
  CHECK(waited.back() == Approx(5));
  CHECK(line.next_due() == start + 100ms);
}

TEST_CASE("engine: an open loop charges a stall to everybody who was due in it", "[tools][bench]") {
  stalling_server server{300ms, 300ms};
  SECTION("open loop") {
    auto f = against(server.port(), schedule::constant(500, 1s));
    CHECK(f.errors() == 0);
    CHECK(f.finished == 500);
    // Due in the first 200 ms of the stall: a fifth of all.
    auto slow = 1.0 - 0.2;
    CHECK(ms(f.units.at(slow - 0.05)) < 100);
    CHECK(ms(f.units.at(slow + 0.03)) > 90);
    CHECK(ms(f.units.max()) >= 250);
  }
  SECTION("a closed loop only sees the few who were on their way") {
    auto f = against(server.port(), std::nullopt);
    CHECK(f.finished > 500);
    CHECK(ms(f.units.max()) >= 250);
    CHECK(ms(f.units.at(0.98)) < 100);
  }
}

TEST_CASE("engine: a connection that breaks is counted, not forgotten", "[tools][bench]") {
  stalling_server server{300ms, 0ms, 10};
  auto f = against(server.port(), schedule::constant(200, 1s), 2);
  CHECK(f.broken > 0);
  CHECK(f.broken + f.finished >= 199);
  CHECK(f.connects > 2);
}

TEST_CASE("answer: read by searching", "[tools][bench]") {
  answer a;
  const std::string whole = "HTTP/1.1 201 Created\r\nDate: x\r\ncontent-length: 13\r\n\r\n{\"state\":\"A\"}";
  SECTION("whole, with what follows left alone") {
    REQUIRE(read_answer(whole + "HTTP/1.1 200", a) == reading::whole);
    CHECK(a.status == 201);
    CHECK(a.body == "{\"state\":\"A\"}");
    CHECK(a.size == whole.size());
    CHECK_FALSE(a.closes);
  }
  SECTION("every beginning of it asks for more") {
    for (std::size_t n = 0; n < whole.size(); ++n)
      CHECK(read_answer(std::string_view{whole}.substr(0, n), a) == reading::more);
  }
  SECTION("no body, and the connection ends") {
    REQUIRE(read_answer("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", a) == reading::whole);
    CHECK(a.status == 204);
    CHECK(a.body.empty());
    CHECK(a.closes);
  }
  SECTION("nonsense") {
    CHECK(read_answer("SSH-2.0-OpenSSH_9.2\r\n\r\n", a) == reading::nonsense);
    CHECK(read_answer("HTTP/1.1 abc\r\n\r\n", a) == reading::nonsense);
    CHECK(read_answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", a) == reading::nonsense);
  }
  SECTION("members by name, whole names only") {
    std::string_view json = R"({"tokenKind":"x","token":"abc","pollAfterMs":1250,"state":"WAITING"})";
    CHECK(text_field(json, "token") == "abc");
    CHECK(text_field(json, "state") == "WAITING");
    CHECK(text_field(json, "Kind").empty());
    CHECK(text_field(json, "pollAfterMs").empty());
    CHECK(number_field(json, "pollAfterMs") == 1250u);
    CHECK_FALSE(number_field(json, "token"));
    CHECK_FALSE(number_field(json, "none"));
  }
}

TEST_CASE("server figures: metrics are summed over their labels", "[tools][bench]") {
  auto m = read_metrics("# HELP a b\na{p=\"0\"} 1\na{p=\"1\"} 2.5\nprocess_resident_memory_bytes 1e+06\n");
  CHECK(m["a"] == 3.5);
  CHECK(m["process_resident_memory_bytes"] == 1e6);
  CHECK(slope({{0, 1}, {1, 3}, {2, 5}}) == Approx(2));
}

TEST_CASE("seat book: a seat told to two users is noticed", "[tools][bench]") {
  seat_book book;
  book.add({"A-1-1", "A-1-2"}, "ann");
  book.add_places("floor", 3);
  CHECK(book.sold() == 5);
  book.add({"A-1-2"}, "ann"); // the same answer once more
  CHECK(book.sold_twice().empty());
  book.add({"A-1-2"}, "bob");
  CHECK(book.sold_twice() == std::vector<std::string>{"A-1-2"});
}
