#include "domain/catalogue.hpp"

#include <catch2/catch.hpp>

using namespace sluice;
using namespace sluice::domain;
using namespace std::chrono_literals;

namespace {

const wall_time morning = wall_time_from_ms(1'800'000'000'000);

/// A cluster in its catalogue, told one thing at a time.
class cluster {
public:
  catalogue machine;
  wall_time now = morning;
  std::vector<catalogue_update> published;
  std::vector<std::string> audit;

  reply tell(const message& what) {
    effects out;
    moment at{{{}, now}, 1};
    machine.begin(at, out);
    machine.apply(at, what, out);
    machine.finish(at, out);
    std::optional<reply> answered;
    for (auto& e : out) {
      if (auto* a = std::get_if<answer>(&e)) {
        CHECK_FALSE(answered);
        answered = a->body;
      } else if (auto* p = std::get_if<publish>(&e)) {
        published.push_back(std::get<catalogue_update>(p->body));
      } else if (auto* f = std::get_if<fact>(&e)) {
        const auto& told = std::get<cluster_changed>(*f);
        audit.push_back(told.what + "|" + told.subject + "|" + told.detail + "|" + told.by);
      }
    }
    REQUIRE(answered);
    return *answered;
  }

  void does(const message& what) {
    auto r = tell(what);
    if (const auto* why = std::get_if<refusal>(&r))
      FAIL("refused: " << code_of(why->why) << " " << why->detail);
  }

  /// Refused, and nothing is changed or published by it.
  errc refuses(const message& what) {
    auto before = machine.state();
    auto count = published.size();
    auto r = tell(what);
    REQUIRE(std::holds_alternative<refusal>(r));
    CHECK_FALSE(std::get<refusal>(r).detail.empty());
    CHECK(machine.state() == before);
    CHECK(published.size() == count);
    return std::get<refusal>(r).why;
  }

  void found(std::uint32_t feature_level = 0) {
    node_entry first;
    first.id = {1};
    first.name = "a";
    first.disk = 11;
    first.peer_address = "10.0.0.1:7070";
    first.feature_level = feature_level;
    does(found_cluster{"c", "keys", "hash", first});
  }

  std::string token(const std::string& replaces = {}, milliseconds ttl = 1h) {
    auto hash = "token " + std::to_string(++tokens_);
    does(add_join_token{hash, now + ttl, replaces, "root"});
    return hash;
  }

  static join_cluster joining(std::string token, std::string name, std::uint64_t disk,
                              node_role role = node_role::member) {
    return {std::move(token), std::move(name), "10.0.0.9:7070", "10.0.0.9:8080", disk, role, "1.0", 1};
  }

  joined_reply joins(const join_cluster& c) {
    auto r = tell(c);
    if (const auto* why = std::get_if<refusal>(&r))
      FAIL("refused: " << code_of(why->why) << " " << why->detail);
    return std::get<joined_reply>(r);
  }

  joined_reply join_new(const std::string& name, std::uint64_t disk, node_role role = node_role::member) {
    return joins(joining(token(), name, disk, role));
  }

  void leave(const std::string& name) {
    does(change_node{name, node_state::draining, "root"});
    does(change_node{name, node_state::removed, "root"});
  }

  static announce_node announcing(std::uint32_t id, std::string name, std::uint64_t disk) {
    return {{id}, std::move(name), "10.0.0.7:7070", "10.0.0.7:8080", disk, node_role::member, "1.1", 1};
  }

  const node_entry& node(std::uint32_t id) const { return machine.state().nodes.at({id}); }

private:
  int tokens_ = 0;
};

} // namespace

TEST_CASE("catalogue: the founder is the first node, and what is known of the nodes is published",
          "[domain][catalogue]") {
  cluster c;
  c.found(1);
  REQUIRE(c.published.size() == 1);
  REQUIRE(c.published[0].nodes.size() == 1);
  CHECK(c.published[0].nodes[0].name == "a");
  CHECK(c.published[0].replication == 1);
  CHECK(c.published[0].feature_level == 1);
  c.found(); // told twice
  CHECK(c.published.size() == 1);
  CHECK(c.join_new("b", 22) == joined_reply{{2}, 1, 1});
  CHECK(c.published.back().nodes.size() == 2);
}

