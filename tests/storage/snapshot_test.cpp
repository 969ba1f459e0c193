// A checkpoint goes to another replica in chunks, and arrives as exactly what it was when it was pinned.
#include "store_fixture.hpp"

#include "core/packed_bytes.hpp"
#include "storage/snapshot_sink.hpp"
#include "storage/snapshot_source.hpp"
#include "support/property.hpp"

#include <algorithm>
#include <map>
#include <set>

using namespace sluice;
using namespace sluice::test;
using namespace std::chrono_literals;

namespace {

constexpr partition_id here{3};
constexpr node_id peer{2};
constexpr std::uint64_t own_number = 7; // of the receiving replica

using image = std::map<entity_ref, std::map<std::uint32_t, std::string>>;

std::string some_bytes(rng& r, std::size_t size) {
  std::string bytes(size, '\0');
  bool text = chance(r, 50); // or not to be compressed
  for (auto& b : bytes)
    b = text ? static_cast<char>('a' + below(r, 3)) : static_cast<char>(r());
  return bytes;
}

/// A leader with a life: checkpoints, one of them cut short, pieces that change and go.
class leader {
public:
  explicit leader(std::uint64_t seed) : dice_{seed} {
    for (event_number event : {event_number{4}, event_number{5}}) {
      entities_.push_back(entity_ref::of_event(event));
      for (std::uint32_t b = 1; b <= 20; ++b)
        entities_.push_back(b % 2 ? entity_ref::of_seat_block(event, {b}) : entity_ref::of_area(event, {b}));
      for (int u = 0; u < 300; ++u)
        entities_.push_back(entity_ref::of_session(event, "user " + std::to_string(below(dice_, 1'000))));
    }
    std::sort(entities_.begin(), entities_.end());
    for (int i = 0; i < 3; ++i)
      checkpoint();
  }

  /// Changes some of everything, and puts that in force.
  void checkpoint() {
    std::map<std::pair<entity_ref, std::uint32_t>, std::optional<std::string>> changes;
    for (int i = 0; i < 400; ++i) {
      const auto& of = entities_[below(dice_, entities_.size())];
      auto piece = static_cast<std::uint32_t>(of.kind == entity_kind::session ? 0 : below(dice_, 40));
      auto size = below(dice_, 100) == 0 ? 400'000 : below(dice_, 9'000);
      changes[{of, piece}] = chance(dice_, 15) ? std::nullopt : std::make_optional(some_bytes(dice_, size));
    }
    std::vector<piece_write> pieces;
    for (auto& [at, bytes] : changes)
      pieces.push_back({at.first, at.second, bytes});
    if (chance(dice_, 40)) { // one that is cut short
      disk.store->write({attempt(here, ++number)});
      disk.store->put_pieces(here, number, {{entities_[1], 0, "never in force"}});
    }
    for (int i = 0; i < 150; ++i) {
      feed[++index] = some_bytes(dice_, below(dice_, 3'000));
      disk.store->append_feed(here, index, feed[index]);
    }
    take_checkpoint(*disk.store, here, ++number, index, pieces);
    std::vector<std::pair<entity_ref, std::uint32_t>> written;
    for (const auto& p : pieces) {
      written.emplace_back(p.of, p.number);
      if (p.bytes)
        state[p.of][p.number] = *p.bytes;
      else
        state[p.of].erase(p.number);
    }
    if (chance(dice_, 50)) // it may come late
      disk.store->clean(here, written);
    disk.store->append_feed(here, index + 1, "facts of an entry behind the checkpoint");
  }

  /// A group ends with the next checkpoint.
  void forget(event_number event) {
    auto b = commit(here, ++number, ++index);
    b.forgotten = {event};
    disk.store->write({b});
    std::erase_if(state, [&](const auto& entity) { return entity.first.event == event; });
  }

  const std::vector<entity_ref>& entities() const { return entities_; }

  shaky_store disk;
  image state;
  std::map<log_index, std::string> feed;
  std::uint64_t number = 0;
  log_index index = 0;

private:
  rng dice_;
  std::vector<entity_ref> entities_;
};

image image_in(log_store& store, const std::vector<entity_ref>& entities) {
  image found;
  for (const auto& of : entities)
    for (auto& [number, bytes] : store.load(here, of))
      found[of][number] = std::move(bytes);
  return found;
}

image without_empty(image i) {
  std::erase_if(i, [](const auto& entity) { return entity.second.empty(); });
  return i;
}

std::map<log_index, std::string> feed_in(log_store& store) {
  std::map<log_index, std::string> found;
  store.scan_feed(here, 0, [&](log_index index, std::string_view record) {
    found.emplace(index, record);
    return true;
  });
  return found;
}

struct sent {
  chunk_place at;
  snapshot_chunk chunk;
};

/// All chunks, in order; `between` runs before each read.
std::vector<sent> read_all(
    snapshot_source& source, std::uint64_t number, std::size_t bytes_max = chunk_bytes_min,
    const std::function<void()>& between = [] {}) {
  std::vector<sent> all;
  chunk_place at{here, number, {}};
  do {
    between();
    auto chunk = source.read(peer, at, bytes_max, host_time{});
    REQUIRE(chunk);
    all.push_back({at, *chunk});
    at.position = chunk->next;
  } while (!at.position.empty());
  return all;
}

/// What the host of a follower does once all chunks are there.
void put_in_force(log_store& store, const checkpoint_record& theirs) {
  store.flush();
  log_batch b;
  b.partition = here;
  b.install = install_record{theirs};
  b.install->checkpoint.number = own_number;
  store.write({b});
}

} // namespace

TEST_CASE("snapshot: a checkpoint arrives as it was pinned, while the leader goes on", "[storage]") {
  auto seed = GENERATE(1u, 2u, 3u);
  CAPTURE(seed);
  leader l{seed};
  snapshot_source source{*l.disk.store};
  REQUIRE(source.open(peer, here, l.number, host_time{}) == pinning::pinned);
  auto pinned = without_empty(l.state);
  auto facts = l.feed;
  auto number = l.number;
  auto index = l.index;

  shaky_store follower;
  // It has a past of its own, which ends here.
  auto stranger = entity_ref::of_session({4}, "user of another time");
  take_checkpoint(*follower.store, here, 2, 9, {{stranger, 0, "old"}, {l.entities()[0], 77, "old"}});
  follower.store->write({attempt(here, own_number)});

  int reads = 0;
  auto chunks = read_all(source, number, chunk_bytes_min, [&] {
    if (++reads % 8 == 0)
      l.checkpoint();
    if (reads == 8)
      l.forget({4});
  });
  CHECK(chunks.size() > 20);
  CHECK(l.number > number + 3);
  for (const auto& s : chunks)
    REQUIRE(apply_chunk(*follower.store, s.at, own_number, s.chunk));
  CHECK(follower.store->load(here, stranger).size() == 1); // not yet
  CHECK((feed_in(*follower.store) == facts));
  auto record = source.record_of(peer, here, number);
  REQUIRE(record);
  CHECK(record->index == index);
  CHECK(record->record == "record-" + std::to_string(number));
  CHECK(record->members == "members");
  put_in_force(*follower.store, *record);
  follower.cut_power();

  CHECK((image_in(*follower.store, l.entities()) == pinned));
  CHECK(follower.store->load(here, stranger).empty());
  auto found = follower.store->recover(here);
  CHECK_FALSE(found.damage);
  CHECK(found.checkpoint->index == index);
  CHECK(found.checkpoint->number == own_number);

  // And from the follower it goes on to a third.
  snapshot_source next{*follower.store};
  REQUIRE(next.open(peer, here, own_number, host_time{}) == pinning::pinned);
  shaky_store third;
  third.store->write({attempt(here, own_number)});
  for (const auto& s : read_all(next, own_number, chunk_bytes_max))
    REQUIRE(apply_chunk(*third.store, s.at, own_number, s.chunk));
  put_in_force(*third.store, *next.record_of(peer, here, own_number));
  CHECK((image_in(*third.store, l.entities()) == pinned));
}

TEST_CASE("snapshot: a partition without pieces is one empty chunk", "[storage]") {
  shaky_store s;
  take_checkpoint(*s.store, here, 1, 5, {});
  snapshot_source source{*s.store};
  REQUIRE(source.open(peer, here, 1, host_time{}) == pinning::pinned);
  auto chunks = read_all(source, 1);
  REQUIRE(chunks.size() == 1);
  CHECK(apply_chunk(*s.store, chunks[0].at, 2, chunks[0].chunk));
}

TEST_CASE("snapshot: chunks keep to their size, and a larger piece goes alone", "[storage]") {
  leader l{4};
  snapshot_source source{*l.disk.store};
  REQUIRE(source.open(peer, here, l.number, host_time{}) == pinning::pinned);
  auto asked = GENERATE(std::size_t{1}, std::size_t{100'000}, std::size_t{1} << 30);
  auto limit = std::clamp(asked, chunk_bytes_min, chunk_bytes_max);
  bool alone = false;
  for (const auto& s : read_all(source, l.number, asked)) {
    auto records = unpack(s.chunk.bytes, chunk_unpacked_max);
    REQUIRE(records);
    CHECK(s.chunk.bytes.size() <= records->size() + 1);
    auto content = read_records(*records);
    REQUIRE(content);
    if (records->size() > limit) {
      CHECK(content->pieces.size() == 1);
      CHECK(content->feed.empty());
      alone = true;
    }
  }
  CHECK(alone);
}

TEST_CASE("snapshot: every position works again, in any order, and applying twice changes nothing", "[storage]") {
  leader l{5};
  snapshot_source source{*l.disk.store};
  auto number = l.number;
  REQUIRE(source.open(peer, here, number, host_time{}) == pinning::pinned);
  auto pinned = without_empty(l.state);
  auto facts = l.feed;
  auto chunks = read_all(source, number);
  l.checkpoint();

  shaky_store follower;
  follower.store->write({attempt(here, own_number)});
  rng r{5};
  auto shuffled = chunks;
  shuffled.insert(shuffled.end(), chunks.begin(), chunks.end());
  std::shuffle(shuffled.begin(), shuffled.end(), r);
  for (const auto& s : shuffled) {
    auto again = source.read(peer, s.at, chunk_bytes_min, host_time{});
    REQUIRE(again);
    CHECK(again->next == s.chunk.next);
    CHECK(again->bytes == s.chunk.bytes);
    CHECK(again->checksum == s.chunk.checksum);
    REQUIRE(apply_chunk(*follower.store, s.at, own_number, *again));
  }
  put_in_force(*follower.store, *source.record_of(peer, here, number));
  CHECK((image_in(*follower.store, l.entities()) == pinned));
  CHECK((feed_in(*follower.store) == facts));
}

TEST_CASE("snapshot: a crash between the chunks and the install leaves the old state in force", "[storage]") {
  leader l{6};
  snapshot_source source{*l.disk.store};
  REQUIRE(source.open(peer, here, l.number, host_time{}) == pinning::pinned);
  shaky_store follower;
  follower.store->write({append(here, {entry(1, "a"), entry(2, "b"), entry(3, "c")})});
  take_checkpoint(*follower.store, here, 2, 2, {{l.entities()[0], 0, "old"}});
  follower.store->write({attempt(here, own_number)});
  auto chunks = read_all(source, l.number);
  auto applied = GENERATE(0, 1, 10, 1'000);
  for (std::size_t i = 0; i < chunks.size() && i < static_cast<std::size_t>(applied); ++i)
    REQUIRE(apply_chunk(*follower.store, chunks[i].at, own_number, chunks[i].chunk));
  if (GENERATE(true, false))
    follower.store->flush();
  follower.cut_power();
  auto found = follower.store->recover(here);
  CHECK_FALSE(found.damage);
  CHECK(found.checkpoint->number == 2);
  CHECK(texts(found) == std::vector<std::string>{"c"});
  CHECK((image_in(*follower.store, l.entities()) == image{{l.entities()[0], {{0, "old"}}}}));
}

TEST_CASE("snapshot: a damaged chunk is refused, and nothing of it is written", "[storage]") {
  leader l{7};
  snapshot_source source{*l.disk.store};
  REQUIRE(source.open(peer, here, l.number, host_time{}) == pinning::pinned);
  auto chunks = read_all(source, l.number);
  auto& good = chunks[chunks.size() / 3];
  shaky_store follower;
  follower.store->write({attempt(here, own_number)});
  auto refused = [&](const chunk_place& at, const snapshot_chunk& chunk) {
    return !apply_chunk(*follower.store, at, own_number, chunk);
  };
  rng r{7};
  for (int i = 0; i < 500; ++i) {
    auto bad = good.chunk;
    auto& text = chance(r, 20) ? bad.next : bad.bytes;
    text[below(r, text.size())] ^= static_cast<char>(1 << below(r, 8));
    CHECK(refused(good.at, bad));
  }
  auto bad = good.chunk;
  bad.checksum ^= 1;
  CHECK(refused(good.at, bad));
  bad = good.chunk;
  bad.bytes.pop_back();
  CHECK(refused(good.at, bad));
  bad = good.chunk;
  bad.next.clear(); // would end the transfer early
  CHECK(refused(good.at, bad));
  // The right bytes in the wrong place.
  CHECK(refused({here, good.at.number + 1, good.at.position}, good.chunk));
  CHECK(refused({{here.value + 1}, good.at.number, good.at.position}, good.chunk));
  CHECK(refused({here, good.at.number, {}}, good.chunk));
  CHECK(follower.versions_kept(here) == 0);
  CHECK(feed_in(*follower.store).empty());
  CHECK(apply_chunk(*follower.store, good.at, own_number, good.chunk));
}

TEST_CASE("snapshot: records that make no sense are refused though their checksum is right", "[storage]") {
  shaky_store follower;
  auto accepted = [&](const std::string& bytes, std::string next = {}) {
    chunk_place at{here, 5, {}};
    snapshot_chunk chunk{std::move(next), bytes, 0};
    chunk.checksum = checksum_of(at, chunk);
    return apply_chunk(*follower.store, at, own_number, chunk);
  };
  auto piece = [](const entity_ref& of, std::uint32_t number, std::string_view bytes = "x") {
    std::string records;
    append_piece(records, of, number, bytes);
    return records;
  };
  auto facts = [](log_index index) {
    std::string records;
    append_feed_record(records, index, "facts");
    return records;
  };
  auto bob = entity_ref::of_session({1}, "bob");
  std::vector<std::string> bad{
      piece(bob, 1) + piece(bob, 1),                                 // twice
      piece(bob, 2) + piece(bob, 1),                                 // out of order
      piece(bob, 1) + piece(alice, 1),                               // likewise
      facts(1) + piece(bob, 1),                                      // pieces come first
      facts(2) + facts(2),                                           // twice
      facts(0),                                                      // no entry has this index
      piece({{1}, entity_kind{99}, {}, {}}, 1),                      // no such kind
      piece(entity_ref::of_session({1}, {}), 1),                     // nobody's session
      piece(entity_ref::of_session({1}, std::string{"a\0b", 3}), 1), // would be another key
      piece({{1}, entity_kind::event, {}, "bob"}, 1),                // an event with a user
      piece({{1}, entity_kind::session, {4}, "bob"}, 1),             // a session with a block
      std::string{"\0\0\0\1", 4},                                    // a record that is not there
      std::string{"\0\0\0\1\3", 5},                                  // of no type
      std::string{"\0\0\0\3\2\0\0", 7},                              // without a whole index
      piece(bob, 1).substr(0, 20),                                   // cut off
      piece(bob, 1) + "\xff",                                        // with something behind it
  };
  for (std::size_t i = 0; i < bad.size(); ++i) {
    CAPTURE(i);
    CHECK_FALSE(accepted(std::string(1, '\0') + bad[i]));
    CHECK_FALSE(accepted(pack(piece(alice, 0, std::string(1'000, 'x')) + bad[i])));
  }
  CHECK_FALSE(accepted(""));
  CHECK_FALSE(accepted("\2" + piece(bob, 1)));        // no such form
  CHECK_FALSE(accepted("\1" + piece(bob, 1)));        // not zstd
  CHECK_FALSE(accepted(pack(piece(bob, 1)), "here")); // goes on nowhere
  auto bomb = pack(std::string(chunk_unpacked_max + 1, '\0'));
  CHECK(bomb.size() < 100'000);
  CHECK_FALSE(accepted(bomb));
  CHECK_FALSE(unpack(bomb, chunk_unpacked_max));
  CHECK(follower.versions_kept(here) == 0);
  CHECK(feed_in(*follower.store).empty());
  CHECK(accepted(pack(piece(alice, 0) + piece(bob, 1) + facts(1) + facts(2)), position_of(log_index{2})));
  CHECK(follower.versions_kept(here) == 2);
}

TEST_CASE("snapshot: random bytes are never taken for records", "[storage]") {
  rng r{8};
  std::string records;
  for (std::uint32_t n = 0; n < 5; ++n)
    append_piece(records, entity_ref::of_seat_block({1}, {n}), n, "some bytes");
  append_feed_record(records, 17, "facts");
  for (int i = 0; i < 20'000; ++i) {
    auto bad = records;
    for (auto changes = 1 + below(r, 4); changes > 0; --changes)
      bad[below(r, bad.size())] = static_cast<char>(r());
    bad.resize(bad.size() - below(r, 5));
    read_records(bad); // under sanitizers: reads nothing beyond
    unpack("\1" + bad, chunk_unpacked_max);
    read_position(bad);
  }
  CHECK(read_records(records));
}

TEST_CASE("snapshot: what does not compress travels as it is", "[storage]") {
  rng r{9};
  std::string noise(50'000, '\0');
  for (auto& c : noise)
    c = static_cast<char>(r());
  CHECK(pack(noise).size() == noise.size() + 1);
  CHECK(unpack(pack(noise), chunk_unpacked_max) == noise);
  std::string text(50'000, 'a');
  CHECK(pack(text).size() < 1'000);
  CHECK(unpack(pack(text), chunk_unpacked_max) == text);
  CHECK(unpack(pack(""), chunk_unpacked_max) == "");
}

TEST_CASE("snapshot: a pin ends when nobody reads", "[storage]") {
  shaky_store s;
  take_checkpoint(*s.store, here, 1, 5, {{alice, 0, "alice-1"}});
  snapshot_source source{*s.store};
  host_time t0{1h};
  chunk_place start{here, 1, {}};
  REQUIRE(source.open(peer, here, 1, t0) == pinning::pinned);
  take_checkpoint(*s.store, here, 2, 6, {{alice, 0, "alice-2"}});
  CHECK(source.read(peer, start, chunk_bytes_min, t0 + 29s));
  CHECK(source.read(peer, start, chunk_bytes_min, t0 + 58s)); // each read counts from then
  SECTION("a moment before, it is there") {
    source.release_idle(t0 + 88s - 1ms);
    CHECK(source.pins() == 1);
    CHECK(source.record_of(peer, here, 1));
  }
  SECTION("after thirty seconds it is gone, and can not be had again") {
    CHECK_FALSE(source.read(peer, start, chunk_bytes_min, t0 + 88s));
    CHECK(source.pins() == 0);
    CHECK_FALSE(source.record_of(peer, here, 1));
    CHECK(source.open(peer, here, 1, t0 + 88s) == pinning::not_in_force);
    CHECK(source.open(peer, here, 2, t0 + 88s) == pinning::pinned);
  }
  SECTION("without a read as well") {
    source.release_idle(t0 + 88s);
    CHECK(source.pins() == 0);
  }
  SECTION("or when the peer is done") {
    source.close(peer, here);
    CHECK(source.pins() == 0);
  }
}

TEST_CASE("snapshot: a peer that pulls needs no more than its questions", "[storage]") {
  shaky_store s;
  take_checkpoint(*s.store, here, 1, 5, {{alice, 0, std::string(100, 'a')}, {alice, 1, std::string(100, 'b')}});
  snapshot_source source{*s.store, 50}; // one piece at a time
  host_time t0{1h};
  snapshot_part part;
  // A disk was replaced: the number is used again, for another checkpoint.
  CHECK(source.give(peer, {here, 1, {}}, 4, chunk_bytes_max, t0, part) == giving::gone);
  REQUIRE(source.give(peer, {here, 1, {}}, 5, 50, t0, part) == giving::given);
  CHECK(part.record == "record-1");
  auto second = part.chunk.next;
  REQUIRE_FALSE(second.empty());
  take_checkpoint(*s.store, here, 2, 6, {{alice, 0, "another"}});
  REQUIRE(source.give(peer, {here, 1, {}}, 5, 50, t0, part) == giving::given); // its answer was lost
  CHECK(part.chunk.next == second);
  part = {};
  REQUIRE(source.give(peer, {here, 1, second}, 5, 50, t0, part) == giving::given);
  CHECK(part.record.empty());
  CHECK(source.give(peer, {here, 1, second}, 6, 50, t0, part) == giving::gone);
  CHECK(source.give({9}, {here, 1, second}, 5, 50, t0, part) == giving::gone); // the first part pins
  CHECK(source.give({9}, {here, 1, {}}, 5, 50, t0, part) == giving::gone);     // 2 is in force
  for (std::uint32_t n = 10; n < 10 + snapshot_source::pins_max - 1; ++n)
    REQUIRE(source.give({n}, {here, 2, {}}, 0, 50, t0, part) == giving::given);
  CHECK(source.give({9}, {here, 2, {}}, 6, 50, t0, part) == giving::busy);
}

TEST_CASE("snapshot: few are served at a time, each its own", "[storage]") {
  shaky_store s;
  take_checkpoint(*s.store, here, 1, 5, {{alice, 0, "alice-1"}});
  take_checkpoint(*s.store, {4}, 1, 5, {{alice, 0, "alice-1"}});
  snapshot_source source{*s.store};
  host_time t0{1h};
  CHECK(source.open(peer, here, 2, t0) == pinning::not_in_force);
  CHECK(source.open(peer, here, 0, t0) == pinning::not_in_force);
  CHECK(source.open(peer, {9}, 1, t0) == pinning::not_in_force); // never had one
  for (std::uint32_t n = 1; n <= snapshot_source::pins_max; ++n)
    REQUIRE(source.open({n}, here, 1, t0 + std::chrono::seconds{n}) == pinning::pinned);
  CHECK(source.open({100}, here, 1, t0 + 9s) == pinning::busy);
  CHECK(source.open({1}, {4}, 1, t0 + 9s) == pinning::busy);
  CHECK(source.open({1}, here, 1, t0 + 9s) == pinning::pinned); // takes its own place
  CHECK(source.pins() == snapshot_source::pins_max);
  CHECK(source.open({100}, here, 1, t0 + 32s) == pinning::pinned); // the second one's time is over

  CHECK_FALSE(source.read({2}, {here, 1, {}}, chunk_bytes_min, t0 + 32s)); // so it is not served any more
  CHECK_FALSE(source.read({1}, {here, 2, {}}, chunk_bytes_min, t0 + 32s)); // another number than its own
  CHECK_FALSE(source.read({1}, {{4}, 1, {}}, chunk_bytes_min, t0 + 32s));  // another partition
  for (std::string bad : {"x", "p", "f", "p1234567890", "f1234567", "f123456789"})
    CHECK_FALSE(source.read({1}, {here, 1, bad}, chunk_bytes_min, t0 + 32s));
  auto last = source.read({1}, {here, 1, position_of(~log_index{0})}, chunk_bytes_min, t0 + 32s);
  REQUIRE(last);
  CHECK(last->next.empty());
  CHECK(unpack(last->bytes, chunk_unpacked_max) == "");
}
