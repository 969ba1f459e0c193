// All checkers of a run, and the facts on their way to them.
#pragma once

#include "check_answers.hpp"
#include "check_cluster.hpp"
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
  cluster_checker cluster;
  line_checker lines;
  stock_checker stock;
  money_checker money;
  answer_checker answers;
  replay_checker replay;

  /// One life of a node.
  using process = std::pair<node_id, std::uint64_t>;

  /// The facts of one entry, from any replica; the models hear of them when the leader has executed it.
  void feed(partition_id partition, const partition::feed_out& f);
  /// A leader executed its log up to here: the models follow.
  void follow(const process& leader, partition_id partition, log_index index);
  /// The models are as this process has it: nobody who leads went further.
  bool follows(const process& leader, partition_id partition) const;

  // ---- requests ----
  /// A bridge begins to ask.
  void asked_of(const partition::origin& by, partition_id partition, const entity_ref& to,
                std::shared_ptr<const domain::message> m, bool is_query);
  /// A leader answers, whether or not that reaches anybody.
  void answers_leave(partition_id partition, log_index index, const entry_stamps& stamps, const process& leader,
                     const partition::origin& to, const domain::reply& r, bool is_query);
  /// The answer reached its client: whoever asks from now on must see at least this.
  void heard(partition_id partition, event_number event, log_index index);

  /// An event leaves its partition: from now on it is known by its own count of entries.
  void leaves(partition_id partition, event_number event);

  /// What bridges were told, as of an entry whose facts are known.
  void published(const entry_stamps& stamps, const std::vector<partition::publication_out>& all);
  /// The same without an entry: all there is to show, sometime.
  void publish(const domain::publication& p);

  /// What bridges know by now.
  const domain::placed_event* placed(event_number event) const;

  const domain::ranking_update& ranking() const { return ranking_; }

  const domain::catalogue_update& catalogue() const { return catalogue_; }

  const std::set<event_number>& events() const { return events_; }

private:
  void tell(const entry_stamp& at, event_number event, std::string_view fact);

  struct request {
    entity_ref to;
    std::shared_ptr<const domain::message> what;
    log_index not_before = 0; // known to some client before this was asked
  };

  struct position {
    process leader{};
    log_index index = 0;
    log_index heard = 0;
    std::map<log_index, std::string> waiting; // facts nobody who leads has executed yet
  };

  void tell(partition_id partition, log_index index, const std::string& record);
  log_index& heard_of(partition_id partition, event_number event);

  scene& run_;
  std::map<partition_id, position> positions_;
  std::map<event_number, log_index> heard_moved_;                              // instead of `position::heard`
  std::map<std::pair<node_id, std::uint64_t>, std::vector<request>> requests_; // of one life of a bridge, by number - 1
  std::set<event_number> events_;
  std::map<event_number, std::shared_ptr<const domain::placed_event>> placed_;
  domain::ranking_update ranking_;
  domain::catalogue_update catalogue_;
};

} // namespace sluice::simulation
