// All checkers of a run, and the facts on their way to them.
#pragma once

#include "check_answers.hpp"
#include "check_line.hpp"
#include "check_money.hpp"
#include "check_replay.hpp"
#include "check_stock.hpp"
#include "history.hpp"
#include "scene.hpp"
#include "sim_provider.hpp"

#include "cluster/partition/types.hpp"

#include <map>
#include <set>

namespace sluice::simulation {

/// Owned by one run.
class checkers {
public:
  checkers(scene& run, const sim_provider& provider);

  history asked;
  line_checker lines;
  stock_checker stock;
  money_checker money;
  answer_checker answers;
  replay_checker replay;

  /// The facts of one entry, from any replica; told to the models once.
  void feed(partition_id partition, const partition::feed_out& f);
  /// What bridges were told, as of an entry whose facts are known.
  void published(const entry_stamp& at, const std::vector<partition::publication_out>& all);
  /// The same without an entry: all there is to show, sometime.
  void publish(const domain::publication& p);

  /// What bridges know by now.
  const domain::placed_event* placed(event_number event) const;
  const domain::ranking_update& ranking() const { return ranking_; }

  const domain::catalogue_update& catalogue() const { return catalogue_; }

  const std::set<event_number>& events() const { return events_; }

private:
  void tell(const entry_stamp& at, event_number event, std::string_view fact);

  scene& run_;
  std::set<event_number> events_;
  std::map<event_number, std::shared_ptr<const domain::placed_event>> placed_;
  domain::ranking_update ranking_;
  domain::catalogue_update catalogue_;
};

} // namespace sluice::simulation
