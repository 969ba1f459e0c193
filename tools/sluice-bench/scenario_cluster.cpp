// inprocess cluster: several nodes in this process, one log each, replicated over real sockets; commands without HTTP.
#include "node/node.hpp"
#include "sluice-bench/in_process.hpp"
#include "sluice-bench/node_under_test.hpp"
#include "sluice-bench/options.hpp"
#include "sluice-bench/report.hpp"
#include "sluice-bench/scenarios.hpp"
#include "sluice-bench/setup.hpp"
#include "sluice-bench/stages.hpp"
#include "sluice-bench/visitor.hpp"

#include <CLI/CLI.hpp>

#include <memory>
#include <stdexcept>
#include <thread>

namespace sluice::bench {

namespace {

using namespace std::chrono_literals;

struct cluster_wish {
  options all;
  std::uint32_t nodes = 3;
  std::uint32_t lanes = 4'096;
};

node::config member(const cluster_wish& w, const own_node& beside, std::uint32_t number) {
  node::config c;
  c.name = "n" + std::to_string(number);
  c.data = beside.folder() / c.name;
  c.listen = "127.0.0.1:0";
  c.payment_provider = beside.provider_address();
  c.io_threads = 1;
  c.workers = w.nodes == 1 ? 0 : 1; // they share this machine
  return c;
}

void let_in(std::vector<std::unique_ptr<in_process_node>>& nodes, node::config c) {
  auto invited = nodes.front()->admin().must("POST", "/admin/v1/cluster/actions/join", "{}");
  auto told = invited.json();
  const auto* peers = told.find("peers");
  if (peers == nullptr || peers->items.empty())
    throw std::runtime_error{"the first node names nobody to join"};
  c.join_token = invited.text("token");
  c.join = peers->items.front().text;
  nodes.push_back(std::make_unique<in_process_node>(c, nodes.front()->key()));
}

bool is_replicated(plain_client& admin, std::size_t copies) {
  auto told = admin.must("GET", "/admin/v1/cluster").json();
  const auto* partitions = told.find("partitions");
  for (const auto& p : partitions->items) {
    const auto* leader = p.find("leader");
    const auto* voters = p.find("voters");
    if (leader == nullptr || leader->integer == 0 || voters == nullptr || voters->items.size() != copies)
      return false;
  }
  return !partitions->items.empty();
}

std::vector<std::pair<std::int64_t, std::int64_t>> leaders_and_terms(plain_client& admin) {
  std::vector<std::pair<std::int64_t, std::int64_t>> all;
  for (const auto& p : admin.must("GET", "/admin/v1/cluster").json().find("partitions")->items)
    all.emplace_back(p.find("leader")->integer, p.find("term")->integer);
  return all;
}

/// Leaders find their places: each is moved for the sake of balance once it has led for ten seconds.
void await_rest(plain_client& admin) {
  auto seen = leaders_and_terms(admin);
  for (int tries = 0, still = 0; still < 120; ++tries) {
    if (tries == 900)
      throw std::runtime_error{"leaders go on moving for a minute and a half"};
    std::this_thread::sleep_for(100ms);
    auto now = leaders_and_terms(admin);
    still = now == seen ? still + 1 : 0;
    seen = std::move(now);
  }
}

void replicate(plain_client& admin, std::size_t copies) {
  admin.must("POST", "/admin/v1/cluster/actions/replication", "{\"factor\":" + std::to_string(copies) + "}");
  for (int tries = 0; !is_replicated(admin, copies); ++tries) {
    if (tries == 600)
      throw std::runtime_error{"the copies are not made within a minute"};
    std::this_thread::sleep_for(100ms);
  }
  admin.must("POST", "/admin/v1/cluster/actions/rebalance", "{}");
  await_rest(admin);
}

/// Joins of ever new users, spread over events; with a rate, each has its time, and what it takes is counted from then.
class spread_joins final : public script {
public:
  spread_joins(const std::vector<event_number>& events, const std::string& prefix, double rate)
      : events_{events}, prefix_{prefix}, rate_{rate}, began_{clock::now()} {}

  action begin(std::uint32_t lane) override {
    if (due_.size() <= lane)
      due_.resize(lane + 1);
    auto n = next_++;
    auto now = clock::now();
    due_[lane] = {
        rate_ > 0 ? began_ + nanoseconds{static_cast<std::int64_t>(1e9 * static_cast<double>(n) / rate_)} : now, n};
    return due_[lane].first > now ? action::only(action::what::pause) : join(n);
  }

