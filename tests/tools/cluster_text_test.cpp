// What sluicectl makes of a node's account of its cluster.
#include "cluster_text.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace sluice;
using namespace sluice::ctl;

namespace {

codec::document json(std::string text) {
  auto parsed = codec::parse_json(text);
  REQUIRE(parsed);
  return *parsed;
}

/// Three members that hold both partitions; words in it are exchanged to make it worse.
std::string healthy() {
  return R"({"clusterId":"sluice-1","epoch":2,"version":"1.0","replication":3,"nodes":[
    {"id":1,"name":"a","role":"MEMBER","state":"ACTIVE","peerAddress":"10.0.0.1:7070","httpAddress":"10.0.0.1:8080",
     "version":"1.0","reachable":true,"diskFreeBytes":53687091200},
    {"id":2,"name":"b","role":"MEMBER","state":"ACTIVE","peerAddress":"10.0.0.2:7070","httpAddress":"10.0.0.2:8080",
     "version":"1.0","reachable":true,"diskFreeBytes":53687091200},
    {"id":3,"name":"c","role":"MEMBER","state":"ACTIVE","peerAddress":"10.0.0.3:7070","httpAddress":"10.0.0.3:8080",
     "version":"1.0","reachable":true,"diskFreeBytes":53687091200},
    {"id":4,"name":"c","role":"MEMBER","state":"REMOVED","reachable":false}],
   "partitions":[
    {"id":0,"leader":1,"term":5,"index":20000,"replicas":[{"node":1,"kind":"VOTER","index":20000,"lag":0},
      {"node":2,"kind":"VOTER","index":19990,"lag":10},{"node":3,"kind":"VOTER","index":20000,"lag":0}]},
    {"id":1,"leader":2,"term":6,"index":300,"replicas":[{"node":1,"kind":"VOTER","index":300,"lag":0},
      {"node":2,"kind":"VOTER","index":300,"lag":0},{"node":3,"kind":"VOTER","index":300,"lag":0}]}]})";
}

std::string with(std::string text, const std::string& old, const std::string& now) {
  auto at = text.find(old);
  REQUIRE(at != std::string::npos);
  return text.replace(at, old.size(), now);
}

using lines = std::vector<std::string>;

const std::string b_up = R"("version":"1.0","reachable":true,"diskFreeBytes":53687091200},
    {"id":3)";

} // namespace

TEST_CASE("cluster status: of a healthy cluster there are tables, and nothing to tell", "[tools][cluster]") {
  auto d = json(healthy());
  CHECK(cluster_troubles(d).empty());
  CHECK(cluster_notes(d).empty());
  CHECK(cluster_lines(d) ==
        lines{"cluster      sluice-1, epoch 2", "version      1.0", "replication  3", "",
              "NODE  ID  ROLE    STATE   REACHABLE  PEER ADDRESS   HTTP ADDRESS   VERSION  DISK FREE",
              "a      1  member  active  yes        10.0.0.1:7070  10.0.0.1:8080      1.0  50.0 GiB",
              "b      2  member  active  yes        10.0.0.2:7070  10.0.0.2:8080      1.0  50.0 GiB",
              "c      3  member  active  yes        10.0.0.3:7070  10.0.0.3:8080      1.0  50.0 GiB", "",
              "PARTITION  LEADER  TERM  INDEX  LAG  REPLICAS", "        0  a          5  20000   10  a, b, c",
              "        1  b          6    300    0  a, b, c"});
}

