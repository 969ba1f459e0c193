#include "cluster/partition/state_hashes.hpp"

#include <algorithm>

namespace sluice::partition {

void state_hashes::note(node_id node, log_index index, std::uint64_t hash) {
  if (index % every != 0)
    return;
  by_index_[index][node] = hash;
  if (by_index_.size() > kept)
    by_index_.erase(by_index_.begin());
}

/// Its state is another now, as of another index.
void state_hashes::forget_own(node_id self) {
  for (auto& [index, all] : by_index_)
    all.erase(self);
}

state_hashes::finding state_hashes::judge(node_id self, const std::set<node_id>& voters, log_index applied) {
  for (auto at = by_index_.begin(); at != by_index_.end() && at->first <= applied;) {
    auto found = judge_one(at->second, self, voters, applied - at->first >= patience);
    if (found && found->what != verdict::agreed) {
      found->index = at->first;
      return *found;
    }
    at = found ? by_index_.erase(at) : std::next(at);
  }
  return {};
}

/// Empty: some who still have to speak could decide it.
std::optional<state_hashes::finding> state_hashes::judge_one(const said& all, node_id self,
                                                             const std::set<node_id>& voters, bool is_late) {
  auto own = all.find(self);
  if (own == all.end())
    return is_late ? std::make_optional<finding>() : std::nullopt; // it came here by a checkpoint
  std::map<std::uint64_t, std::size_t> votes;
  for (auto v : voters)
    if (auto known = all.find(v); known != all.end())
      ++votes[known->second];
  auto majority = voters.size() / 2 + 1;
  auto best = std::max_element(votes.begin(), votes.end(), [](auto& a, auto& b) { return a.second < b.second; });
  if (best == votes.end())
    return is_late ? std::make_optional<finding>() : std::nullopt;
  finding result{verdict::agreed, 0, own->second, best->first};
  if (best->second >= majority) {
    result.what = best->first == own->second ? verdict::agreed : verdict::we_differ;
    return result;
  }
  std::size_t heard = 0;
  for (const auto& [hash, count] : votes)
    heard += count;
  auto can_decide = best->second + (voters.size() - heard) >= majority;
  if (can_decide && !is_late)
    return std::nullopt;
  result.what = votes.size() > 1 ? verdict::undecided : verdict::agreed;
  if (result.theirs == result.ours)
    for (const auto& [hash, count] : votes)
      if (hash != result.ours)
        result.theirs = hash;
  return result;
}

} // namespace sluice::partition