  action resumed(std::uint32_t lane) override {
    return due_[lane].first > clock::now() ? action::only(action::what::pause) : join(due_[lane].second);
  }

  action answered(std::uint32_t lane, const domain::reply& reply) override {
    took.record(clock::now() - due_[lane].first);
    return action::only(std::holds_alternative<domain::ticket_reply>(reply) ? action::what::finished
                                                                            : action::what::failed);
  }

  histogram took;

private:
  action join(std::uint64_t n) {
    return action::send(entity_ref::of_event(events_[n % events_.size()]),
                        domain::join{visitor::user_name(prefix_, n)});
  }

  const std::vector<event_number>& events_;
  std::string prefix_;
  double rate_;
  time_point began_;
  std::uint64_t next_ = 0;
  std::vector<std::pair<time_point, std::uint64_t>> due_; // by lane
};

int cluster(const cluster_wish& w) {
  report r{"inprocess cluster", w.all.json_file};
  own_node beside{w.all}; // for its folder
  std::vector<std::unique_ptr<in_process_node>> nodes;
  nodes.push_back(std::make_unique<in_process_node>(member(w, beside, 1)));
  for (std::uint32_t n = 2; n <= w.nodes; ++n)
    let_in(nodes, member(w, beside, n));
  auto& first = *nodes.front();
  if (w.nodes >= 3)
    replicate(first.admin(), w.nodes >= 5 ? 5 : 3);
  std::vector<event_number> events;
  for (std::uint32_t i = 0; i < w.all.events_per_run; ++i) {
    auto wish = closed_room();
    wish.id = fresh_name(wish.id);
    make_event(first.admin(), wish);
    events.push_back(first.number_of(wish.id));
  }
  command_pump pump{first};
  spread_joins warm{events, fresh_name("w"), 0};
  pump.run(warm, w.lanes, w.all.warm_up_length());
  spread_joins full{events, fresh_name("f"), 0};
  auto f = pump.run(full, w.lanes, w.all.length());
  auto rate = static_cast<double>(f.finished) / f.seconds;
  r.add("commandsPerSecond", rate, "/s");
  r.add("cpuMicrosecondsPerCommand", 1e6 * f.cpu_seconds / static_cast<double>(f.finished), "us");
  r.add("p50Ms", static_cast<double>(full.took.at(0.5).count()) / 1e6, "ms");
  r.add("p99Ms", static_cast<double>(full.took.at(0.99).count()) / 1e6, "ms");
  spread_joins half{events, fresh_name("h"), rate / 2};
  auto h = pump.run(half, w.lanes, w.all.length());
  r.add("halfRatePerSecond", static_cast<double>(h.finished) / h.seconds, "/s");
  r.add("p50MsAtHalf", static_cast<double>(half.took.at(0.5).count()) / 1e6, "ms");
  r.add("p99MsAtHalf", static_cast<double>(half.took.at(0.99).count()) / 1e6, "ms");
  if (f.failed + h.failed > 0)
    r.set_failed(std::to_string(f.failed + h.failed) + " commands failed");
  for (auto& n : nodes)
    n->stop();
  return r.finish();
}

} // namespace

void add_cluster(CLI::App& in_process, chosen_run& chosen) {
  auto* s = in_process.add_subcommand("cluster", "durable commands a second of nodes that replicate each other");
  auto w = std::make_shared<cluster_wish>();
  w->all.events_per_run = 16;
  add_run_options(*s, w->all);
  s->add_option("-s,--seconds", w->all.seconds, "measured, at the full rate and again at half of it")
      ->capture_default_str();
  s->add_option("--warm-up", w->all.warm_up, "seconds before that")->capture_default_str();
  s->add_option("--events-per-run", w->all.events_per_run, "events the load is spread over")->capture_default_str();
  s->add_option("--nodes", w->nodes, "1, 3 or 5")->capture_default_str()->check(CLI::IsMember({1u, 3u, 5u}));
  s->add_option("--lanes", w->lanes, "commands at a time")->capture_default_str()->check(CLI::Range(1u, 15'000u));
  s->callback([w, &chosen] { chosen = [w] { return cluster(*w); }; });
}

} // namespace sluice::bench
