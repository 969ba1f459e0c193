#include "actors/settlement.hpp"

#include <utility>
#include <vector>

namespace sluice::actors {

namespace {

constexpr std::chrono::milliseconds retry_after{50};

} // namespace

void settlement::attach(payment_desk_actor desk) {
  std::lock_guard lock{lock_};
  desk_ = std::move(desk);
}

void settlement::propose(partition::proposal p) {
  auto to = routes_.place_of(p.to.event);
  {
    std::lock_guard lock{lock_};
    p.from = routes_.origin_of(port_, next_);
    under_way_[next_++] = {p, {to, routes_.way_to(to)}};
  }
  send(to, std::move(p)); // not under the lock: a refusal may come back at once
}

void settlement::send(partition_id to, partition::proposal p) {
  std::vector<partition::proposal> batch;
  batch.push_back(std::move(p));
  routes_.propose(to, std::move(batch));
}

void settlement::tick() {
  std::vector<std::pair<partition_id, partition::proposal>> again;
  {
    std::lock_guard lock{lock_};
    for (auto& [number, p] : under_way_) {
      auto to = routes_.place_of(p.what.to.event);
      std::pair way{to, routes_.way_to(to)};
      if (std::exchange(p.way, way) != way)
        again.emplace_back(to, p.what);
    }
  }
  for (auto& [to, p] : again)
    send(to, std::move(p));
}

void settlement::take(std::vector<partition::answer_out> answers, std::vector<partition::refusal_out> refusals) {
  std::lock_guard lock{lock_};
  for (const auto& a : answers)
    under_way_.erase(router::number_of(a.to));
  for (const auto& r : refusals) {
    auto known = under_way_.find(router::number_of(r.to));
    if (known == under_way_.end() || !desk_)
      continue;
    auto again = std::make_shared<const partition::proposal>(std::move(known->second.what));
    under_way_.erase(known);
    caf::delayed_anon_send(desk_, retry_after, settle_again{std::move(again)});
  }
}

} // namespace sluice::actors
