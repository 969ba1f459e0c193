// How fast a checkpoint moves, and what compression gives. Not part of the default run: storage_tests '[measure]' -s
#include "store_fixture.hpp"

#include "codec/event.hpp"
#include "codec/session.hpp"
#include "core/packed_bytes.hpp"
#include "storage/snapshot_sink.hpp"
#include "storage/snapshot_source.hpp"
#include "support/group.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <random>
#include <thread>

#include <time.h>

using namespace sluice;
using namespace sluice::test;

namespace {

using clock_type = std::chrono::steady_clock;

double seconds_since(clock_type::time_point began) {
  return std::chrono::duration<double>(clock_type::now() - began).count();
}

/// Of this thread: what others do on the machine does not count.
double cpu_seconds() {
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

constexpr double mib = 1024 * 1024;
constexpr partition_id here{0};
constexpr node_id peer{2};

/// As an identity provider would make them: 32 hexadecimal digits with nothing in common.
std::string opaque_user(std::mt19937_64& r) {
  static const char digits[] = "0123456789abcdef";
  std::string user(32, ' ');
  for (auto& c : user)
    c = digits[r() % 16];
  return user;
}

std::vector<std::string> line_of(std::uint32_t tickets, bool opaque) {
  std::mt19937_64 r{1};
  group g;
  g.define(group::two_blocks_and_a_floor());
  auto ref = entity_ref::of_event(group::number);
  for (std::uint32_t t = 0; t < tickets; ++t) {
    g.pass(milliseconds{r() % 4});
    g.run(ref, join{opaque ? opaque_user(r) : "user-" + std::to_string(100'000 + r() % 900'000)});
  }
  std::vector<std::string> pieces;
  for (const auto& p : codec::save_all(g.the_event()))
    if (p.bytes)
      pieces.push_back(p.bytes());
  return pieces;
}

std::vector<std::string> some_sessions(std::uint32_t count) {
  group g;
  g.define(group::two_blocks_and_a_floor());
  std::vector<std::string> pieces;
  for (std::uint32_t s = 0; s < count; ++s) {
    auto user = "user-" + std::to_string(s);
    auto id = g.admit(user);
    g.hold(user, id, static_cast<std::uint8_t>(s + 1), {group::seats(1, {s})});
    for (const auto& p : codec::save_all(g.of(user)))
      if (p.bytes)
        pieces.push_back(p.bytes());
  }
  return pieces;
}

/// Bytes before and after, and how long packing and unpacking took, for pieces gathered as a chunk gathers them.
void weigh(const char* what, const std::vector<std::string>& pieces) {
  std::vector<std::string> chunks{{}};
  std::uint32_t number = 0;
  for (const auto& p : pieces) {
    if (!chunks.back().empty() && chunks.back().size() + p.size() > chunk_bytes_max)
      chunks.emplace_back();
    append_piece(chunks.back(), entity_ref::of_event({1}), number++, p);
  }
  double before = 0;
  double after = 0;
  double packing = 0;
  double unpacking = 0;
  for (const auto& c : chunks) {
    auto began = cpu_seconds();
    auto packed = pack(c);
    packing += cpu_seconds() - began;
    began = cpu_seconds();
    auto unpacked = unpack(packed, chunk_unpacked_max);
    unpacking += cpu_seconds() - began;
    REQUIRE(unpacked == c);
    before += static_cast<double>(c.size());
    after += static_cast<double>(packed.size());
  }
  WARN(what << ": " << before / mib << " MiB to " << after / mib << " (" << 100 * after / before << " %), packed at "
            << before / mib / packing << " MiB a CPU second, unpacked at " << before / mib / unpacking);
}

/// Log syncs of another partition, one after the other, until told to stop.
class other_traffic {
public:
  explicit other_traffic(log_store& store) : thread_{[this, &store] { run(store); }} {}

  std::string stop() {
    stopping_ = true;
    thread_.join();
    std::sort(took_.begin(), took_.end());
    auto at = [&](double share) {
      return took_[static_cast<std::size_t>(share * static_cast<double>(took_.size() - 1))];
    };
    return std::to_string(took_.size()) + " syncs, ms p50 " + std::to_string(at(0.5)) + ", p99 " +
           std::to_string(at(0.99)) + ", max " + std::to_string(at(1));
  }

private:
  void run(log_store& store) {
    for (log_index i = 1; !stopping_; ++i) {
      auto began = clock_type::now();
      store.write({append({1}, {entry(i, std::string(2'000, 'x'))})});
      took_.push_back(1'000 * seconds_since(began));
      std::this_thread::sleep_for(std::chrono::milliseconds{2});
    }
  }

  std::atomic<bool> stopping_{false};
  std::vector<double> took_;
  std::thread thread_;
};

} // namespace

TEST_CASE("measure: what compression gives for a line of 100 000", "[.][measure]") {
  weigh("line, users like user-123456", line_of(100'000, false));
  weigh("line, users of 32 random digits", line_of(100'000, true));
  weigh("sessions with a hold", some_sessions(10));
}

TEST_CASE("measure: a checkpoint of 1 GiB moves from one store to another", "[.][measure]") {
  auto line = line_of(100'000, true);
  auto sessions = some_sessions(10);
  temp_folder from;
  temp_folder to;
  rocks_settings settings;
  settings.folder = from.path();
  auto source_store = std::make_unique<rocks_store>(settings);
  std::size_t bytes = 0;
  std::uint32_t number = 0;
  std::vector<piece_write> batch;
  for (std::uint32_t user = 0; bytes < 1024 * mib; ++number) { // three quarters line, the rest sessions and facts
    bytes += line[number % line.size()].size();
    batch.push_back({entity_ref::of_event({1}), number, line[number % line.size()]});
    for (std::size_t s = 0; s < 60; ++s, ++user) {
      bytes += sessions[s % sessions.size()].size();
      batch.push_back({entity_ref::of_session({1}, std::to_string(user)), 0, sessions[s % sessions.size()]});
    }
    source_store->put_pieces(here, 1, batch);
    batch.clear();
    for (log_index f = 0; f < 40; ++f, bytes += 400)
      source_store->append_feed(here, 1 + number * 40 + f,
                                sessions[0] + std::string(400 - sessions[0].size() % 400, 'f'));
  }
  source_store->flush();
  source_store->write({commit(here, 1, number * 40)});

  settings.folder = to.path();
  rocks_store follower{settings};
  {
    other_traffic alone{follower};
    std::this_thread::sleep_for(std::chrono::seconds{5});
    WARN("log of another partition beside nothing: " << alone.stop());
  }
  other_traffic beside{follower};
  snapshot_source source{*source_store};
  REQUIRE(source.open(peer, here, 1, host_time{}) == pinning::pinned);
  follower.write({attempt(here, 1)});
  auto began = clock_type::now();
  auto cpu_began = cpu_seconds();
  double reading = 0;
  std::size_t chunks = 0;
  std::size_t packed = 0;
  double slowest = 0;
  for (chunk_place at{here, 1, {}};; ++chunks) {
    auto read_began = clock_type::now();
    auto chunk = source.read(peer, at, chunk_bytes_max, host_time{});
    reading += seconds_since(read_began);
    slowest = std::max(slowest, seconds_since(read_began));
    REQUIRE(chunk);
    REQUIRE(apply_chunk(follower, at, 1, *chunk));
    packed += chunk->bytes.size();
    if (chunk->next.empty())
      break;
    at.position = chunk->next;
  }
  auto applied = seconds_since(began);
  follower.flush();
  follower.write({install(here, 1, number * 40)});
  auto all = seconds_since(began);
  WARN(static_cast<double>(bytes) / mib << " MiB in " << chunks << " chunks, " << static_cast<double>(packed) / mib
                                        << " MiB on the wire: read in " << reading << " s (slowest chunk "
                                        << 1'000 * slowest << " ms), applied after " << applied << " s and "
                                        << cpu_seconds() - cpu_began << " s of CPU, in force after " << all << " s");
  WARN("log of another partition beside it: " << beside.stop());
  CHECK(all < 30);
}
