// What the whole cluster shares: its identity, its nodes, the admin keys, and which events there are. Lives in placement group 0.
#pragma once

#include "domain/effects.hpp"
#include "domain/request_memory.hpp"

#include <map>
#include <optional>
#include <string>

namespace sluice::domain {

/// Lets one node in. A spent one is kept until it expires, so that its command told twice does not make it good again.
struct join_token {
  std::string hash; // SHA-256 of the token, hex
  wall_time expires{};
  std::string replaces; // name of the node whose place is taken; empty: a new one's
  bool spent = false;

  friend bool operator==(const join_token&, const join_token&) = default;
};

std::string_view word_of(key_role role);

struct catalogue_state {
  bool founded = false;
  std::string cluster_id;
  std::uint32_t epoch = 0;
  std::string wrapped_keys;
  std::uint32_t last_event = 0;
  std::map<std::string, catalogue_entry> events; // by slug
  std::map<std::string, key_entry> keys;         // by name
  std::map<node_id, node_entry> nodes;
  std::uint32_t last_node = 0;                   // highest id ever dealt
  std::map<std::string, join_token> join_tokens; // by hash
  std::uint32_t replication = 1;
  std::uint32_t feature_level = 0;
  request_memory requests; // of operators

  friend bool operator==(const catalogue_state&, const catalogue_state&) = default;
};

/// The catalogue machine. Owned by one entity actor, hence unsynchronised. Deterministic.
class catalogue {
public:
  static constexpr std::size_t events_max = 10'000;
  static constexpr std::size_t keys_max = 1'000;
  static constexpr std::size_t nodes_max = 64;         // active and draining
  static constexpr std::size_t removed_nodes_max = 64; // remembered; beyond, the oldest ids are forgotten
  static constexpr std::size_t join_tokens_max = 100;
  static constexpr std::size_t address_bytes_max = 255;
  static constexpr std::size_t version_bytes_max = 64;

  catalogue() = default;

  explicit catalogue(catalogue_state state) : state_{std::move(state)} {}

  void begin(const moment&, effects&) {}

  void apply(const moment& at, const message& m, effects& out);
  void finish(const moment& at, effects& out);

  reply ask(const entry_time&, const message&) const { return refusal{errc::not_found, {}, {}}; }

  std::optional<log_time> next_deadline(const entry_time&) const { return std::nullopt; }

  void publish_all(const entry_time& now, effects& out);

  const catalogue_state& state() const { return state_; }

private:
  void on(const moment& at, const found_cluster& c, effects& out);
  void on(const moment& at, const register_event& c, effects& out);
  void on(const moment& at, const event_summary& n, effects& out);
  void on(const moment& at, const add_key& c, effects& out);
  void on(const moment& at, const remove_key& c, effects& out);
  void on(const moment& at, const note_deed& c, effects& out);
  // catalogue_nodes.cpp
  void on(const moment& at, const add_join_token& c, effects& out);
  void on(const moment& at, const join_cluster& c, effects& out);
  void on(const moment& at, const announce_node& c, effects& out);
  void on(const moment& at, const change_node& c, effects& out);
  void on(const moment& at, const set_replication& c, effects& out);
  void on(const moment& at, const activate_feature& c, effects& out);

  std::optional<refusal> unfit(const join_cluster& c) const;
  std::optional<refusal> bad_token(const moment& at, const join_cluster& c) const;
  std::optional<refusal> unfit(const announce_node& c) const;
  std::optional<refusal> can_not_go(const node_entry& node, node_state wanted) const;
  /// Of those not removed: there a name is given once.
  node_entry* present(const std::string& name);

  const node_entry* present(const std::string& name) const { return const_cast<catalogue*>(this)->present(name); }

  const node_entry* with_disk(std::uint64_t disk) const;
  std::size_t active_members() const;
  void audit(cluster_changed what, effects& out) const;
  void forget_old_nodes();

  catalogue_state state_;
  bool changed_ = false;
};

} // namespace sluice::domain
