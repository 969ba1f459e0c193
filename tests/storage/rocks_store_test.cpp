#include "store_fixture.hpp"

#include "storage/checkpoint_writer.hpp"
#include "storage/log_writer.hpp"

#include <fstream>
#include <future>

using namespace sluice;
using namespace sluice::test;

TEST_CASE("storage: what was written is there after a power cut, what was not acknowledged may not be", "[storage]") {
  shaky_store s;
  log_batch b = append({3}, {entry(1, "one"), entry(2, "two")});
  b.vote = vote_record{7, {1}};
  auto before = s.fs->log_syncs();
  s.store->write({b, append({4}, {entry(1, "other")})});
  CHECK(s.fs->log_syncs() == before + 1); // two partitions, one sync
  s.store->append_feed({3}, 2, "facts");
  s.cut_power(GENERATE(0, 1, 17));
  auto found = s.store->recover({3});
  CHECK_FALSE(found.damage);
  CHECK(found.vote == vote_record{7, {1}});
  CHECK(texts(found) == std::vector<std::string>{"one", "two"});
  CHECK(texts(s.store->recover({4})) == std::vector<std::string>{"other"});
  int facts = 0;
  s.store->scan_feed({3}, 0, [&](log_index, std::string_view) { return ++facts > 0; });
  CHECK(facts == 0); // never flushed: replay writes them again
}

TEST_CASE("storage: truncation and append are one write", "[storage]") {
  shaky_store s;
  s.store->write({append({0}, {entry(1, "a"), entry(2, "b"), entry(3, "c")})});
  auto b = append({0}, {entry(2, "B", 2)});
  b.truncate_from = 2;
  s.store->write({b});
  s.cut_power();
  auto found = s.store->recover({0});
  CHECK_FALSE(found.damage);
  CHECK(texts(found) == std::vector<std::string>{"a", "B"});
}

TEST_CASE("storage: a checkpoint is in force as a whole or not at all", "[storage]") {
  shaky_store s;
  s.store->write({append({0}, {entry(1, "a"), entry(2, "b")})});
  auto commit = [&](std::uint64_t number, log_index index) {
    log_batch b;
    b.partition = {0};
    b.checkpoint = checkpoint_record{number, index, 1, "record-" + std::to_string(number), ""};
    b.drop_below = index + 1;
    s.store->write({b});
  };
  s.store->put_pieces({0}, 1, {{alice, 0, "alice-1"}, {al, 0, "al-1"}});
  CHECK(s.store->load({0}, alice).empty()); // not in force yet
  s.store->flush();
  commit(1, 2);
  CHECK(s.store->load({0}, alice) == loaded_pieces{{0, "alice-1"}});
  CHECK(s.store->load({0}, al) == loaded_pieces{{0, "al-1"}}); // one user's key is no prefix of another's

  SECTION("one that was cut short leaves no trace") {
    log_batch attempt;
    attempt.partition = {0};
    attempt.checkpoint_attempt = 2;
    s.store->write({attempt});
    s.store->put_pieces({0}, 2, {{alice, 0, "alice-2"}});
    s.store->flush(); // its pieces reached the disk, its commit did not
    s.cut_power();
    auto found = s.store->recover({0});
    CHECK(found.attempts == 2);
    REQUIRE(found.checkpoint);
    CHECK(found.checkpoint->number == 1);
    CHECK(s.store->load({0}, alice) == loaded_pieces{{0, "alice-1"}});

    // The next one has the next number; what the aborted one left stays invisible for good.
    s.store->put_pieces({0}, 3, {{al, 0, "al-3"}});
    s.store->flush();
    commit(3, 3);
    CHECK(s.store->load({0}, alice) == loaded_pieces{{0, "alice-1"}});
    CHECK(s.store->load({0}, al) == loaded_pieces{{0, "al-3"}});
    s.cut_power();
    s.store->recover({0});
    CHECK(s.store->load({0}, alice) == loaded_pieces{{0, "alice-1"}});
  }
  SECTION("cleaning keeps what is in force, and only that") {
    s.store->put_pieces({0}, 2, {{alice, 0, "alice-2"}, {al, 0, std::nullopt}});
    s.store->flush();
    commit(2, 3);
    s.store->clean({0}, {{alice, 0}, {al, 0}});
    CHECK(s.store->load({0}, alice) == loaded_pieces{{0, "alice-2"}});
    CHECK(s.store->load({0}, al).empty());
  }
  SECTION("a forgotten group goes with the commit, its neighbour stays") {
    auto neighbour = entity_ref::of_session({2}, "bob");
    s.store->put_pieces({0}, 2, {{neighbour, 0, "bob"}});
    s.store->flush();
    log_batch b;
    b.partition = {0};
    b.checkpoint = checkpoint_record{2, 3, 1, "r", ""};
    b.forgotten = {{1}};
    s.store->write({b});
    CHECK(s.store->load({0}, alice).empty());
    CHECK(s.store->load({0}, neighbour).size() == 1);
  }
}

TEST_CASE("storage: entities of many pieces come back in order, newest versions only", "[storage]") {
  shaky_store s;
  auto event = entity_ref::of_event({9});
  for (std::uint64_t number = 1; number <= 3; ++number) {
    std::vector<piece_write> pieces;
    for (std::uint32_t p = 0; p < 300; p += static_cast<std::uint32_t>(number))
      pieces.push_back({event, p, std::to_string(number)});
    s.store->put_pieces({0}, number, pieces);
    s.store->flush();
    log_batch b;
    b.partition = {0};
    b.checkpoint = checkpoint_record{number, number, 1, "", ""};
    s.store->write({b});
  }
  auto loaded = s.store->load({0}, event);
  REQUIRE(loaded.size() == 300);
  for (std::uint32_t p = 0; p < 300; ++p) {
    CHECK(loaded[p].first == p);
    CHECK(loaded[p].second == (p % 3 == 0 ? "3" : p % 2 == 0 ? "2" : "1"));
  }
}