TEST_CASE("catalogue: a join token lets one node in, once, for a while", "[domain][catalogue]") {
  cluster c;
  CHECK(c.refuses(cluster::joining("any", "b", 22)) == errc::node_not_ready);
  c.found();
  CHECK(c.refuses(cluster::joining("any", "b", 22)) == errc::join_token_invalid);
  auto token = c.token();
  SECTION("it is spent by the join") {
    CHECK(c.joins(cluster::joining(token, "b", 22)) == joined_reply{{2}, 1, 1});
    CHECK(c.refuses(cluster::joining(token, "d", 44)) == errc::join_token_invalid);
    CHECK(c.node(2).state == node_state::active);
    CHECK(c.node(2).http_address == "10.0.0.9:8080");
    SECTION("and its command told again makes it no better") {
      c.does(add_join_token{token, morning + 1h, "", "root"});
      CHECK(c.refuses(cluster::joining(token, "d", 44)) == errc::join_token_invalid);
    }
    SECTION("the node that lost its answer gets it again") {
      auto count = c.published.size();
      CHECK(c.joins(cluster::joining(token, "b", 22)) == joined_reply{{2}, 1, 1});
      CHECK(c.published.size() == count);
    }
  }
  SECTION("a refused join does not spend it") {
    CHECK(c.refuses(cluster::joining(token, "a", 22)) == errc::node_name_taken);
    CHECK(c.refuses(cluster::joining(token, "b", 11)) == errc::disk_retired); // the founder's folder, copied
    CHECK(c.refuses(cluster::joining(token, "no good", 22)) == errc::bad_value);
    CHECK(c.refuses(cluster::joining(token, "b", 0)) == errc::bad_value);
    c.joins(cluster::joining(token, "b", 22));
  }
  SECTION("one millisecond before its end it is good") {
    c.now += 1h - 1ms;
    c.joins(cluster::joining(token, "b", 22));
  }
  SECTION("at its end it is not") {
    c.now += 1h;
    CHECK(c.refuses(cluster::joining(token, "b", 22)) == errc::join_token_invalid);
  }
}

TEST_CASE("catalogue: tokens are bounded; what is of no use goes first", "[domain][catalogue]") {
  cluster c;
  c.found();
  auto spent = c.token({}, 30h);
  auto soon = c.token({}, 1min);
  c.joins(cluster::joining(spent, "b", 22));
  auto good = c.token({}, 2min);
  for (std::size_t i = 3; i < catalogue::join_tokens_max; ++i)
    c.token({}, 20h);
  const auto& tokens = c.machine.state().join_tokens;
  CHECK(tokens.size() == catalogue::join_tokens_max);
  SECTION("expired ones") {
    c.now += 1min;
    c.token();
    CHECK(tokens.size() == catalogue::join_tokens_max);
    CHECK_FALSE(tokens.contains(soon));
    CHECK(tokens.contains(spent));
  }
  SECTION("then spent ones, then those that end first") {
    c.token();
    CHECK_FALSE(tokens.contains(spent));
    CHECK(tokens.contains(soon));
    c.token();
    CHECK_FALSE(tokens.contains(soon));
    CHECK(tokens.contains(good));
    CHECK(tokens.size() == catalogue::join_tokens_max);
  }
}

TEST_CASE("catalogue: a node whose disk is gone is replaced, and the old disk never comes back",
          "[domain][catalogue]") {
  cluster c;
  c.found();
  c.join_new("b", 22);
  CHECK(c.refuses(add_join_token{"t", morning + 1h, "nobody", "root"}) == errc::node_unknown);
  auto plain = c.token();
  auto token = c.token("b");
  CHECK(c.refuses(cluster::joining(plain, "b", 23)) == errc::node_name_taken);
  CHECK(c.refuses(cluster::joining(token, "d", 23)) == errc::join_token_invalid);
  CHECK(c.refuses(cluster::joining(token, "b", 23, node_role::bridge)) == errc::bad_value);
  CHECK(c.joins(cluster::joining(token, "b", 23)) == joined_reply{{2}, 2, 1});
  CHECK(c.joins(cluster::joining(token, "b", 23)) == joined_reply{{2}, 2, 1});
  CHECK(c.node(2).disk == 23);
  CHECK(c.refuses(cluster::announcing(2, "b", 22)) == errc::disk_retired);
  c.does(cluster::announcing(2, "b", 23));
  CHECK(c.joins(cluster::joining(c.token("b"), "b", 24)).generation == 3);
  SECTION("a drain goes on, whatever the disk") {
    c.does(change_node{"b", node_state::draining, "root"});
    c.joins(cluster::joining(c.token("b"), "b", 25));
    CHECK(c.node(2).state == node_state::draining);
  }
  SECTION("not one that was removed meanwhile") {
    auto late = c.token("b");
    c.leave("b");
    CHECK(c.refuses(cluster::joining(late, "b", 25)) == errc::node_unknown);
  }
}

