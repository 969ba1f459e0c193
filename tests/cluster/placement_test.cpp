#include "cluster/placement.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <set>

using namespace sluice;

namespace {

std::vector<node_id> nodes(std::initializer_list<std::uint32_t> ids) {
  std::vector<node_id> all;
  for (auto id : ids)
    all.push_back({id});
  return all;
}

std::set<node_id> nodes_set(std::initializer_list<std::uint32_t> ids) {
  std::set<node_id> all;
  for (auto id : ids)
    all.insert({id});
  return all;
}

std::vector<node_id> first_nodes(std::uint32_t count) {
  std::vector<node_id> all;
  for (std::uint32_t id = 1; id <= count; ++id)
    all.push_back({id});
  return all;
}

std::vector<raft::membership> targets(std::uint32_t partitions, const std::vector<node_id>& active,
                                      unsigned replication) {
  std::vector<raft::membership> all;
  for (std::uint32_t p = 0; p < partitions; ++p)
    all.push_back(target_of({p}, active, replication));
  return all;
}

std::set<node_id> without(const std::set<node_id>& from, const std::set<node_id>& what) {
  std::set<node_id> rest;
  std::set_difference(from.begin(), from.end(), what.begin(), what.end(), std::inserter(rest, rest.end()));
  return rest;
}

/// The least and the most of what the nodes have.
std::pair<std::uint32_t, std::uint32_t> spread(const std::map<node_id, std::uint32_t>& counts) {
  auto [least, most] = std::minmax_element(counts.begin(), counts.end(),
                                           [](const auto& a, const auto& b) { return a.second < b.second; });
  return {least->second, most->second};
}

} // namespace

TEST_CASE("placement: as many voters as asked for, or all there are", "[cluster][placement]") {
  CHECK(target_of({0}, {}, 3).voters.empty());
  CHECK(target_of({0}, nodes({4}), 3).voters == std::set<node_id>{{4}});
  CHECK(target_of({7}, nodes({1, 2}), 3).voters.size() == 2);
  CHECK(target_of({7}, nodes({1, 2, 3, 4, 5, 6}), 3).voters.size() == 3);
  CHECK(target_of({7}, nodes({1, 2, 3, 4, 5, 6}), 5).voters.size() == 5);
  CHECK(target_of({7}, nodes({1, 2, 3}), 1).learners.empty());
  SECTION("whatever the order they are named in, and however often") {
    CHECK(target_of({7}, nodes({6, 3, 1, 5, 4, 2, 3, 3}), 3) == target_of({7}, nodes({1, 2, 3, 4, 5, 6}), 3));
  }
  SECTION("as in every version before: another choice would move every cluster's data") {
    CHECK(target_of({0}, first_nodes(7), 3).voters == nodes_set({4, 5, 6}));
    CHECK(target_of({63}, first_nodes(7), 3).voters == nodes_set({1, 3, 5}));
  }
}

TEST_CASE("placement: a node that comes takes its share, one that goes leaves its own; nothing else moves",
          "[cluster][placement]") {
  constexpr std::uint32_t partitions = 64;
  for (unsigned replication : {1u, 3u, 5u})
    for (std::uint32_t count = 1; count <= 12; ++count) {
      auto few = first_nodes(count);
      auto more = few;
      more.push_back({count + 7}); // ids have gaps
      std::uint32_t moved = 0;
      for (std::uint32_t p = 0; p < partitions; ++p) {
        auto before = target_of({p}, few, replication).voters;
        auto after = target_of({p}, more, replication).voters;
        INFO("partition " << p << " of " << count << " nodes, replication " << replication);
        CHECK(without(after, before) ==
              (after.contains({count + 7}) ? std::set<node_id>{{count + 7}} : std::set<node_id>{}));
        CHECK(without(before, after).size() <= 1);
        CHECK((after.contains({count + 7}) || after == before)); // and so, read backwards, for one that goes
        moved += after.contains({count + 7});
      }
      INFO("moved " << moved << " to node " << count + 7);
      if (count >= replication) { // its fair share, give or take what chance does
        CHECK(moved * (count + 1) * 5 > partitions * replication * 2);
        CHECK(moved * (count + 1) < partitions * replication * 2);
      }
    }
}

TEST_CASE("placement: replicas and leaders are spread", "[cluster][placement]") {
  struct figure {
    std::uint32_t partitions;
    std::uint32_t count;
    std::pair<std::uint32_t, std::uint32_t> replicas; // of a node, least and most
    std::pair<std::uint32_t, std::uint32_t> leaders;
  };

  constexpr figure figures[] = {
      {16, 3, {16, 16}, {5, 6}},   {64, 3, {64, 64}, {21, 22}}, {16, 5, {7, 12}, {3, 4}},
      {64, 5, {35, 42}, {12, 13}}, {16, 7, {6, 8}, {2, 3}},     {64, 7, {26, 30}, {9, 10}},
  };
  for (const auto& f : figures) {
    auto active = first_nodes(f.count);
    auto members = targets(f.partitions, active, 3);
    std::map<node_id, std::uint32_t> replicas;
    std::map<node_id, std::uint32_t> leads;
    for (auto node : active)
      replicas[node] = leads[node] = 0;
    for (const auto& m : members)
      for (auto node : m.voters)
        ++replicas[node];
    auto leaders = preferred_leaders(members, active);
    REQUIRE(leaders.size() == f.partitions);
    for (std::uint32_t p = 0; p < f.partitions; ++p) {
      CHECK(members[p].voters.contains(leaders[p]));
      CHECK(preferred_leader({p}, f.partitions, active, 3) == leaders[p]);
      ++leads[leaders[p]];
    }
    INFO(f.partitions << " partitions over " << f.count << " nodes");
    CHECK(spread(replicas) == f.replicas);
    CHECK(spread(leads) == f.leaders);
  }
}

TEST_CASE("placement: a node that may not lead leads nothing, and the others share evenly", "[cluster][placement]") {
  auto members = targets(16, first_nodes(3), 3);
  std::map<node_id, std::uint32_t> leads;
  for (auto leader : preferred_leaders(members, nodes({1, 3})))
    ++leads[leader];
  CHECK(leads == std::map<node_id, std::uint32_t>{{{1}, 8}, {{3}, 8}});
  SECTION("a learner is no candidate") {
    members[0] = {nodes_set({2}), nodes_set({1, 3})};
    CHECK(preferred_leaders(members, nodes({1, 2, 3}))[0] == node_id{2});
  }
  SECTION("without any candidate the partition is left as it is") {
    CHECK(preferred_leaders(members, nodes({9}))[5] == node_id{});
    CHECK(preferred_leader({16}, 16, nodes({1}), 1) == node_id{});
  }
}
