// A simulated cluster and its event loop. Owned by one run.
#pragma once

#include "raft_sim.hpp"
#include "raft_sim_safety.hpp"
#include "raft_sim_weather.hpp"

#include "cluster/raft/core.hpp"

#include <array>
#include <memory>

namespace sluice::sim {

struct event {
  enum class kind : std::uint8_t {
    deliver,
    timer,
    synced,
    loaded,
    fetched,
    checkpointed,
    start,
    resume,
    client,
    reader,
    // faults and administration
    crash,
    harass,
    pause,
    split,
    unsplit,
    slow_disk,
    transfer,
    hint,
    spurious_hint,
    change_members,
    administer,
    wipe,
    besiege,
    ambush,
    vacate,
  };

  std::int64_t at;
  std::uint64_t tie; // equal times are ordered by the seed
  kind what;
  std::uint16_t node;
  std::uint32_t life; // of the node; 0: whatever happened to it since
  std::uint32_t slot;
};

struct replica {
  node_id id;
  std::unique_ptr<raft::core> core; // null: down
  std::uint32_t life = 0;
  bool gone = false; // for ever
  bool away = false; // dead or deaf after the storm
  bool lost = false; // its disk was wiped or shortened, and it is not readmitted yet
  std::int64_t paused_until = 0;
  std::vector<event> missed; // while paused

  sim_disk disk;
  raft::membership bootstrap;
  indexed_log<log_term> forgotten; // what a wiped disk once had

  // Its clock began elsewhere and runs a little faster or slower.
  std::int64_t clock_zero = 0;
  std::int64_t clock_rate = 1000; // per mille

  host_time clock(std::int64_t now) const {
    return host_time{std::chrono::microseconds{clock_zero + now * clock_rate / 1000}};
  }

  /// When its clock shows this, or a moment later.
  std::int64_t when(host_time t) const { return (t.time_since_epoch().count() - clock_zero) * 1000 / clock_rate + 2; }

  // Of this life.
  shadow_log shadow;
  std::deque<raft::send> held; // until their write is durable
  std::uint64_t last_write = 0;
  std::uint32_t timer = 0; // only the last one set rings
  log_index commit = 0;
  log_index applied = 0;
  std::uint64_t state = 0;  // rolling hash
  raft::membership members; // committed, as a host sees them
  bool checkpointing = false;

  log_index snapshot_every = 0;
  log_index tail = 0;
};

class cluster_sim {
public:
  explicit cluster_sim(const raft_sim_options& options);

  raft_sim_report run();

private:
  static constexpr std::size_t nodes_max = 48;
  using kind = event::kind;

  // ---- raft_sim.cpp: phases
  void prepare();
  void storm();
  void heal();
  void work();
  void drain();
  bool converged();
  void run_until(std::int64_t until);

  // ---- raft_sim_cluster.cpp: one step, and what comes out of it
  void step(const event& e);
  void local_step(const event& e, replica& r);
  void schedule(std::int64_t at, kind what, std::size_t node = 0, std::uint32_t life = 0, std::uint32_t slot = 0);
  void reorder();
  void give(replica& r, raft::input in);
  void consume(replica& r);
  void check_log(const replica& r);
  void new_role(replica& r, const raft::role_changed& now);
  void proposal_done(const raft::proposal_result& p);
  void wrote(replica& r, raft::write w);
  void begin_sync(replica& r);
  void synced(replica& r, std::uint64_t upto);
  void perform(replica& r, const raft::write& w);
  void release(replica& r, std::uint64_t upto);
  void post(replica& r, node_id to, raft::message m);
  void check_commit(replica& r, const std::set<node_id>& voters);
  void count_copies(const replica& leader, const std::set<node_id>& voters, log_index index);
  void apply(replica& r, const raft::entry& e);
  void read_done(const raft::read_ready& done);
  void checkpoint(replica& r);
  void load(replica& r, const raft::load& wanted);
  void boot(replica& r);

  replica& node(node_id id) { return nodes_[id.value - 1]; }

  replica& new_node(raft::membership bootstrap);
  std::string portrait();
  void pause(replica& r, std::int64_t until);
  void resume(replica& r);
  replica* leader();
  replica* random_up();
  void say(const std::string& what);

  bool telling() const { return static_cast<bool>(options_.trace); }

  // ---- raft_sim_faults.cpp
  void fault(const event& e);
  void schedule_faults();
  void crash(replica& r, std::int64_t down_for);
  void crash_some();
  void harass(replica& leader);
  void choreograph(const replica& leader);
  void besiege();
  void ambush();
  void hint_all();
  void split();
  void wipe();
  void change_members();
  void administer();
  void client();
  void reader();
  void again(kind what, std::int64_t mean);

  raft_sim_options options_;
  chance dice_;
  weather weather_;
  raft_sim_report report_;
  raft_sim_counts& counts_;
  safety safety_;

  std::int64_t now_ = 0;
  std::vector<event> heap_;
  std::deque<replica> nodes_; // addresses stay
  std::array<std::array<bool, nodes_max>, nodes_max> cut_{};
  std::array<std::array<std::int64_t, nodes_max>, nodes_max> last_arrival_{};
  raft::outputs out_;

  struct parcel {
    std::uint32_t to = 0;
    raft::received body;
  };

  slab<parcel> parcels_;
  slab<raft::load> loads_;
  slab<raft::snapshot_ref> refs_;
  slab<raft::vacate> vacancies_;

  struct proposal {
    std::int64_t at;
    std::uint32_t node, life;
    bool answered = false, waiting = false, acknowledged = false;
    log_index index = 0;
    log_term term = 0;
  };

  std::vector<proposal> proposals_; // by id, from 1
  std::deque<std::uint64_t> waiting_;
  std::size_t outstanding_ = 0;
  std::int64_t last_ack_ = 0;

  struct reading {
    log_index at_least;
    std::uint32_t node, life;
    bool done = false;
  };

  std::vector<reading> reads_;

  raft::membership target_;
  bool stormy_ = true;
  bool loaded_ = true; // clients are at work
  bool measuring_ = false;
  raft::membership core_of_health_; // who has to work after the storm
};

} // namespace sluice::sim