TEST_CASE("storage: a log shortened below its durable end is found out", "[storage]") {
  temp_folder folder;
  rocks_settings settings;
  settings.folder = folder.path();
  {
    rocks_store store{settings};
    for (log_index i = 1; i <= 50; ++i)
      store.write({append({0}, {entry(i, "entry " + std::to_string(i))})});
  }
  // RocksDB itself drops everything behind the first bad record of its log, and says nothing.
  std::filesystem::path log;
  for (const auto& f : std::filesystem::directory_iterator{folder.path() / "rocks"})
    if (f.path().extension() == ".log" && f.file_size() > 0)
      log = f.path();
  REQUIRE_FALSE(log.empty());
  {
    std::fstream file{log, std::ios::in | std::ios::out | std::ios::binary};
    file.seekp(static_cast<std::streamoff>(std::filesystem::file_size(log) / 2));
    file.put('!');
    file.put('!');
  }
  rocks_store store{settings};
  auto found = store.recover({0});
  REQUIRE(found.damage);
  CHECK(found.damage->find("durable up to 50") != std::string::npos);
}

TEST_CASE("storage: the log writer gathers what comes during a sync, and completes in order", "[storage]") {
  shaky_store s;
  std::promise<void> all;
  std::vector<std::uint64_t> order;
  constexpr std::uint64_t count = 2'000;
  auto before = s.fs->log_syncs();
  {
    log_writer writer{*s.store, [&](const std::vector<durable>& done) {
                        // No success before its sync.
                        CHECK(s.fs->log_syncs() > before);
                        for (const auto& d : done)
                          order.push_back(d.write_id);
                        if (order.size() == count)
                          all.set_value();
                      }};
    for (std::uint64_t i = 1; i <= count; ++i)
      writer.submit(append({static_cast<std::uint32_t>(i % 4)}, {entry(1 + (i - 1) / 4, "x")}), i);
    all.get_future().wait();
  }
  CHECK(std::is_sorted(order.begin(), order.end()));
  CHECK(s.fs->log_syncs() - before < count / 2); // many a sync
  s.cut_power();
  std::size_t found = 0;
  for (std::uint32_t p = 0; p < 4; ++p)
    found += s.store->recover({p}).log.size();
  CHECK(found == count);
}

TEST_CASE("storage: checkpoints wait for their number, flush the feed too, and clean up behind them", "[storage]") {
  shaky_store s;
  std::promise<std::uint64_t> flushed;
  log_writer writer{*s.store, [](const std::vector<durable>&) {}};
  checkpoint_writer checkpoints{*s.store, writer, [&](partition_id, std::uint64_t n) { flushed.set_value(n); },
                                64 * 1024 * 1024};
  writer.submit(append({0}, {entry(1, "a")}), 1);
  writer.append_feed({0}, 1, "fact");
  checkpoints.put({0}, 1, alice, [] {
    record_pieces p;
    p.push_back({0, [] { return std::string{"encoded on the writer's thread"}; }});
    return p;
  }());
  checkpoints.end({0}, 1);
  auto done = flushed.get_future();
  CHECK(done.wait_for(std::chrono::milliseconds{50}) == std::future_status::timeout);
  checkpoints.begun({0}, 1);
  REQUIRE(done.wait_for(std::chrono::seconds{10}) == std::future_status::ready);
  log_batch b;
  b.partition = {0};
  b.checkpoint = checkpoint_record{1, 1, 1, "", ""};
  b.drop_below = 2;
  writer.submit(std::move(b), 2);
  writer.stop();
  checkpoints.stop();
  s.cut_power();
  auto found = s.store->recover({0});
  CHECK(found.checkpoint->index == 1);
  CHECK(found.log.empty());
  CHECK(s.store->load({0}, alice).size() == 1);
  int facts = 0;
  s.store->scan_feed({0}, 0, [&](log_index, std::string_view) { return ++facts > 0; });
  CHECK(facts == 1);
}

TEST_CASE("storage: a full disk or a failed sync stops the process and says what to do", "[storage]") {
  bool full = GENERATE(true, false);
  auto [text, aborted] = in_child([full] {
    shaky_store s;
    s.store->write({append({0}, {entry(1, "fine")})});
    (full ? s.fs->no_space : s.fs->sync_fails) = true;
    s.store->write({append({0}, {entry(2, "lost")})});
  });
  CHECK(aborted);
  CHECK(text.find("FATAL") != std::string::npos);
  CHECK(text.find(full ? "free some disk space" : "check the disk") != std::string::npos);
}

TEST_CASE("storage: keys sort as their numbers do, and parts do not run into each other", "[storage]") {
  CHECK(index_key({1}, 255) < index_key({1}, 256));
  CHECK(index_key({1}, ~0ull) < index_key({2}, 0));
  CHECK(index_of(index_key({7}, 123456789)) == 123456789);
  auto prefix = entity_prefix({1}, alice);
  CHECK(piece_key(prefix, 3, 9) < piece_key(prefix, 3, 8)); // newest first
  CHECK(piece_key(prefix, 3, 1) < piece_key(prefix, 4, 9));
  CHECK(checkpoint_of(piece_key(prefix, 3, 9)) == 9);
  CHECK(piece_of(piece_key(prefix, 3, 9)) == 3);
}
