// A fetched image takes the place of everything, and what is left of the old is swept away.
#include "store_fixture.hpp"

#include "storage/checkpoint_writer.hpp"
#include "storage/log_writer.hpp"
#include "storage/rejoin.hpp"
#include "storage/stored_bytes.hpp"

#include <atomic>
#include <future>
#include <thread>

using namespace sluice;
using namespace sluice::test;

namespace {

const auto bob = entity_ref::of_session({1}, "bob");
const auto carol = entity_ref::of_session({9}, "carol");

/// A replica with a past: two checkpoints, a log behind them, facts.
void live_a_little(log_store& store) {
  store.write({append({0}, {entry(1, "a"), entry(2, "b"), entry(3, "c")})});
  take_checkpoint(store, {0}, 1, 2,
                  {{alice, 0, "alice-1"}, {alice, 5, "alice's fifth"}, {bob, 0, "bob-1"}, {bob, 7, "bob's seventh"}});
  take_checkpoint(store, {0}, 2, 3, {{alice, 0, "alice-2"}, {bob, 7, std::nullopt}});
  store.write({append({0}, {entry(4, "d"), entry(5, "e")})});
  for (log_index i = 1; i <= 60; ++i)
    store.append_feed({0}, i, "facts of " + std::to_string(i));
}

/// The pieces of an image that knows alice and carol, under an own number.
void fetch_image(log_store& store, std::uint64_t number) {
  store.write({attempt({0}, number)});
  store.put_pieces({0}, number, {{alice, 0, "alice-image"}, {carol, 0, "carol-image"}});
  store.flush();
}

std::size_t facts_in(log_store& store) {
  std::size_t count = 0;
  store.scan_feed({0}, 0, [&](log_index, std::string_view) { return ++count > 0; });
  return count;
}

void sweep_all(log_store& store, partition_id partition = {0}) {
  for (auto at = store.sweep(partition, {}); !at.empty();)
    at = store.sweep(partition, at);
}

} // namespace

