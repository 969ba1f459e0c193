// How a node pulls a checkpoint from another one, and what it does when nothing comes.
#include "actors/snapshot_transfer.hpp"

#include "storage/store_fixture.hpp"

#include "cluster/partition/core.hpp"
#include "sluice/peer.pb.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <optional>

using namespace sluice;
using namespace sluice::test;
using namespace std::chrono_literals;
using actors::snapshot_transfer;

namespace {

constexpr partition_id here{3};
constexpr log_index index_of_it = 9;
constexpr std::uint64_t number_there = 5, number_here = 2;

/// What one node says to the other, kept until the test delivers or loses it.
class outbox {
public:
  void put(const std::string& bytes) {
    proto::PeerItem item;
    REQUIRE(item.ParseFromString(bytes));
    std::lock_guard lock{lock_};
    items_.push_back(std::move(item));
    came_.notify_all();
  }

  proto::PeerItem take() {
    std::unique_lock lock{lock_};
    REQUIRE(came_.wait_for(lock, 10s, [this] { return !items_.empty(); }));
    auto item = std::move(items_.front());
    items_.pop_front();
    return item;
  }

  bool stays_empty() {
    std::unique_lock lock{lock_};
    return !came_.wait_for(lock, 50ms, [this] { return !items_.empty(); });
  }

private:
  std::mutex lock_;
  std::condition_variable came_;
  std::deque<proto::PeerItem> items_;
};

struct node_under_test {
  shaky_store disk;
  outbox says;
  std::mutex lock;
  std::condition_variable came;
  std::deque<partition::fetched> fetched;
  std::vector<std::uint64_t> given_up;
  std::atomic<host_time> now{host_time{}};
  std::optional<snapshot_transfer> transfer;

  node_under_test() {
    snapshot_transfer::hooks h;
    h.send = [this](node_id, const std::string& item) {
      says.put(item);
      return true;
    };
    h.fetched = [this](partition_id, partition::fetched what) {
      std::lock_guard held{lock};
      fetched.push_back(std::move(what));
      came.notify_all();
    };
    h.given_up = [this](partition_id, std::uint64_t number) { given_up.push_back(number); };
    h.now = [this] { return now.load(); };
    transfer.emplace(*disk.store, std::move(h));
  }

  ~node_under_test() { transfer->stop(); }

  void pass(std::chrono::milliseconds time) {
    now = now.load() + time;
    transfer->tick();
  }

  partition::fetched outcome() {
    std::unique_lock held{lock};
    REQUIRE(came.wait_for(held, 10s, [this] { return !fetched.empty(); }));
    auto what = std::move(fetched.front());
    fetched.pop_front();
    return what;
  }
};

/// A leader with a checkpoint of several parts, and a follower that wants it.
struct pair_of_nodes {
  node_under_test leader, follower;
  std::vector<entity_ref> users;

