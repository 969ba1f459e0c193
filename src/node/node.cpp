#include "node/node.hpp"

#include "actors/entity_shell.hpp"
#include "codec/message.hpp"
#include "core/assert.hpp"
#include "node/backup.hpp"
#include "node/memory_pressure.hpp"
#include "storage/rejoin.hpp"

#include <spdlog/spdlog.h>

#include <charconv>
#include <fstream>
#include <future>

#include <pthread.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

namespace sluice::node {

namespace {

constexpr std::chrono::milliseconds slow_sync{200}; // worth a line in the log

partition::reading read_clocks() {
  using std::chrono::duration_cast;
  auto steady = std::chrono::steady_clock::now().time_since_epoch();
  auto wall = std::chrono::system_clock::now();
  return {host_time{duration_cast<std::chrono::microseconds>(steady)},
          std::chrono::time_point_cast<milliseconds>(wall)};
}

http::asio::ip::tcp::endpoint endpoint_from(const std::string& text, const char* option) {
  auto colon = text.rfind(':');
  boost::system::error_code ec;
  auto host = colon == std::string::npos ? std::string{} : text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[')
    host = host.substr(1, host.size() - 2);
  auto address = boost::asio::ip::make_address(host, ec);
  std::uint16_t port = 0;
  auto end = text.data() + text.size();
  bool is_number = false;
  if (!ec) {
    auto parsed = std::from_chars(text.data() + colon + 1, end, port);
    is_number = parsed.ec == std::errc{} && parsed.ptr == end;
  }
  if (!is_number)
    fail_stop(std::string{option} + " must be an address and a port such as 127.0.0.1:8080, not '" + text + "'",
              __FILE__, __LINE__);
  return {address, port};
}

/// Hands effects to the desk's actor.
class desk_port final : public actors::effect_port {
public:
  explicit desk_port(actors::payment_desk_actor desk) : desk_{std::move(desk)} {}

  void start(partition_id partition, std::vector<partition::effect_out> effects) override {
    caf::anon_send(desk_, actors::start_charges{partition, std::make_shared<const std::vector<partition::effect_out>>(
                                                               std::move(effects))});
  }

  void leave(partition_id partition) override { caf::anon_send(desk_, actors::leave_charges{partition, {}}); }

  void leave(partition_id partition, const std::vector<event_number>& groups) override {
    caf::anon_send(desk_, actors::leave_charges{partition, groups});
  }

private:
  actors::payment_desk_actor desk_;
};

} // namespace

node::node(const config& settings) : config_{settings} {
  auto at = endpoint_from(config_.listen, "--listen");
  if (!config_.tls_certificate.empty()) {
    try {
      edge_.tls = std::make_shared<http::edge_tls>(config_.tls_certificate, config_.tls_key);
    } catch (const std::runtime_error& e) {
      throw start_failure{e.what()};
    }
  } else if (!at.address().is_loopback()) {
    spdlog::warn("node.exposed listen={} tls=off: give --tls-cert and --tls-key, or put a TLS proxy in front",
                 config_.listen);
  }
  edge_.insecure_admin = config_.insecure_admin;
  if (config_.limits.connections_max == 0) {
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    constexpr rlim_t reserve = 512; // for the store, the log, the provider
    config_.limits.connections_max = files.rlim_cur > 2 * reserve ? files.rlim_cur - reserve : files.rlim_cur / 2;
  }
  edge_.limits = config_.limits;
  // Bind first: a port in use is the most likely mistake, and nothing is begun yet.
  auto threads = config_.io_threads ? config_.io_threads : std::max(1u, std::thread::hardware_concurrency() / 2);
  try {
    http::require_free(at);
    for (unsigned i = 0; i < threads; ++i) {
      io_threads_.push_back(std::make_unique<http::io_thread>(edge_, at));
      at = io_threads_.front()->endpoint();
    }
  } catch (const boost::system::system_error& e) {
    throw start_failure{"can not listen on " + config_.listen + ": " + e.code().message()};
  }
  open_store();
  start_actors();
  start_edge();
  watch_ = std::thread{[this] { watch(); }};
}

node::~node() {
  stop();
}

void node::reload_certificate() {
  if (!edge_.tls)
    return;
  auto mistake = edge_.tls->reload();
  if (mistake.empty())
    spdlog::info("node.certificate-reloaded file={}", config_.tls_certificate);
  else
    spdlog::error("node.certificate-kept why={}", mistake);
}

std::uint16_t node::port() const {
  return io_threads_.front()->endpoint().port();
}

// ---- building --------------------------------------------------------------------------------------------------------

void node::open_store() {
  folder_.emplace(config_.data);

  struct statvfs disk {};

  constexpr std::uint64_t least = 4 * 1024 * 1024; // RocksDB does not take a full disk for an answer while it opens
  if (::statvfs(config_.data.c_str(), &disk) == 0 && disk.f_bavail * disk.f_frsize < least)
    throw start_failure{"less than 4 MiB are free on the disk of " + config_.data.string() +
                        "; free some and start again"};
  storage::rocks_settings s;
  s.folder = config_.data;
  store_ = std::make_unique<storage::rocks_store>(s);
  if (!config_.restore.empty() && !store_->get_fact("node"))
    restore();
  if (store_->get_fact("restoring") && !store_->get_fact("node"))
    throw start_failure{"a restore into " + config_.data.string() +
                        " was cut short: begin it again with --restore, or start with an empty folder"};
  std::error_code ignored;
  std::filesystem::remove(config_.data / restore_begun, ignored);
  if (!config_.recover_unsafe.empty())
    recover_unsafe(*store_, config_.recover_unsafe); // throws: the node does not go on to serve
  cluster_ = std::make_unique<cluster>(config_, *store_);
  auto listens = config_.listen.substr(0, config_.listen.rfind(':') + 1) + std::to_string(port());
  http_address_ = config_.http_address.empty() ? listens : config_.http_address;
  identity_ = load_identity(*store_, config_, cluster_->peer_address(), http_address_);
}

void node::restore() {
  // For sluicectl: this folder is not empty, and still nobody's.
  std::ofstream{config_.data / restore_begun} << config_.restore << '\n';
  try {
    restore_backup(*store_, config_.restore, config_.name);
  } catch (const std::runtime_error& e) {
    throw start_failure{"can not restore: " + std::string{e.what()}};
  }
  spdlog::info("node.restored from={} data={}: a cluster of its own, with a new admin key and tokens", config_.restore,
               config_.data.string());
}

void node::start_actors() {
  caf_config_ = std::make_unique<caf::actor_system_config>();
  // Measured: one global queue beats stealing by far on few cores, and idle workers cost wake-ups.
  auto workers = config_.workers ? config_.workers : std::max(1u, std::thread::hardware_concurrency() - 1);
  caf_config_->set("scheduler.policy", caf::atom("sharing"));
  caf_config_->set("scheduler.max-threads", static_cast<std::int64_t>(workers));
  caf_ = std::make_unique<caf::actor_system>(*caf_config_);
  routes_ = std::make_unique<actors::cluster_router>(identity_.self, identity_.incarnation, identity_.partitions);
  start_writers();
  cluster::parts parts;
  parts.who = &identity_;
  parts.routes = routes_.get();
  parts.models = &models_;
  parts.http_address = http_address_;
  parts.holds_replicas = !config_.bridge;
  parts.answer = [this](const std::string& what, const std::string& argument, std::function<void(std::string)> done) {
    answer(what, argument, std::move(done));
  };
  parts.given_up = [this](partition_id partition, std::uint64_t number) { checkpoints_->given_up(partition, number); };
  cluster_->attach(std::move(parts));
  start_desk();
  if (!config_.bridge)
    start_partitions();
  cluster_->start();
}

void node::start_writers() {
  // Completions can not come before the first write, and writes not before the actors are there.
  log_ = std::make_unique<storage::log_writer>(*store_, [this](const std::vector<storage::durable>& done) {
    if (!done.empty() && done.front().took >= slow_sync)
      spdlog::warn(
          "storage.slow-sync took-ms={} data={}: everything acknowledged waits for it; is the disk shared or failing?",
          done.front().took / std::chrono::milliseconds{1}, config_.data.string());
    for (const auto& d : done) {
      if (d.attempt != 0) {
        checkpoints_->begun(d.partition, d.attempt);
        cluster_->desk().begun(d.partition, d.attempt);
      }
      if (d.installed)
        checkpoints_->installed(d.partition);
      if (d.write_id != 0 || d.checkpoint != 0)
        caf::anon_send(partitions_[d.partition.value], actors::became_durable{d.write_id, d.checkpoint, d.took});
    }
  });
  checkpoints_ = std::make_unique<storage::checkpoint_writer>(
      *store_, *log_,
      [this](partition_id partition, std::uint64_t checkpoint) {
        caf::anon_send(partitions_[partition.value], actors::flushed{checkpoint});
      },
      config_.checkpoint_mib_per_second * 1024 * 1024);
}

void node::start_desk() {
  provider_ = std::make_unique<http::provider_client>(
      http::provider_client::settings{endpoint_from(config_.payment_provider, "--payment-provider")});
  settlement_ = std::make_unique<actors::settlement>(*routes_);
  desk_ = caf_->spawn(
      actors::payment_desk, provider_.get(), [this](partition::proposal p) { settlement_->propose(std::move(p)); },
      actors::desk_settings{}, &desk_figures_);
  settlement_->attach(desk_);
  effects_ = std::make_unique<desk_port>(desk_);
}

void node::start_partitions() {
  actors::partition_services shared;
  shared.store = store_.get();
  shared.log = log_.get();
  shared.checkpoints = checkpoints_.get();
  shared.routes = routes_.get();
  shared.publications = &cluster_->desk();
  shared.effects = effects_.get();
  shared.peers = &cluster_->desk();
  shared.clock = read_clocks;
  shared.role_changed = [](partition_id partition, const raft::role_changed& role) {
    spdlog::debug("partition.role partition={} role={} term={} leader={}", partition.value, static_cast<int>(role.role),
                  role.term, role.leader.value);
  };
  partitions_.resize(identity_.partitions);
  for (std::uint32_t p = 0; p < identity_.partitions; ++p) {
    auto found = recover({p});
    checkpoints_->installed({p}); // sweeps what an earlier process left behind
    // Lazily: a partition's first write may be durable before `spawn` returns, and its completion must find the actor.
    partitions_[p] = caf::actor_cast<actors::partition_actor>(
        caf_->spawn<actors::partition_host, caf::lazy_init>(partition_config({p}), std::move(found), shared));
  }
  for (std::uint32_t p = 0; p < identity_.partitions; ++p)
    routes_->local().attach({p}, partitions_[p]);
  for (const auto& p : partitions_)
    caf::anon_send(p, actors::look_inside{[](const partition::core&) {}}); // the first message begins it
}

partition::config node::partition_config(partition_id partition) const {
  partition::config c;
  c.partition = partition;
  c.consensus.self = identity_.self;
  c.consensus.seed = identity_.incarnation + partition.value;
  c.incarnation = identity_.incarnation;
  c.place = [places = routes_->places()](event_number event) { return places.of_event(event); };
  // Once it is founded all partitions have begun: the cluster may have nodes by now that know nothing of such a step.
  if (!identity_.founded || identity_.epoch < identity_.founding_epoch) {
    c.founding = identity_.founding_epoch;
    c.lost = identity_.lost;
  }
  c.pulse = codec::encode(domain::message{domain::pulse{}});
  c.checkpoint_log_bytes = config_.checkpoint_log_mib * 1024 * 1024;
  c.entities.active_sessions_max = config_.active_sessions_max;
  return c;
}

/// Most voters had come to another state than this replica. What it keeps goes, and it comes back like one whose log was lost.
void node::forget_untrue(partition_id partition) {
  auto found = store_->recover(partition);
  store_->write({storage::forget_everything(partition, found)});
  store_->put_fact(actors::untrue_fact(partition), "");
  spdlog::warn(
      "partition.forgotten partition={} term={} index={}: its state was another than the other voters'; it gets theirs",
      partition.value, found.vote ? found.vote->term : 0, found.log.empty() ? 0 : found.log.back().index);
}

/// A replica that lost a part of its log may not vote, and comes back as a learner. One that is alone can not.
partition::start node::recover(partition_id partition) {
  if (store_->get_fact(actors::untrue_fact(partition)) == "1")
    forget_untrue(partition);
  auto found = store_->recover(partition);
  raft::membership bootstrap;
  if (identity_.founder && !storage::has_forgotten(found))
    bootstrap.voters = {identity_.self};
  auto is_new = !found.vote && !found.checkpoint && found.log.empty();
  bool may_vote = !found.damage && !(is_new && identity_.generation > 1);
  auto start = actors::start_from(found, bootstrap, may_vote);
  if (!found.damage)
    return start;
  auto members = actors::members_of(start.consensus);
  bool was_one_of_many = found.vote && found.vote->rejoining;
  if (members.voters.size() <= 1 && !was_one_of_many)
    fail_stop("storage: " + *found.damage + " in " + config_.data.string() +
                  "; this node alone can not tell what is missing: restore the folder from a backup",
              __FILE__, __LINE__);
  spdlog::warn("partition.damaged partition={} term={} index={} why={}: it rejoins as a learner; look after the disk",
               partition.value, found.vote ? found.vote->term : 0, found.log.empty() ? 0 : found.log.back().index,
               *found.damage);
  storage::cut_damage(*store_, partition, found);
  return start;
}

void node::start_edge() {
  edge_.crowded_partitions = std::vector<std::atomic<bool>>(identity_.partitions);
  pushes_ = std::make_unique<http::push_hub>(edge_, models_);
  bridge_services_ = std::make_unique<http::bridge_services>(edge_, *routes_, models_, *pushes_, services());
  pushes_->start(*routes_, bridge_services_->in_flight);
  for (auto& thread : io_threads_) {
    bridges_.push_back(std::make_unique<http::bridge>(*thread, *bridge_services_));
    thread->set_handler(*bridges_.back());
  }
  for (std::size_t i = 0; i < io_threads_.size(); ++i)
    io_threads_[i]->start("http-" + std::to_string(i));
}

// ---- founding and readiness --------------------------------------------------------------------------------------------

void node::take_over_secrets() {
  auto shared = models_.catalogue();
  if (!shared->founded || shared->epoch < identity_.founding_epoch || bridge_services_->secrets())
    return;
  auto opened = http::unseal(identity_.seal_key, shared->wrapped_keys);
  auto ring = opened ? http::key_ring::parse(*opened) : std::nullopt;
  if (!ring)
    fail_stop("cluster.key does not fit this data folder; restore the one it was founded with", __FILE__, __LINE__);
  bridge_services_->set_secrets(
      {shared->cluster_id, shared->epoch, std::make_shared<const http::key_ring>(std::move(*ring))});
  if (!identity_.founded) {
    identity_.founded = true;
    spdlog::info("cluster.founded id={} admin-key={}", shared->cluster_id, (config_.data / "admin.key").string());
  }
}

void node::watch() {
  pthread_setname_np(pthread_self(), "watch");
  auto began = std::chrono::steady_clock::now();
  while (!stopping_) {
    look_at_partitions();
    cluster_->tick(seen(), own_status());
    settlement_->tick();
    watch_memory();
    take_over_secrets();
    if (!serving_ && not_ready().empty()) {
      serving_ = true;
      auto took = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - began);
      spdlog::info("node.ready name={} listen={}:{} peers={} partitions={} data={} took-ms={}", identity_.name,
                   io_threads_.front()->endpoint().address().to_string(), port(), cluster_->peer_address(),
                   identity_.partitions, config_.data.string(), took.count());
    }
    std::unique_lock lock{stop_lock_};
    stop_wake_.wait_for(lock, serving_ ? milliseconds{100} : milliseconds{5}, [this] { return stopping_.load(); });
  }
}

void node::watch_memory() {
  cluster_->note_full_nodes(edge_.crowded_partitions);
  if (config_.memory_limit_mib == 0)
    return;
  auto used = own_status().memory();
  auto pressure = memory_pressure_of(used, config_.memory_limit_mib * 1024 * 1024, edge_.crowded);
  if (edge_.crowded.exchange(pressure.crowded) != pressure.crowded)
    spdlog::warn("node.memory used-mib={} limit-mib={} {}", used >> 20, config_.memory_limit_mib,
                 pressure.crowded
                     ? "joins=refused; raise memory-limit, or spread the partitions: sluicectl cluster advise"
                     : "joins=taken");
  if (pressure.sleep)
    for (const auto& p : partitions_)
      caf::anon_send(p, actors::shrink_now{});
}

std::vector<partition::status> node::seen() const {
  std::lock_guard lock{seen_lock_};
  return seen_;
}

void node::look_at_partitions() {
  struct gathering {
    std::mutex lock;
    std::vector<partition::status> statuses;
    std::size_t missing = 0;
    std::promise<void> all;
  };

  if (partitions_.empty())
    return;
  auto g = std::make_shared<gathering>();
  g->statuses.resize(partitions_.size());
  g->missing = partitions_.size();
  for (std::size_t p = 0; p < partitions_.size(); ++p) {
    auto look = [g, p](const partition::core& core) {
      std::lock_guard lock{g->lock};
      g->statuses[p] = core.status();
      if (--g->missing == 0)
        g->all.set_value();
    };
    caf::anon_send(partitions_[p], actors::look_inside{std::move(look)});
  }
  if (g->all.get_future().wait_for(std::chrono::seconds{2}) != std::future_status::ready)
    return;
  std::lock_guard lock{seen_lock_};
  seen_ = g->statuses;
}

std::vector<std::string> node::not_ready() const {
  std::vector<std::string> reasons;
  if (!config_.bridge && seen().empty())
    reasons.emplace_back("partitions are starting");
  for (std::uint32_t p = 0; p < identity_.partitions; ++p)
    if (!routes_->leader_of({p}))
      reasons.push_back("partition " + std::to_string(p) + " has no leader");
  if (stopping_)
    reasons.emplace_back("the node is stopping");
  if (!bridge_services_->secrets())
    reasons.emplace_back("the cluster is not founded yet");
  if (serving_)
    return reasons; // an event founded or removed since then makes the node no less ready
  auto shared = models_.catalogue();
  for (const auto& entry : shared->events) {
    if (!entry.defined)
      continue;
    auto view = models_.find(entry.number);
    if (!view || !view->plan() || !view->with_board([](const http::serving_board& b) { return b.known(); }))
      reasons.push_back("event " + entry.slug + " is not loaded yet");
  }
  return reasons;
}

// ---- stopping --------------------------------------------------------------------------------------------------------

void node::stop() {
  if (stopping_.exchange(true))
    return;
  stop_wake_.notify_all();
  if (watch_.joinable())
    watch_.join();
  hand_over();
  finish_requests();
  for (auto& thread : io_threads_)
    thread->stop();
  pushes_->stop();
  for (auto& thread : io_threads_)
    thread->join();
  inspector_.stop();
  pages_.stop();
  save_all();
  provider_->stop();
  settlement_->attach({});
  caf::anon_send(desk_, actors::stop_desk{});
  cluster_->stop();
  routes_->local().detach_all();
  stop_partitions();
  log_->stop();
  checkpoints_->stop();
  partitions_.clear();
  effects_.reset();
  desk_ = actors::payment_desk_actor{};
  bridges_.clear();
  pushes_.reset();
  caf_.reset();
  cluster_.reset();
  store_.reset();
  spdlog::info("node.stopped data={}", config_.data.string());
}

/// While requests are still served: others lead before this node goes silent, so that nobody waits for an election.
void node::hand_over() {
  auto until = std::chrono::steady_clock::now() + std::chrono::seconds{3};
  for (bool done = false; !done && std::chrono::steady_clock::now() < until;) {
    look_at_partitions();
    done = cluster_->hand_over_all(seen());
    cluster_->settle_waits();
    if (!done)
      std::this_thread::sleep_for(milliseconds{50});
  }
}

/// Those under way are answered, and connections end with their answer; who asks for nothing is let go after a moment.
void node::finish_requests() {
  for (auto& thread : io_threads_)
    thread->drain();
  auto began = std::chrono::steady_clock::now();
  while (edge_.figures.connections > 0 && std::chrono::steady_clock::now() - began < std::chrono::seconds{2}) {
    std::this_thread::sleep_for(milliseconds{20});
    cluster_->settle_waits();
    if (std::chrono::steady_clock::now() - began > milliseconds{250})
      for (auto& thread : io_threads_)
        thread->close_idle();
  }
}

/// A checkpoint of everything makes the next start a matter of reading it. What takes longer is in the log anyway.
void node::save_all() {
  for (const auto& p : partitions_)
    caf::anon_send(p, actors::checkpoint_please{});
  auto until = std::chrono::steady_clock::now() + std::chrono::seconds{5};
  for (bool busy = true; busy && std::chrono::steady_clock::now() < until;) {
    std::this_thread::sleep_for(milliseconds{10});
    look_at_partitions();
    auto all = seen();
    busy = std::any_of(all.begin(), all.end(), [](const auto& s) { return s.checkpointing; });
  }
}

void node::stop_partitions() {
  if (partitions_.empty())
    return;

  struct count {
    std::promise<void> all;
    std::atomic<std::size_t> missing;
  };

  auto left = std::make_shared<count>(); // one that is late says so to nobody
  left->missing = partitions_.size();
  auto count_down = [left] {
    if (--left->missing == 0)
      left->all.set_value();
  };
  for (const auto& p : partitions_)
    caf::anon_send(p, actors::stop_partition{count_down});
  left->all.get_future().wait_for(std::chrono::seconds{5});
}

} // namespace sluice::node
