#include "http/serving_board.hpp"

#include <algorithm>
#include <bit>

namespace sluice::http {

// ---- gone_tickets ----------------------------------------------------------------------------------------------------

void gone_tickets::clear() {
  bits_.clear();
  tree_.clear();
}

void gone_tickets::add(ticket_number t) {
  auto word = t.value / 64;
  if (word >= bits_.size()) {
    auto runs = t.value / run + 1;
    bits_.resize(std::size_t{runs} * (run / 64));
    // A Fenwick tree grows by rebuilding: a few hundred nodes for a million tickets.
    tree_.assign(runs + 1, 0);
    for (std::uint32_t r = 0; r < runs; ++r) {
      std::uint32_t count = 0;
      for (std::uint32_t w = 0; w < run / 64; ++w)
        count += static_cast<std::uint32_t>(std::popcount(bits_[std::size_t{r} * (run / 64) + w]));
      for (auto node = r + 1; node < tree_.size(); node += node & (~node + 1))
        tree_[node] += count;
    }
  }
  auto bit = 1ull << (t.value % 64);
  if (bits_[word] & bit)
    return;
  bits_[word] |= bit;
  for (auto node = t.value / run + 1; node < tree_.size(); node += node & (~node + 1))
    ++tree_[node];
}

bool gone_tickets::contains(ticket_number t) const {
  auto word = t.value / 64;
  return word < bits_.size() && (bits_[word] >> (t.value % 64) & 1);
}

std::uint32_t gone_tickets::between(ticket_number after, ticket_number until) const {
  return until <= after ? 0 : up_to(until.value) - up_to(after.value);
}

std::uint32_t gone_tickets::up_to(std::uint32_t ticket) const {
  if (bits_.empty())
    return 0;
  ticket = std::min<std::uint32_t>(ticket, static_cast<std::uint32_t>(bits_.size() * 64 - 1));
  std::uint32_t count = 0;
  for (auto node = ticket / run; node > 0; node -= node & (~node + 1))
    count += tree_[node];
  auto last = ticket / 64;
  for (auto word = ticket / run * (run / 64); word < last; ++word)
    count += static_cast<std::uint32_t>(std::popcount(bits_[word]));
  auto mask = ticket % 64 == 63 ? ~0ull : (1ull << (ticket % 64 + 1)) - 1;
  return count + static_cast<std::uint32_t>(std::popcount(bits_[last] & mask));
}

// ---- serving_board ---------------------------------------------------------------------------------------------------

void serving_board::apply(log_index version, const domain::board_update& u, wall_time as_of,
                          std::chrono::steady_clock::time_point now) {
  if (known_ && version < version_)
    return; // of a leader of before, held up on its way
  if (u.full)
    gone_.clear();
  for (auto t : u.gone)
    gone_.add(t);
  for (auto ms : u.waits_ms) {
    auto bucket = std::lower_bound(wait_bounds.begin(), wait_bounds.end(), ms) - wait_bounds.begin();
    ++waits_[static_cast<std::size_t>(bucket)];
    wait_ms_total_ += ms;
  }
  known_ = true;
  version_ = version;
  as_of_ = as_of;
  figures_ = u;
  figures_.gone.clear();
  figures_.waits_ms.clear();
  sample(now);
}

std::optional<std::uint32_t> serving_board::users_ahead(ticket_number t) const {
  if (!known_ || t <= figures_.now_serving || t > figures_.last_ticket || gone_.contains(t))
    return std::nullopt;
  auto serving = figures_.now_serving;
  return t.value - serving.value - gone_.between(serving, t) - 1;
}

wait_estimate serving_board::estimate(std::uint32_t users_ahead) const {
  auto rate = std::max<std::uint64_t>(figures_.admission.users_per_minute, 1);
  auto people = std::uint64_t{users_ahead} + 1;
  auto at_best = people * 60 / rate;
  // When those inside stay long, the cap rules instead of the rate: then believe what was seen.
  auto seen = admitted_last_minute_;
  auto at_worst = seen == 0 ? at_best * 2 + figures_.admission.claim_window_seconds : people * 60 / seen * 3 / 2;
  auto clip = [](std::uint64_t s) { return static_cast<std::uint32_t>(std::min<std::uint64_t>(s, 604'800)); };
  return {clip(at_best), clip(std::max(at_worst, at_best + 1))};
}

void serving_board::sample(std::chrono::steady_clock::time_point now) {
  auto second = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  auto& slot = samples_[static_cast<std::size_t>(second % 60)];
  if (slot.first != second)
    slot = {second, figures_.admitted_total};
  auto oldest = figures_.admitted_total;
  for (const auto& [at, total] : samples_)
    if (at > second - 60 && at != 0)
      oldest = std::min(oldest, total);
  admitted_last_minute_ = figures_.admitted_total - oldest;
}

} // namespace sluice::http
