// What the whole cluster shares: its identity, the admin keys, and which events there are. Lives in placement group 0.
#pragma once

#include "domain/effects.hpp"

#include <map>
#include <optional>
#include <string>

namespace sluice::domain {

struct catalogue_state {
  bool founded = false;
  std::string cluster_id;
  std::uint32_t epoch = 0;
  std::string wrapped_keys;
  std::uint32_t last_event = 0;
  std::map<std::string, catalogue_entry> events; // by slug
  std::map<std::string, key_entry> keys;         // by name

  friend bool operator==(const catalogue_state&, const catalogue_state&) = default;
};

/// The catalogue machine. Owned by one entity actor, hence unsynchronised. Deterministic.
class catalogue {
public:
  static constexpr std::size_t events_max = 10'000;
  static constexpr std::size_t keys_max = 1'000;

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

  catalogue_state state_;
  bool changed_ = false;
};

} // namespace sluice::domain