TEST_CASE("catalogue: a node announces itself at each start", "[domain][catalogue]") {
  cluster c;
  SECTION("the first of a cluster founded before nodes were listed") {
    CHECK(c.refuses(cluster::announcing(1, "a", 11)) == errc::node_not_ready);
    c.does(found_cluster{"c", "keys", "hash"});
    CHECK(c.refuses(cluster::joining("any", "b", 22)) == errc::node_not_ready);
    c.does(cluster::announcing(1, "a", 11));
    CHECK(c.published.back().nodes.size() == 1);
    CHECK(c.node(1).version == "1.1");
    CHECK(c.join_new("b", 22).node == node_id{2});
  }
  SECTION("with new addresses and another version") {
    c.found();
    auto count = c.published.size();
    c.does(cluster::announcing(1, "a", 11));
    CHECK(c.node(1).peer_address == "10.0.0.7:7070");
    CHECK(c.published.size() == count + 1);
    c.does(cluster::announcing(1, "a", 11)); // nothing new
    CHECK(c.published.size() == count + 1);
  }
  SECTION("and is refused as somebody else") {
    c.found();
    CHECK(c.refuses(cluster::announcing(1, "a", 12)) == errc::disk_retired);
    CHECK(c.refuses(cluster::announcing(2, "b", 22)) == errc::node_unknown);
    CHECK(c.refuses(cluster::announcing(1, "b", 11)) == errc::bad_value);
    auto other = cluster::announcing(1, "a", 11);
    other.role = node_role::bridge;
    CHECK(c.refuses(other) == errc::bad_value);
    other = cluster::announcing(1, "a", 11);
    other.peer_address.assign(256, 'x');
    CHECK(c.refuses(other) == errc::bad_value);
  }
}

TEST_CASE("catalogue: a node is drained before it goes, and comes back as a new one only", "[domain][catalogue]") {
  cluster c;
  c.found();
  c.join_new("b", 22);
  CHECK(c.refuses(change_node{"x", node_state::draining, "root"}) == errc::node_unknown);
  CHECK(c.refuses(change_node{"b", node_state::removed, "root"}) == errc::action_not_allowed);
  c.does(change_node{"b", node_state::draining, "root"});
  c.does(change_node{"b", node_state::active, "root"});
  c.does(change_node{"b", node_state::draining, "root"});
  CHECK(c.refuses(change_node{"a", node_state::draining, "root"}) == errc::too_few_nodes); // the last active one
  c.does(change_node{"b", node_state::removed, "root"});
  c.does(change_node{"b", node_state::removed, "root"}); // asked for twice
  CHECK(c.node(2).peer_address.empty());
  CHECK(c.node(2).http_address.empty());
  CHECK(c.published.back().nodes.size() == 2);
  CHECK(c.refuses(change_node{"b", node_state::active, "root"}) == errc::node_unknown);
  CHECK(c.refuses(cluster::announcing(2, "b", 22)) == errc::disk_retired);
  CHECK(c.refuses(cluster::joining(c.token(), "b", 22)) == errc::disk_retired);
  CHECK(c.join_new("b", 23) == joined_reply{{3}, 1, 1}); // the name is free, the id is not
}

TEST_CASE("catalogue: there are always members enough for the replication", "[domain][catalogue]") {
  cluster c;
  c.found();
  c.join_new("edge", 90, node_role::bridge);
  c.join_new("b", 22);
  CHECK(c.refuses(set_replication{2, "root"}) == errc::bad_value);
  CHECK(c.refuses(set_replication{3, "root"}) == errc::too_few_nodes); // a bridge holds nothing
  c.join_new("d", 33);
  c.does(set_replication{3, "root"});
  CHECK(c.published.back().replication == 3);
  CHECK(c.join_new("e", 44).replication == 3);
  CHECK(c.refuses(set_replication{5, "root"}) == errc::too_few_nodes);
  c.leave("e");
  c.does(change_node{"d", node_state::draining, "root"}); // may be stopped for a while
  CHECK(c.refuses(change_node{"d", node_state::removed, "root"}) == errc::too_few_nodes);
  c.leave("edge");
  SECTION("another node makes it possible") {
    c.join_new("f", 55);
  }
  SECTION("or fewer copies do") {
    c.does(set_replication{1, "root"});
  }
  c.does(change_node{"d", node_state::removed, "root"});
}

