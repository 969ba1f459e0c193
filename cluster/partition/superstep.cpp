#include "cluster/partition/superstep.hpp"

#include "core/planted.hpp"

#include <algorithm>

namespace sluice::partition {

bool superstep::accept(delivered d) {
  if (d.index != index_ || d.step != step_ || d.slot >= results_.size() || results_[d.slot])
    return false;
  auto slot = d.slot;
  results_[slot] = std::move(d);
  if (is_planted(planted::arrival_order))
    arrived_.push_back(slot);
  --missing_;
  return true;
}

std::vector<delivery> superstep::next() {
  struct routed {
    std::uint32_t ordinal;
    delivered::tell* tell;
  };

  std::vector<routed> tells;
  for (std::uint32_t i = 0; i < results_.size(); ++i) {
    auto slot = is_planted(planted::arrival_order) ? arrived_[i] : i;
    completed_.emplace_back(std::move(addressed_[slot]), std::move(*results_[slot]));
  }
  auto first = completed_.size() - results_.size();
  for (auto i = first; i < completed_.size(); ++i)
    for (auto& t : completed_[i].second.tells)
      tells.push_back({t.ordinal, &t});
  // Stable: within one command's tells, the order of deliveries and of each entity's own sequence stays.
  std::stable_sort(tells.begin(), tells.end(), [](const auto& a, const auto& b) { return a.ordinal < b.ordinal; });
  ++step_;
  for (auto& t : tells)
    add_message(t.tell->to, {t.ordinal, {}, std::move(t.tell->body)});
  return take_deliveries();
}

std::vector<std::pair<entity_ref, delivered>> superstep::finish() {
  index_ = 0;
  entry_ = {};
  results_.clear();
  return std::move(completed_);
}

void superstep::start(log_index index, log_entry entry) {
  index_ = index;
  entry_ = std::move(entry);
  step_ = 1;
  completed_.clear();
}

void superstep::add_message(const entity_ref& to, inbound message) {
  auto [known, fresh] = slot_of_.try_emplace(to, static_cast<std::uint32_t>(gathering_.size()));
  if (fresh) {
    delivery d;
    d.to = to;
    d.index = index_;
    d.step = step_;
    d.slot = known->second;
    d.now = entry_.now;
    d.owner = entry_.owner;
    gathering_.push_back(std::move(d));
  }
  gathering_[known->second].messages.push_back(std::move(message));
}

std::vector<delivery> superstep::take_deliveries() {
  auto deliveries = std::move(gathering_);
  gathering_.clear();
  slot_of_.clear();
  addressed_.clear();
  for (const auto& d : deliveries)
    addressed_.push_back(d.to);
  arrived_.clear();
  results_.clear();
  results_.resize(deliveries.size());
  missing_ = deliveries.size();
  return deliveries;
}

} // namespace sluice::partition