TEST_CASE("storage: an installed image takes the place of everything, also after a restart", "[storage]") {
  shaky_store s;
  live_a_little(*s.store);
  s.store->write({append({1}, {entry(1, "a neighbour's")})});
  fetch_image(*s.store, 3);
  CHECK(s.store->load({0}, alice) == loaded_pieces{{0, "alice-2"}, {5, "alice's fifth"}}); // not in force yet
  auto b = install({0}, 3, 50);
  b.vote = vote_record{7, {2}, true};
  s.store->write({b});

  auto check = [&] {
    CHECK(s.store->load({0}, alice) == loaded_pieces{{0, "alice-image"}}); // her fifth piece is not of the image
    CHECK(s.store->load({0}, carol) == loaded_pieces{{0, "carol-image"}});
    CHECK(s.store->load({0}, bob).empty());
    auto found = s.store->recover({0});
    CHECK_FALSE(found.damage); // an empty log that begins at 51 is whole
    CHECK(found.log.empty());
    CHECK(found.attempts == 3);
    CHECK(found.vote == vote_record{7, {2}, true});
    REQUIRE(found.checkpoint);
    CHECK(found.checkpoint->number == 3);
    CHECK(found.checkpoint->index == 50);
    CHECK(found.checkpoint->term == 7);
    CHECK(found.checkpoint->record == "image-3");
    CHECK(found.checkpoint->members == "their members");
    CHECK(texts(s.store->recover({1})) == std::vector<std::string>{"a neighbour's"});
  };
  check();
  CHECK(facts_in(*s.store) == 50); // none of entries that may never have been
  s.cut_power();
  check();

  SECTION("the log goes on behind it") {
    s.store->write({append({0}, {entry(51, "f", 8), entry(52, "g", 8)})});
    s.cut_power();
    auto found = s.store->recover({0});
    CHECK_FALSE(found.damage);
    CHECK(texts(found) == std::vector<std::string>{"f", "g"});
    CHECK(s.store->read_log({0}, 51, 52, 1'000).size() == 2);
    CHECK(s.store->read_log({0}, 5, 52, 1'000).empty());
  }
  SECTION("later checkpoints build on the image, not on what was before") {
    take_checkpoint(*s.store, {0}, 4, 51, {{carol, 0, "carol-4"}});
    for (int restarts = 0; restarts < 2; ++restarts) {
      CHECK(s.store->load({0}, alice) == loaded_pieces{{0, "alice-image"}});
      CHECK(s.store->load({0}, carol) == loaded_pieces{{0, "carol-4"}});
      CHECK(s.store->load({0}, bob).empty());
      s.cut_power();
    }
  }
  SECTION("a second image takes the place of the first") {
    s.store->write({attempt({0}, 4)});
    s.store->put_pieces({0}, 4, {{bob, 0, "bob is back"}});
    s.store->flush();
    s.store->write({install({0}, 4, 80)});
    s.cut_power();
    CHECK(s.store->load({0}, alice).empty());
    CHECK(s.store->load({0}, bob) == loaded_pieces{{0, "bob is back"}});
  }
}

TEST_CASE("storage: an image of nothing leaves nothing but the vote", "[storage]") {
  shaky_store s;
  live_a_little(*s.store);
  log_batch voted;
  voted.partition = {0};
  voted.vote = vote_record{7, {2}, false};
  s.store->write({voted});
  s.store->write({forget_everything({0}, s.store->recover({0}))});
  for (int restarts = 0; restarts < 2; ++restarts) {
    auto found = s.store->recover({0});
    CHECK_FALSE(found.damage);
    CHECK_FALSE(found.checkpoint);
    CHECK(found.log.empty());
    CHECK(found.attempts == 3);
    CHECK(found.vote == vote_record{7, {2}, true});
    CHECK(s.store->load({0}, alice).empty());
    CHECK(facts_in(*s.store) == 0);
    s.cut_power();
  }
  s.store->write({append({0}, {entry(1, "a", 8)})});
  take_checkpoint(*s.store, {0}, 4, 1, {{carol, 0, "carol-4"}});
  s.cut_power();
  CHECK(s.store->load({0}, alice).empty());
  CHECK(s.store->load({0}, carol) == loaded_pieces{{0, "carol-4"}});
  CHECK(s.store->recover({0}).checkpoint->index == 1);
}

TEST_CASE("storage: what the log had behind an image is gone: it was never committed", "[storage]") {
  shaky_store s;
  std::vector<stored_entry> stale;
  for (log_index i = 1; i <= 60; ++i)
    stale.push_back(entry(i, "stale"));
  s.store->write({append({0}, stale)});
  s.store->write({attempt({0}, 1)});
  s.store->write({install({0}, 1, 50)});
  CHECK(durable_mark{s.folder.path() / "durable"}.of({0}) == 50);
  CHECK(s.store->read_log({0}, 51, 60, 1'000).empty());
  s.cut_power();
  auto found = s.store->recover({0});
  CHECK_FALSE(found.damage);
  CHECK(found.log.empty());
}

TEST_CASE("storage: the mark rises with an image, so that one lost to damage is missed", "[storage]") {
  shaky_store s;
  s.store->write({append({0}, {entry(1, "a")})});
  s.store->write({attempt({0}, 1)});
  s.store->write({install({0}, 1, 50)});
  CHECK(durable_mark{s.folder.path() / "durable"}.of({0}) == 50);
}

TEST_CASE("storage: entries in the same write as an image come after it", "[storage]") {
  shaky_store s;
  live_a_little(*s.store);
  fetch_image(*s.store, 3);
  auto b = install({0}, 3, 50);
  b.append = {entry(51, "first behind it", 7)};
  s.store->write({b});
  s.cut_power();
  auto found = s.store->recover({0});
  CHECK_FALSE(found.damage);
  CHECK(texts(found) == std::vector<std::string>{"first behind it"});
}

TEST_CASE("storage: until the install nothing of an image counts", "[storage]") {
  shaky_store s;
  live_a_little(*s.store);
  s.store->flush();
  fetch_image(*s.store, 3); // all of it is on the disk
  s.cut_power();
  auto found = s.store->recover({0});
  CHECK(found.checkpoint->number == 2);
  CHECK(found.attempts == 3);
  CHECK(texts(found) == std::vector<std::string>{"d", "e"});
  CHECK(s.store->load({0}, alice) == loaded_pieces{{0, "alice-2"}, {5, "alice's fifth"}});
  CHECK(s.store->load({0}, bob) == loaded_pieces{{0, "bob-1"}});
  CHECK(s.store->load({0}, carol).empty());

  SECTION("what arrived is swept away, what is in force stays") {
    CHECK(s.versions_kept({0}) == 8);
    sweep_all(*s.store);
    CHECK(s.versions_kept({0}) == 3); // alice's two, bob's one
    CHECK(s.store->load({0}, alice) == loaded_pieces{{0, "alice-2"}, {5, "alice's fifth"}});
    CHECK(s.store->load({0}, bob) == loaded_pieces{{0, "bob-1"}});
  }
  SECTION("a word from the time before the restart is not heard") {
    s.store->put_pieces({0}, 3, {{bob, 0, "too late"}});
    CHECK(s.versions_kept({0}) == 8);
  }
  SECTION("the next attempt begins from nothing") {
    s.store->write({attempt({0}, 4)});
    s.store->put_pieces({0}, 4, {{bob, 0, "bob-image"}});
    s.store->flush();
    s.store->write({install({0}, 4, 70)});
    CHECK(s.store->load({0}, carol).empty());
    CHECK(s.store->load({0}, bob) == loaded_pieces{{0, "bob-image"}});
  }
}

TEST_CASE("storage: an own checkpoint that ends while an image is fetched harms neither", "[storage]") {
  shaky_store s;
  live_a_little(*s.store);
  s.store->write({attempt({0}, 3)}); // begun before the fetch
  s.store->put_pieces({0}, 3, {{alice, 0, "alice-3"}});
  fetch_image(*s.store, 4);
  s.store->flush();
  s.store->write({commit({0}, 3, 5)});
  s.store->clean({0}, {{alice, 0}, {alice, 5}, {bob, 0}});
  CHECK(s.store->load({0}, alice) == loaded_pieces{{0, "alice-3"}, {5, "alice's fifth"}});
  CHECK(s.store->load({0}, carol).empty());
  s.store->write({install({0}, 4, 50)});
  CHECK(s.store->load({0}, alice) == loaded_pieces{{0, "alice-image"}});
  CHECK(s.store->load({0}, carol) == loaded_pieces{{0, "carol-image"}});
}

TEST_CASE("storage: an own checkpoint overtaken by an image leaves no trace", "[storage]") {
  shaky_store s;
  live_a_little(*s.store);
  s.store->write({attempt({0}, 3)});
  fetch_image(*s.store, 4);
  s.store->write({install({0}, 4, 50)});
  s.store->put_pieces({0}, 3, {{bob, 0, "still being written"}});
  take_checkpoint(*s.store, {0}, 5, 51, {});
  CHECK(s.store->load({0}, bob).empty());
  sweep_all(*s.store);
  CHECK(s.versions_kept({0}) == 2);
}

TEST_CASE("storage: what an image replaced is swept away, and that is remembered", "[storage]") {
  shaky_store s;
  constexpr std::uint32_t users = 5'000; // several slices
  std::vector<piece_write> old;
  std::vector<piece_write> image;
  for (std::uint32_t u = 0; u < users; ++u) {
    auto of = entity_ref::of_session({1 + u % 3}, "user" + std::to_string(u));
    old.push_back({of, 0, "old"});
    if (u % 5 == 0)
      image.push_back({of, 0, "new"});
  }
  take_checkpoint(*s.store, {0}, 1, 10, old);
  take_checkpoint(*s.store, {1}, 1, 10, old); // a neighbour
  s.store->write({attempt({0}, 2)});
  s.store->put_pieces({0}, 2, image);
  s.store->flush();
  s.store->write({install({0}, 2, 50)});
  CHECK(s.versions_kept({0}) == users + users / 5);

  SECTION("in slices") {
    std::size_t slices = 1;
    for (auto at = s.store->sweep({0}, {}); !at.empty(); ++slices)
      at = s.store->sweep({0}, at);
    CHECK(slices > 2);
  }
  SECTION("also if the power goes in the middle of it") {
    auto at = s.store->sweep({0}, {});
    CHECK_FALSE(at.empty());
    s.cut_power();
    sweep_all(*s.store);
  }
  SECTION("from the start again when another image comes in between") {
    auto at = s.store->sweep({0}, {});
    s.store->write({attempt({0}, 3)});
    s.store->put_pieces({0}, 3, image);
    s.store->flush();
    s.store->write({install({0}, 3, 60)});
    while (!at.empty())
      at = s.store->sweep({0}, at);
  }
  CHECK(s.versions_kept({0}) == users / 5);
  CHECK(s.versions_kept({1}) == users);
  for (std::uint32_t u = 0; u < users; u += 499) {
    auto pieces = s.store->load({0}, entity_ref::of_session({1 + u % 3}, "user" + std::to_string(u)));
    CHECK(pieces == (u % 5 == 0 ? loaded_pieces{{0, "new"}} : loaded_pieces{}));
  }
  // Nothing is left to do, for good: one call, and it ends at once.
  CHECK(s.store->sweep({0}, {}).empty());
  s.cut_power();
  s.behind_its_back([](opened_rocks& raw) {
    std::string value;
    CHECK(raw.db->Get({}, raw.meta, meta_key('D', {0}), &value).IsNotFound());
  });
}

TEST_CASE("storage: a sweep that runs while an image is put in force misses nothing", "[storage]") {
  shaky_store s;
  constexpr std::uint64_t images = 20;
  std::atomic<bool> done{false};
  std::thread sweeper{[&] {
    while (!done)
      sweep_all(*s.store);
  }};
  for (std::uint64_t number = 1; number <= images; ++number) {
    s.store->write({attempt({0}, number)});
    s.store->put_pieces({0}, number, {{entity_ref::of_session({1}, "user" + std::to_string(number)), 0, "here"}});
    s.store->flush();
    s.store->write({install({0}, number, number)});
    done = number == images; // the last sweep is one that began before the install was done
  }
  sweeper.join();
  sweep_all(*s.store);
  CHECK(s.versions_kept({0}) == 1);
}

TEST_CASE("storage: a transfer given up leaves nothing behind", "[storage]") {
  shaky_store s;
  live_a_little(*s.store);
  fetch_image(*s.store, 3);
  s.store->abandon({0}, 3);
  s.store->put_pieces({0}, 3, {{bob, 0, "a chunk that was under way"}});
  CHECK(s.versions_kept({0}) == 8); // and the one put behind its back is not there
  SECTION("at once") {
    sweep_all(*s.store);
    CHECK(s.versions_kept({0}) == 3);
  }
  SECTION("after an own checkpoint and a restart") {
    take_checkpoint(*s.store, {0}, 4, 5, {});
    s.cut_power();
    CHECK(s.store->load({0}, carol).empty());
    sweep_all(*s.store);
    CHECK(s.versions_kept({0}) == 3);
  }
  CHECK(s.store->load({0}, alice) == loaded_pieces{{0, "alice-2"}, {5, "alice's fifth"}});
}

TEST_CASE("storage: the checkpoint writer sweeps behind an image, and behind a transfer given up", "[storage]") {
  shaky_store s;
  live_a_little(*s.store);
  bool installs = GENERATE(true, false);
  {
    std::promise<void> durable_install;
    std::promise<void> flushed;
    log_writer log{*s.store, [&](const std::vector<durable>& done) {
                     for (const auto& d : done)
                       if (d.write_id == 77) {
                         CHECK(d.checkpoint == 0); // an install is a write like any other
                         CHECK(d.attempt == 0);
                         durable_install.set_value();
                       }
                   }};
    checkpoint_writer checkpoints{*s.store, log, [&](partition_id, std::uint64_t) { flushed.set_value(); }, 1 << 30};
    fetch_image(*s.store, 3);
    if (installs) {
      log.submit(install({0}, 3, 50), 77);
      durable_install.get_future().wait();
      checkpoints.installed({0});
    } else {
      checkpoints.given_up({0}, 3);
    }
    checkpoints.installed({0}); // asked twice
    checkpoints.end({0}, 4);    // comes to its turn behind them
    flushed.get_future().wait();
  }
  CHECK(s.versions_kept({0}) == (installs ? 2 : 3));
}

TEST_CASE("storage: a process that ends between a write and its mark is not taken for damaged", "[storage]") {
  temp_folder folder;
  bool installs = GENERATE(true, false);
  // The sync fails: the write is in the operating system's hands already, the mark was not touched since.
  auto [text, aborted] = in_child([&] {
    auto fs = std::make_shared<forgetful_fs>(rocksdb::FileSystem::Default());
    auto env = rocksdb::NewCompositeEnv(fs);
    rocks_settings settings;
    settings.folder = folder.path();
    settings.env = env.get();
    rocks_store store{settings};
    std::vector<stored_entry> entries;
    for (log_index i = 1; i <= 100; ++i)
      entries.push_back(entry(i, "x"));
    store.write({append({0}, entries)});
    auto shortens = append({0}, {entry(40, "y", 2)});
    shortens.truncate_from = 40;
    fs->sync_fails = true;
    store.write({installs ? install({0}, 1, 60) : shortens});
  });
  REQUIRE(aborted);
  rocks_settings settings;
  settings.folder = folder.path();
  rocks_store store{settings};
  auto found = store.recover({0});
  REQUIRE((installs ? found.checkpoint.has_value() : found.log.size() == 40)); // it did get through
  CHECK_FALSE(found.damage);
}

TEST_CASE("storage: records from before images and rejoining are read as what they meant", "[storage]") {
  shaky_store s;
  auto old_vote = encode_vote({9, {3}, true}).substr(0, 12);
  CHECK(decode_vote(old_vote) == vote_record{9, {3}, false});
  CHECK(decode_vote(encode_vote({9, {3}, true})) == vote_record{9, {3}, true});
  checkpoint_record c{5, 100, 2, "record", "members"};
  auto bytes = encode_checkpoint(c, {2, 4}, 3);
  auto now = decode_checkpoint(bytes);
  CHECK(now.base == 3);
  auto old = decode_checkpoint(bytes.substr(0, bytes.size() - 8));
  CHECK(old.base == 0);
  CHECK(old.aborted == std::set<std::uint64_t>{2, 4});
  CHECK(old.checkpoint.number == 5);
  CHECK(old.checkpoint.record == "record");
  CHECK(old.checkpoint.members == "members");

  // In a store as the version before left it.
  live_a_little(*s.store);
  s.store->flush();
  s.behind_its_back([&](opened_rocks& raw) {
    raw.db->Put({}, raw.meta, meta_key('V', {0}), old_vote);
    std::string stored;
    raw.db->Get({}, raw.meta, meta_key('C', {0}), &stored);
    raw.db->Put({}, raw.meta, meta_key('C', {0}), stored.substr(0, stored.size() - 8));
  });
  CHECK(s.store->recover({0}).vote == vote_record{9, {3}, false});
  CHECK(s.store->load({0}, bob) == loaded_pieces{{0, "bob-1"}});
}

TEST_CASE("storage: a number that goes back stops the process", "[storage]") {
  bool installs = GENERATE(true, false);
  auto [text, aborted] = in_child([&] {
    shaky_store s;
    s.store->write({commit({0}, 2, 3)}); // nothing that flushes: a child has no background threads
    s.store->write({installs ? install({0}, 2, 50) : commit({0}, 1, 5)});
  });
  CHECK(aborted);
  CHECK(text.find("comes after 2") != std::string::npos);
}
