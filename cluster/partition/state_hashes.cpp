#include "cluster/partition/state_hashes.hpp"

#include <iterator>

namespace sluice::partition {

void state_hashes::note(node_id node, log_index index, std::uint64_t hash) {
  if (index % every_ != 0)
    return;
  by_index_[index][node] = hash;
  if (by_index_.size() > kept)
    by_index_.erase(by_index_.begin());
}

void state_hashes::forget(node_id node) {
  for (auto& [index, all] : by_index_)
    all.erase(node);
}

/// A hash covers everything before it: who agrees with a majority now was right before, whatever is still missing there.
state_hashes::finding state_hashes::judge(node_id self, const std::set<node_id>& voters, log_index applied) {
  disputed_ = false;
  auto majority = voters.size() / 2 + 1;
  auto reached = by_index_.upper_bound(applied);
  for (auto at = reached; at != by_index_.begin();) {
    --at;
    auto all = count(at->second, self, voters);
    if (!all.ours || all.most < majority)
      continue;
    finding found{all.best == *all.ours ? verdict::agreed : verdict::we_differ, at->first, *all.ours, all.best};
    by_index_.erase(by_index_.begin(), std::next(at));
    if (found.what == verdict::we_differ)
      return found;
    break;
  }
  for (auto at = by_index_.begin(); at != reached; ++at) {
    auto all = count(at->second, self, voters);
    if (!all.ours || !all.other)
      continue; // nobody differs, or we came here by a checkpoint
    disputed_ = true;
    auto can_decide = all.most + (voters.size() - all.heard) >= majority;
    bool is_over = applied - at->first >= patience;
    if (is_over || (!can_decide && !is_to_be_heard_again(at, reached, self, voters)))
      return {verdict::undecided, at->first, *all.ours, *all.other};
  }
  return {};
}

/// Of those who differ somebody has not said yet where it is by now: it may have fetched a checkpoint since.
bool state_hashes::is_to_be_heard_again(std::map<log_index, said>::const_iterator at,
                                        std::map<log_index, said>::const_iterator reached, node_id self,
                                        const std::set<node_id>& voters) {
  auto ours = at->second.at(self);
  for (auto v : voters) {
    auto theirs = at->second.find(v);
    if (theirs == at->second.end() || theirs->second == ours)
      continue;
    bool we_went_on = false, it_did = false;
    for (auto later = std::next(at); later != reached; ++later) {
      we_went_on = we_went_on || later->second.contains(self);
      it_did = it_did || later->second.contains(v);
    }
    if (we_went_on && !it_did)
      return true;
  }
  return false;
}

state_hashes::votes state_hashes::count(const said& all, node_id self, const std::set<node_id>& voters) {
  votes result;
  if (auto own = all.find(self); own != all.end())
    result.ours = own->second;
  std::map<std::uint64_t, std::size_t> by_hash;
  for (auto v : voters)
    if (auto known = all.find(v); known != all.end())
      ++by_hash[known->second];
  for (const auto& [hash, votes] : by_hash) {
    result.heard += votes;
    if (votes > result.most) {
      result.most = votes;
      result.best = hash;
    }
    if (result.ours && hash != *result.ours)
      result.other = hash;
  }
  return result;
}

} // namespace sluice::partition