TEST_CASE("cluster status: what is wrong is said in words, with what to do", "[tools][cluster]") {
  SECTION("a node that is away") {
    auto d = json(with(healthy(), b_up, with(b_up, "true", "false")));
    CHECK(cluster_troubles(d) == lines{"node b at 10.0.0.2:7070 can not be reached: start it, or if its disk is gone: "
                                       "sluicectl cluster replace b"});
  }
  SECTION("a partition without a leader, while a majority is there") {
    auto d = json(with(healthy(), R"("leader":2)", R"("leader":0)"));
    CHECK(cluster_troubles(d) ==
          lines{"partition 1 has no leader in term 6 at index 300, its events stand still: an election should "
                "end that within seconds"});
  }
  SECTION("since its voters' states differ") {
    auto text = with(healthy(), R"("leader":2)", R"("leader":0)");
    text = with(text, R"({"node":2,"kind":"VOTER","index":300,)",
                R"({"node":2,"halted":true,"kind":"VOTER","index":300,)");
    CHECK(
        cluster_troubles(json(text)) ==
        lines{
            "partition 1 has no leader in term 6 at index 300, its events stand still: its voters' states differ, and no "
            "majority has the same. Restart its nodes; if it stands still again, restore a backup"});
  }
  SECTION("or one replica's does, and the others go on") {
    auto text = with(healthy(), R"({"node":2,"kind":"VOTER","index":300,)",
                     R"({"node":2,"halted":true,"kind":"VOTER","index":300,)");
    CHECK(cluster_troubles(json(text)) ==
          lines{"partition 1: the replica on b stands still, since its state differed from another "
                "voter's; the leader is at index 300 of term 6: restart that node"});
  }
  SECTION("and for want of one") {
    auto text = with(healthy(), R"("leader":2)", R"("leader":0)");
    text = with(text, R"("reachable":true)", R"("reachable":false)");
    text = with(text, R"("reachable":true)", R"("reachable":false)");
    auto told = cluster_troubles(json(text));
    REQUIRE(told.size() == 3);
    CHECK(told[2] ==
          "partition 1 has no leader in term 6 at index 300, its events stand still: of its 3 voters a, b can not be "
          "reached, and a majority is needed: start them; if they are gone for good: sluicectl cluster recover");
  }
  SECTION("also when those that are away said nothing for a while") {
    auto text = with(healthy(), R"("leader":2,"term":6,"index":300,"replicas":[)",
                     R"("leader":0,"term":6,"index":300,"voters":[1,2,3],"replicas":[)");
    text = with(text, b_up, with(b_up, "true", "false"));
    text = with(text, R"("reachable":true)", R"("reachable":false)");
    text = with(text, R"({"node":2,"kind":"VOTER","index":300,"lag":0},)", "");
    auto told = cluster_troubles(json(text));
    REQUIRE(told.size() == 3); // and none about too few voters
    CHECK(told[2].find("of its 3 voters a, b can not be reached") != std::string::npos);
    CHECK(cluster_lines(json(text)).back() == "        1  NONE       6    300    0  a, c, b (silent)");
    CHECK(held_by(json(text), "b") == 2);
  }
  SECTION("a replica far behind, if its node is there") {
    auto text = with(healthy(), R"("index":19990,"lag":10)", R"("index":5,"lag":19995)");
    CHECK(cluster_troubles(json(text)) ==
          lines{"partition 0: the replica on b is 19,995 entries behind index 20000 of term 5: look at its disk and "
                "its line"});
    CHECK(cluster_troubles(json(with(text, b_up, with(b_up, "true", "false")))).size() == 1);
  }
  SECTION("a disk that fills up") {
    auto d = json(with(healthy(), "53687091200", "536870912"));
    CHECK(cluster_troubles(d) == lines{"node a has 512 MiB of disk left: without any it stops"});
  }
  SECTION("too few nodes and copies") {
    auto text = with(healthy(), R"("replication":3)", R"("replication":5)");
    CHECK(cluster_troubles(json(text)) ==
          lines{"there are 3 active members for a replication of 5: add a node (sluicectl cluster token)",
                "fewer than 5 voters hold partitions 0, 1: they move by themselves once there are members enough"});
  }
  SECTION("and nothing a node sends can steer the terminal") {
    auto d = json(with(healthy(), "10.0.0.1:7070", "\\u001b[2J"));
    for (const auto& line : cluster_lines(d))
      CHECK(line.find('\x1b') == std::string::npos);
  }
}

