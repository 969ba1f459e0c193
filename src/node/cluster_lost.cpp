// A cluster begins anew with what one survivor has (recover.cpp), or with a backup. Its catalogue may list events of
// which nothing is left; nobody would ever be ready to serve them.
#include "node/cluster.hpp"

#include <spdlog/spdlog.h>

#include <utility>

namespace sluice::node {

namespace {

constexpr std::size_t asked_at_a_time = 64;
constexpr std::chrono::seconds removal_patience{1};

} // namespace

/// Part of `tick`, until every event of the list was found or taken off.
void cluster::take_off_lost(const domain::catalogue_update& catalogue, const std::vector<partition::status>& seen) {
  auto& who = *parts_.who;
  if (!who.founder || who.looked_through >= who.founding_epoch)
    return;
  // Once: all it had to say of slots, of before and of this founding, has arrived. What moved away since then did so later.
  for (std::uint32_t p = 0; p < seen.size(); ++p)
    if (seen[p].consensus.members.voters.empty() || (seen[p].founding >= who.founding_epoch && seen[p].outbox == 0))
      lost_.settled.insert({p});
  if (lost_.settled.size() < parts_.routes->places().partitions())
    return;
  std::vector<domain::catalogue_entry> asked;
  bool is_over = true;
  {
    std::lock_guard lock{lock_};
    for (const auto& entry : catalogue.events) {
      if (!entry.defined || lost_.found.contains(entry.number))
        continue;
      is_over = false;
      if (lost_.asked.size() < asked_at_a_time && lost_.asked.insert(entry.number).second)
        asked.push_back(entry);
    }
  }
  for (const auto& entry : asked)
    look_for(entry);
  if (!is_over)
    return;
  who.looked_through = who.founding_epoch;
  store_.put_fact("looked-through", std::to_string(who.looked_through));
}

void cluster::look_for(const domain::catalogue_entry& entry) {
  auto end_of_it = [this, number = entry.number](bool is_found) {
    std::lock_guard lock{lock_};
    lost_.asked.erase(number);
    if (is_found)
      lost_.found.insert(number);
  };
  find(entry.number, 1, [this, entry, end_of_it](const whereabouts& f) {
    if (!f.at || f.moving_to || f.is_known)
      return end_of_it(f.is_known && !f.moving_to);
    spdlog::warn(
        "event.lost event={} number={} partition={}: the new beginning has nothing of it; it is taken off the list, "
        "apply its definition again",
        entry.slug, entry.number.value, f.at->value);
    domain::event_summary gone{
        entry.number, entry.slug,
        {},           {},
        {},           {},
        true,         "the new beginning: partition " + std::to_string(f.at->value) + " does not have it"};
    // A note has no answer: looked at again after a while, if it is still listed.
    catalogue_->propose(gone, removal_patience, [end_of_it](const std::optional<domain::reply>&) { end_of_it(false); });
  });
}

} // namespace sluice::node
