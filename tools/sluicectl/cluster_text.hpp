// The node's account of its cluster, as tables and in words. Pure.
#pragma once

#include "codec/document.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace sluice::ctl {

/// Entries a replica may be behind before it is worth a word: far more than what is under way in a busy cluster.
constexpr std::int64_t lag_worth_telling = 10'000;
/// Free space on a node's disk below which it is worth a word, in bytes.
constexpr std::int64_t disk_worth_telling = std::int64_t{2} << 30;

/// Head, nodes, partitions; as wide as they are. `cluster` is what GET /admin/v1/cluster answers.
std::vector<std::string> cluster_lines(const codec::document& cluster);

/// What is wrong, and what to do about it; empty: all is well. One sentence each.
std::vector<std::string> cluster_troubles(const codec::document& cluster);

/// What goes on and is not wrong: drains, upgrades, replicas being filled.
std::vector<std::string> cluster_notes(const codec::document& cluster);

/// One thing to do about the cluster's size or a node.
struct advice {
  std::string action; // add, remove, replace, replicate, free-disk
  std::string node;   // empty: of no node in particular
  std::string why;
};

/// Whether a node should come or go, and why. Pure: thresholds are in cluster_advice.cpp.
std::vector<advice> cluster_advice(const codec::document& cluster);

/// Partitions that the node of this name holds a replica of, or leads.
std::size_t held_by(const codec::document& cluster, const std::string& name);

/// The line to run on a new node. `peers` may be empty: then a word stands in for the address.
std::string join_command(const std::string& token, const std::vector<std::string>& peers, const std::string& name);

} // namespace sluice::ctl
