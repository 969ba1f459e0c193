#include "raft_sim_safety.hpp"

namespace sluice::sim {

void violated(const std::string& what) {
  throw violation{what};
}

void safety::leads(log_term term, node_id who) {
  auto [known, first] = leaders_.emplace(term, who);
  if (!first && known->second != who)
    violated("election safety: nodes " + std::to_string(known->second.value) + " and " + std::to_string(who.value) +
             " lead in term " + std::to_string(term));
}

void safety::appends(log_index index, log_term term, std::uint64_t hash, log_term previous_term) {
  if (seen_at_.size() <= index)
    seen_at_.resize(index + 1);
  for (auto i = seen_at_[index]; i != 0; i = seen_[i - 1].next) {
    auto& s = seen_[i - 1];
    if (s.term != term)
      continue;
    if (s.hash != hash || s.previous_term != previous_term)
      violated("log matching: two entries at index " + std::to_string(index) + " of term " + std::to_string(term));
    return;
  }
  seen_.push_back({term, hash, previous_term, seen_at_[index]});
  seen_at_[index] = static_cast<std::uint32_t>(seen_.size());
}

log_index safety::committed_before(log_term term) const {
  auto last = committed();
  while (last > 0 && at(last).committed_in >= term)
    --last;
  return last;
}

void safety::commits(log_index index, log_term term, const shadow_log& log) {
  if (index <= committed()) {
    if (log.term_at(index) != at(index).term)
      violated("a leader committed another entry at index " + std::to_string(index));
    return;
  }
  if (committed() > 0 && log.term_at(committed()) != at(committed()).term)
    violated("a leader committed on top of another history, from index " + std::to_string(committed()));
  for (auto i = committed() + 1; i <= index; ++i) {
    auto& e = log.entries.at(i);
    entries_.push_back({e.term, e.hash, mix(rolling(i - 1) ^ e.hash), term});
  }
  for (auto& c : log.configs)
    if (c.index != 0 && c.index <= index)
      members_ = c.members;
}

} // namespace sluice::sim
