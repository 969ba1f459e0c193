#include "domain/ranking.hpp"

#include "core/assert.hpp"

#include <algorithm>
#include <utility>

namespace sluice::domain {

void ranking::begin(const moment& at, effects&) {
  auto last_sales = last_sale_by_date();
  auto gone = std::erase_if(
      state_.events, [&](const auto& entry) { return last_sales.at(entry.second.date) + retention <= at.now.wall; });
  changed_ = changed_ || gone > 0;
}

void ranking::apply(const moment& at, const message& m, effects& out) {
  std::visit(
      [&](const auto& body) {
        if constexpr (std::is_same_v<std::decay_t<decltype(body)>, pulse>) {
          // begin did what is due
        } else if constexpr (requires { this->on(at, body, out); }) {
          on(at, body, out);
        } else {
          SLUICE_ASSERT(false, "a message reached the ranking that is none of its own");
        }
      },
      m);
}

void ranking::finish(const moment& at, effects& out) {
  if (std::exchange(changed_, false))
    publish_all(at.now, out);
}

std::optional<log_time> ranking::next_deadline(const entry_time& now) const {
  std::optional<wall_time> oldest;
  for (const auto& [date, last_sale] : last_sale_by_date())
    if (!oldest || last_sale < *oldest)
      oldest = last_sale;
  if (!oldest)
    return std::nullopt;
  // A wall-clock date looked at again when log time has covered the distance; at most hourly.
  auto wait = std::max<milliseconds>(*oldest + retention - now.wall, std::chrono::hours{1});
  return now.log + wait;
}

void ranking::publish_all(const entry_time&, effects& out) {
  out.push_back(publish{ranking_update{ranked()}});
}

std::vector<ranking_entry> ranking::ranked() const {
  std::map<std::string, ranking_entry> by_date;
  for (const auto& [event, count] : state_.events) {
    auto& entry = by_date[count.date];
    entry.date = count.date;
    entry.sold += count.sold;
    entry.last_sale = std::max(entry.last_sale, count.last_sale);
  }
  std::vector<ranking_entry> ranked;
  for (auto& [date, entry] : by_date)
    if (entry.sold > 0)
      ranked.push_back(std::move(entry));
  std::sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) {
    if (a.sold != b.sold)
      return a.sold > b.sold;
    if (a.last_sale != b.last_sale)
      return a.last_sale < b.last_sale;
    return a.date < b.date;
  });
  return ranked;
}

std::map<std::string, wall_time> ranking::last_sale_by_date() const {
  std::map<std::string, wall_time> last_sales;
  for (const auto& [event, count] : state_.events) {
    auto& last = last_sales[count.date];
    last = std::max(last, count.last_sale);
  }
  return last_sales;
}

void ranking::on(const moment&, const sold_count& n, effects& out) {
  auto& known = state_.events[n.number];
  if (n.sequence > known.sequence) {
    known = {n.sequence, n.date, n.sold, n.last_sale};
    changed_ = true;
  }
  out.push_back(note{entity_ref::of_event(n.number), count_received{n.sequence}});
}

} // namespace sluice::domain
