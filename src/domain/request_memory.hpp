// Which commands an entity has answered lately, and how.
#pragma once

#include "domain/effects.hpp"

#include <algorithm>
#include <deque>
#include <string>
#include <utility>

namespace sluice::domain {

/// The last few requests and their answers. After a change of leaders a bridge can not know whether a command was
/// executed and sends it once more: with an id it happens once and is answered alike, even if another command undid it
/// meanwhile. Only for what is seldom said, as by operators; what customers say is told apart by what it is about.
/// Owned by one machine. Deterministic.
class request_memory {
public:
  static constexpr std::size_t most = 64;
  static constexpr std::size_t id_bytes_max = 64; // longer ones are not remembered

  struct answered {
    std::string request_id;
    reply body;

    friend bool operator==(const answered&, const answered&) = default;
  };

  /// Null: never heard of, or long ago. Valid until the next `remember`.
  const reply* find(const std::string& request_id) const {
    auto known =
        std::find_if(answered_.begin(), answered_.end(), [&](const answered& a) { return a.request_id == request_id; });
    return request_id.empty() || known == answered_.end() ? nullptr : &known->body;
  }

  void remember(std::string request_id, reply body) {
    if (request_id.empty() || request_id.size() > id_bytes_max)
      return;
    answered_.push_back({std::move(request_id), std::move(body)});
    if (answered_.size() > most)
      answered_.pop_front();
  }

  /// Oldest first.
  const std::deque<answered>& all() const { return answered_; }

  friend bool operator==(const request_memory&, const request_memory&) = default;

private:
  std::deque<answered> answered_;
};

/// Runs `handle` unless the request was answered before, and remembers what it answers. `handle` may replace the
/// memory.
template <class Handle>
void once(request_memory& memory, const std::string& request_id, effects& out, Handle&& handle) {
  if (const auto* known = memory.find(request_id)) {
    out.push_back(answer{*known});
    return;
  }
  auto before = out.size();
  handle();
  if (request_id.empty())
    return;
  for (auto i = before; i < out.size(); ++i)
    if (const auto* said = std::get_if<answer>(&out[i]))
      memory.remember(request_id, said->body);
}

/// The id a command goes by; empty: none.
template <class Command>
std::string request_id_of(const Command& c) {
  if constexpr (requires { c.request_id; })
    return c.request_id;
  else
    return {};
}

} // namespace sluice::domain