TEST_CASE("catalogue: 64 nodes at most; ids are never dealt twice, and the removed are forgotten one day",
          "[domain][catalogue]") {
  cluster c;
  c.found();
  for (std::uint32_t n = 2; n <= catalogue::nodes_max; ++n)
    CHECK(c.join_new("n" + std::to_string(n), 100 + n).node == node_id{n});
  CHECK(c.refuses(cluster::joining(c.token(), "more", 99)) == errc::too_many_nodes);
  CHECK(c.joins(cluster::joining(c.token("n7"), "n7", 1'007)).node == node_id{7}); // takes no more room
  std::uint32_t last = catalogue::nodes_max;
  for (std::uint32_t round = 0; round < 100; ++round) {
    c.leave(round == 0 ? "n2" : "again");
    CHECK(c.join_new("again", 2'000 + round).node == node_id{++last});
  }
  CHECK(c.machine.state().nodes.size() == catalogue::nodes_max + catalogue::removed_nodes_max);
  CHECK_FALSE(c.machine.state().nodes.contains({2}));
  CHECK(c.refuses(cluster::announcing(2, "n2", 102)) == errc::node_unknown);
}

TEST_CASE("catalogue: a feature is active once every member knows it, and then no older program gets in",
          "[domain][catalogue]") {
  cluster c;
  CHECK(c.refuses(activate_feature{1, "root"}) == errc::node_not_ready);
  c.found(1);
  c.join_new("b", 22); // knows 1
  auto bridge = cluster::joining(c.token(), "edge", 90, node_role::bridge);
  c.joins(bridge);
  c.does(activate_feature{1, "root"}); // is already
  CHECK(c.refuses(activate_feature{0, "root"}) == errc::action_not_allowed);
  auto newer = cluster::announcing(1, "a", 11);
  newer.feature_level = 2;
  c.does(newer);
  CHECK(c.refuses(activate_feature{2, "root"}) == errc::version_too_old);
  SECTION("when the last one is upgraded") {
    newer = cluster::announcing(2, "b", 22);
    newer.feature_level = 3;
    c.does(newer);
  }
  SECTION("or has left") {
    c.leave("b");
  }
  CHECK(c.refuses(activate_feature{2, "root"}) == errc::version_too_old); // a bridge reads what nodes publish
  c.leave("edge");
  c.does(activate_feature{2, "root"});
  CHECK(c.published.back().feature_level == 2);
  CHECK(c.refuses(cluster::joining(c.token(), "d", 44)) == errc::version_too_old);
  CHECK(c.refuses(cluster::announcing(1, "a", 11)) == errc::version_too_old);
}

TEST_CASE("catalogue: whatever changes the cluster is told once, with who asked", "[domain][catalogue]") {
  cluster c;
  auto join = [&](const std::string& name, std::uint64_t disk) {
    auto joining = cluster::joining(c.token(), name, disk);
    joining.feature_level = 2;
    c.joins(joining);
  };
  c.found(2);
  join("b", 22);
  c.does(set_replication{1, "root"}); // as it is
  c.does(change_node{"b", node_state::draining, "desk", "r1"});
  c.does(change_node{"b", node_state::draining, "desk", "r1"});
  c.does(change_node{"b", node_state::active, "root"});
  c.does(add_key{"till", "h", key_role::viewer, "r2", "root"});
  c.does(remove_key{"till", "r3", "root"});
  CHECK(c.audit == std::vector<std::string>{"founded|a|cluster c, epoch 1|", "join token made|||root",
                                            "node joined|b|node 2, generation 1|", "node drained|b||desk",
                                            "node activated|b||root", "key added|till|viewer|root",
                                            "key removed|till||root"});
  join("d", 44);
  c.audit.clear();
  c.does(set_replication{3, "root"});
  CHECK(c.audit == std::vector<std::string>{"replication changed||3|root"});

  cluster older;
  older.found(1);
  older.join_new("b", 22);
  CHECK(older.audit.empty()); // older programs do not know the fact
}