  pair_of_nodes() {
    std::vector<piece_write> pieces;
    std::uint32_t noise = 1; // not to be compressed
    for (int u = 0; u < 40; ++u) {
      users.push_back(entity_ref::of_session({4}, "user" + std::to_string(u)));
      std::string bytes(30'000, '\0');
      for (auto& b : bytes)
        b = static_cast<char>((noise = noise * 1'664'525 + 1'013'904'223) >> 24);
      pieces.push_back({users.back(), 0, std::move(bytes)});
    }
    take_checkpoint(*leader.disk.store, here, number_there, index_of_it, pieces);
    follower.disk.store->write({attempt(here, number_here)});
  }

  void begin() {
    raft::snapshot_ref ref{index_of_it, 1, {}, partition::manifest_of(number_there)};
    follower.transfer->fetch(here, {node_id{1}, ref, number_here});
    CHECK(follower.says.stays_empty()); // before the attempt is durable nothing may be written
    follower.transfer->begun(here, number_here);
  }

  void deliver_question() { leader.transfer->asked(node_id{2}, follower.says.take().pull()); }

  void deliver_part() { follower.transfer->got(node_id{1}, leader.says.take().part()); }

  /// Until it is whole; how many parts that took.
  int run() {
    for (int parts = 0;; ++parts) {
      auto item = follower.says.take();
      leader.transfer->asked(node_id{2}, item.pull());
      if (item.pull().checkpoint() == 0)
        return parts; // it is done with it
      deliver_part();
    }
  }

  void check_whole() {
    auto what = follower.outcome();
    CHECK(what.ok);
    CHECK(what.record == "record-5");
    CHECK(what.checkpoint == number_here);
    log_batch b;
    b.partition = here;
    b.install = install_record{{number_here, index_of_it, 1, what.record, "members"}};
    follower.disk.store->write({b});
    for (const auto& user : users)
      CHECK(follower.disk.store->load(here, user) == leader.disk.store->load(here, user));
  }
};

} // namespace

TEST_CASE("snapshot_transfer: part after part, and the source is told the end", "[actors]") {
  pair_of_nodes n;
  n.begin();
  CHECK(n.run() >= 4);
  n.check_whole();
  CHECK(n.follower.transfer->count().pulled == 1);
  CHECK(n.follower.transfer->count().pulling == 0);
}

TEST_CASE("snapshot_transfer: what is lost is asked for again, what comes twice does no harm", "[actors]") {
  pair_of_nodes n;
  n.begin();
  n.follower.says.take(); // the question is lost
  n.follower.pass(400ms);
  CHECK(n.follower.says.stays_empty());
  n.follower.pass(100ms);
  n.deliver_question();
  n.leader.says.take(); // the part is lost
  n.follower.pass(500ms);
  auto question = n.follower.says.take();
  n.leader.transfer->asked(node_id{2}, question.pull());
  n.leader.transfer->asked(node_id{2}, question.pull());
  auto first = n.leader.says.take(), again = n.leader.says.take();
  n.follower.transfer->got(node_id{1}, first.part());
  n.follower.transfer->got(node_id{1}, again.part());
  n.follower.transfer->got(node_id{3}, again.part()); // whom nobody asked
  n.run();
  n.check_whole();
}

TEST_CASE("snapshot_transfer: a part that was damaged on the way is asked for again", "[actors]") {
  pair_of_nodes n;
  n.begin();
  n.deliver_question();
  auto item = n.leader.says.take();
  auto damaged = item.part();
  damaged.mutable_bytes()->back() = static_cast<char>(damaged.bytes().back() ^ 1);
  n.follower.transfer->got(node_id{1}, damaged);
  n.run();
  n.check_whole();
}

TEST_CASE("snapshot_transfer: a checkpoint that is gone, or a source that says nothing, is given up", "[actors]") {
  pair_of_nodes n;
  n.begin();
  SECTION("gone before the first part") {
    take_checkpoint(*n.leader.disk.store, here, number_there + 1, index_of_it + 1, {});
    n.deliver_question();
    n.deliver_part();
  }
  SECTION("silence for ten seconds") {
    for (int i = 0; i < 20; ++i) {
      n.follower.pass(500ms);
      n.follower.says.take();
    }
  }
  CHECK_FALSE(n.follower.outcome().ok);
  CHECK(n.follower.given_up == std::vector{number_here});
  CHECK(n.follower.transfer->count().failed == 1);
}

TEST_CASE("snapshot_transfer: a pinned checkpoint is given to its end, though a newer one is in force", "[actors]") {
  pair_of_nodes n;
  n.begin();
  n.deliver_question();
  n.deliver_part();
  take_checkpoint(*n.leader.disk.store, here, number_there + 1, index_of_it + 1, {{n.users[39], 0, "newer"}});
  n.run();
  CHECK(n.follower.outcome().ok);
}

// A backup took the answer of a leader that had no room for it as an empty partition.
TEST_CASE("snapshot_transfer: a reader for whom there is no room hears nothing, and may ask again", "[actors]") {
  pair_of_nodes n;
  auto read = [&](std::uint32_t reader, std::uint64_t checkpoint = number_there) {
    proto::PullPart pull;
    pull.set_partition(here.value);
    pull.set_checkpoint(checkpoint);
    std::promise<std::string> answered;
    n.leader.transfer->read(node_id{reader}, pull, [&](std::string text) { answered.set_value(std::move(text)); });
    return answered.get_future().get();
  };
  for (std::uint32_t reader = 10; reader < 10 + storage::snapshot_source::pins_max; ++reader)
    REQUIRE_FALSE(read(reader).empty());
  CHECK(read(99).empty());
  read(10, 0); // it is done
  proto::SnapshotPart part;
  REQUIRE(part.ParseFromString(read(99)));
  CHECK(part.record() == "record-5");
  CHECK_FALSE(part.bytes().empty());
}