TEST_CASE("cluster status: what goes on is told, too", "[tools][cluster]") {
  SECTION("a drain, until there is nothing left to move") {
    auto text = with(healthy(), R"("name":"c","role":"MEMBER","state":"ACTIVE")",
                     R"("name":"c","role":"MEMBER","state":"DRAINING")");
    text = with(text, R"("replication":3)", R"("replication":1)");
    CHECK(held_by(json(text), "c") == 2);
    CHECK(cluster_notes(json(text)) == lines{"node c drains: it still holds 2 partitions",
                                             "more than 1 voter for partitions 0, 1: one that moved is about to go"});
    for (int i = 0; i < 2; ++i)
      text = with(text, R"({"node":3,)", R"({"node":2,)");
    CHECK(held_by(json(text), "c") == 0);
    CHECK(cluster_notes(json(text)) ==
          lines{"node c drains: it holds nothing any more: stop it, or sluicectl cluster remove c",
                "more than 1 voter for partitions 0, 1: one that moved is about to go"});
  }
  SECTION("an upgrade") {
    CHECK(cluster_notes(json(with(healthy(), b_up, with(b_up, "1.0", "1.1")))) ==
          lines{"several versions run: 1.0 on a, c; 1.1 on b"});
  }
  SECTION("a replica being filled, however far behind it is") {
    auto text = with(healthy(), R"({"node":3,"kind":"VOTER","index":20000,"lag":0})",
                     R"({"node":3,"kind":"LEARNER","index":0,"lag":20000})");
    CHECK(cluster_notes(json(text)) == lines{"node c is being filled with partition 0"});
    CHECK(cluster_troubles(json(text)) ==
          lines{"fewer than 3 voters hold partition 0: they move by themselves once there are members enough"});
  }
  SECTION("a replica that lost its log") {
    auto text = with(healthy(), R"({"node":2,"kind":"VOTER","index":300,)",
                     R"({"node":2,"rejoining":true,"kind":"VOTER","index":300,)");
    CHECK(cluster_notes(json(text)) ==
          lines{"node b gets partition 1 anew: it has no vote there until it has caught up"});
  }
}

TEST_CASE("cluster status: an older node that says less is no alarm", "[tools][cluster]") {
  auto d = json(R"({"clusterId":"c","version":"0.9","nodes":[{"id":1,"listen":"127.0.0.1:8080","state":"SERVING"}],
                    "partitions":[{"id":0,"leader":1,"term":1,"index":7}]})");
  CHECK(cluster_troubles(d).empty());
  CHECK(cluster_lines(d).back() == "        0  node 1     1      7    0");
}

TEST_CASE("cluster status: who has just come and said nothing yet is not well", "[tools][cluster]") {
  auto text = with(healthy(), R"({"id":1,"leader":2,)", R"({"id":1,"voters":[1,2,3],"leader":2,)");
  CHECK(cluster_troubles(json(text)).empty());
  text = with(text, R"({"node":2,"kind":"VOTER","index":300,"lag":0},)", "");
  CHECK(cluster_troubles(json(text)) ==
        lines{"node b has not said yet how far it is with partition 1: ask again in a second"});
}

TEST_CASE("cluster status: a node without memory is told, and what to do", "[tools][cluster]") {
  auto told = cluster_troubles(json(with(healthy(), R"("name":"b","role")", R"("memoryFull":true,"name":"b","role")")));
  REQUIRE(told.size() == 1);
  CHECK(told[0].find("node b has used 95 % of its memory limit") == 0);
  CHECK(told[0].find("--memory-limit-mib") != std::string::npos);
}

TEST_CASE("cluster status: what all nodes understand and nobody began to use is told", "[tools][cluster]") {
  auto text = with(healthy(), R"("epoch":2)", R"("epoch":2,"featureLevel":2)");
  for (const char* name : {"a", "b", "c"})
    text = with(text, R"("name":")" + std::string{name} + R"(","role")",
                R"("featureLevel":3,"name":")" + std::string{name} + R"(","role")");
  auto d = json(text);
  CHECK(cluster_lines(d)[3] == "features     level 2");
  CHECK(cluster_notes(d) ==
        lines{"all nodes know feature level 3: sluicectl cluster activate-feature 3 begins to use it; "
              "no older version can join from then on"});
  CHECK(cluster_notes(json(with(text, R"("featureLevel":3,"name":"b")", R"("featureLevel":2,"name":"b")"))).empty());
  CHECK(cluster_notes(json(with(text, R"("featureLevel":3,"name":"b")", R"("name":"b")"))).empty());
  CHECK(cluster_notes(json(with(text, R"("featureLevel":2)", R"("featureLevel":3)"))).empty());
  CHECK(cluster_troubles(d).empty());
}

TEST_CASE("cluster token: the command for the new node is complete", "[tools][cluster]") {
  CHECK(
      join_command("slj_x", {"10.0.0.1:7070", "10.0.0.2:7070"}, "") ==
      "sluiced --name NAME --data DIR --listen ADDRESS:8080 --peer-listen ADDRESS:7080 --payment-provider ADDRESS:8090 "
      "--join 10.0.0.1:7070 --join-token slj_x");
  CHECK(join_command("slj_x", {}, "b").find("--name b --data DIR") != std::string::npos);
  CHECK(join_command("slj_x", {}, "b").find("--join PEER-ADDRESS ") != std::string::npos);
}
