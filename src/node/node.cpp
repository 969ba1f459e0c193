#include "node/node.hpp"

#include "actors/entity_shell.hpp"
#include "cluster/partition/entry.hpp"
#include "codec/document.hpp"
#include "codec/message.hpp"
#include "core/assert.hpp"
#include "core/text_id.hpp"
#include "node/verify.hpp"

#include <spdlog/spdlog.h>

#include <charconv>
#include <future>

#include <pthread.h>
#include <sys/resource.h>

#ifndef SLUICE_VERSION
#define SLUICE_VERSION "dev"
#endif

namespace sluice::node {

namespace {

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

  void start(std::vector<partition::effect_out> effects) override {
    caf::anon_send(desk_, actors::start_charges{
                              std::make_shared<const std::vector<partition::effect_out>>(std::move(effects))});
  }

private:
  actors::payment_desk_actor desk_;
};

} // namespace

/// Proposes the founding of the cluster until it is done.
class node::founder final : public actors::answer_port {
public:
  explicit founder(actors::router& routes) : routes_{routes}, port_{routes.add_port(*this)} {}

  void propose(const domain::found_cluster& command) {
    partition::proposal p;
    p.to = entity_ref::of_catalogue();
    p.from = routes_.origin_of(port_, 1);
    p.body = codec::encode(domain::message{command});
    std::vector<partition::proposal> batch;
    batch.push_back(std::move(p));
    routes_.propose({0}, std::move(batch));
  }

  void take(std::vector<partition::answer_out> answers, std::vector<partition::refusal_out>) override {
    if (!answers.empty())
      done_ = true;
  }

  bool done() const { return done_; }

private:
  actors::router& routes_;
  std::uint8_t port_;
  std::atomic<bool> done_{false};
};

node::node(const config& settings) : config_{settings} {
  auto at = endpoint_from(config_.listen, "--listen");
  if (!at.address().is_loopback())
    spdlog::warn("node.exposed listen={} tls=off: put a TLS proxy in front, and keep /admin to yourself",
                 config_.listen);
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
  inspector_ = std::thread{[this] {
    pthread_setname_np(pthread_self(), "inspector");
    for (;;) {
      std::function<void()> job;
      {
        std::unique_lock lock{jobs_lock_};
        jobs_wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
        if (stopping_)
          return;
        job = std::move(jobs_.front());
        jobs_.pop_front();
      }
      job();
    }
  }};
}

node::~node() {
  stop();
}

std::uint16_t node::port() const {
  return io_threads_.front()->endpoint().port();
}

// ---- building --------------------------------------------------------------------------------------------------------

void node::open_store() {
  folder_.emplace(config_.data);
  storage::rocks_settings s;
  s.folder = config_.data;
  store_ = std::make_unique<storage::rocks_store>(s);
  identity_ = load_identity(*store_, config_.data, config_.partitions);
}

void node::start_actors() {
  caf_config_ = std::make_unique<caf::actor_system_config>();
  // Measured: one global queue beats stealing by far on few cores, and idle workers cost wake-ups.
  auto workers = config_.workers ? config_.workers : std::max(1u, std::thread::hardware_concurrency() - 1);
  caf_config_->set("scheduler.policy", caf::atom("sharing"));
  caf_config_->set("scheduler.max-threads", static_cast<std::int64_t>(workers));
  caf_ = std::make_unique<caf::actor_system>(*caf_config_);
  routes_ = std::make_unique<actors::local_router>(identity_.self, identity_.incarnation, identity_.partitions);
  partitions_.resize(identity_.partitions);

  // Completions can not come before the first write, and writes not before the actors are there.
  log_ = std::make_unique<storage::log_writer>(*store_, [this](const std::vector<storage::durable>& done) {
    for (const auto& d : done) {
      if (d.attempt != 0)
        checkpoints_->begun(d.partition, d.attempt);
      if (d.write_id != 0 || d.checkpoint != 0)
        caf::anon_send(partitions_[d.partition.value], actors::became_durable{d.write_id, d.checkpoint});
    }
  });
  checkpoints_ = std::make_unique<storage::checkpoint_writer>(
      *store_, *log_,
      [this](partition_id partition, std::uint64_t checkpoint) {
        caf::anon_send(partitions_[partition.value], actors::flushed{checkpoint});
      },
      config_.checkpoint_mib_per_second * 1024 * 1024);

  provider_ = std::make_unique<http::provider_client>(
      http::provider_client::settings{endpoint_from(config_.payment_provider, "--payment-provider")});
  settlement_ = std::make_unique<actors::settlement>(*routes_);
  desk_ = caf_->spawn(
      actors::payment_desk, provider_.get(), [this](partition::proposal p) { settlement_->propose(std::move(p)); },
      actors::desk_settings{}, &desk_figures_);
  settlement_->attach(desk_);
  effects_ = std::make_unique<desk_port>(desk_);

  actors::partition_services shared;
  shared.store = store_.get();
  shared.log = log_.get();
  shared.checkpoints = checkpoints_.get();
  shared.routes = routes_.get();
  shared.publications = &models_;
  shared.effects = effects_.get();
  shared.clock = read_clocks;
  shared.role_changed = [](partition_id partition, const raft::role_changed& role) {
    spdlog::debug("partition.role partition={} role={} term={}", partition.value, static_cast<int>(role.role),
                  role.term);
  };
  auto places = routes_->places();
  for (std::uint32_t p = 0; p < identity_.partitions; ++p) {
    auto found = store_->recover({p});
    if (found.damage)
      fail_stop("storage: " + *found.damage + " in " + config_.data.string() +
                    "; this node alone can not tell what is missing: restore the folder from a backup",
                __FILE__, __LINE__);
    partition::config c;
    c.partition = {p};
    c.consensus.self = identity_.self;
    c.consensus.seed = identity_.incarnation + p;
    c.incarnation = identity_.incarnation;
    c.place = [places](event_number event) { return places.of_event(event); };
    c.pulse = codec::encode(domain::message{domain::pulse{}});
    c.checkpoint_log_bytes = config_.checkpoint_log_mib * 1024 * 1024;
    c.entities.active_sessions_max = config_.active_sessions_max;
    // Lazily: a partition's first write may be durable before `spawn` returns, and its completion must find the actor.
    partitions_[p] =
        caf::actor_cast<actors::partition_actor>(caf_->spawn<actors::partition_host, caf::lazy_init>(
            c, actors::start_from(found, identity_.self), shared));
  }
  for (std::uint32_t p = 0; p < identity_.partitions; ++p)
    routes_->attach({p}, partitions_[p]);
  for (const auto& p : partitions_)
    caf::anon_send(p, actors::look_inside{[](const partition::core&) {}}); // the first message begins it
  founder_ = std::make_unique<founder>(*routes_);
}

void node::start_edge() {
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

void node::found() {
  domain::found_cluster command;
  command.cluster_id = "sluice-" + hex(http::random_bytes<6>());
  command.wrapped_keys = http::seal(identity_.seal_key, http::key_ring::generate());
  command.admin_key_hash = http::sha256_hex(identity_.admin_key);
  founder_->propose(command);
}

void node::take_over_secrets() {
  auto shared = models_.catalogue();
  if (!shared->founded || bridge_services_->secrets())
    return;
  auto opened = http::unseal(identity_.seal_key, shared->wrapped_keys);
  auto ring = opened ? http::key_ring::parse(*opened) : std::nullopt;
  if (!ring)
    fail_stop("cluster.key does not fit this data folder; restore the one it was founded with", __FILE__, __LINE__);
  bridge_services_->set_secrets(
      {shared->cluster_id, shared->epoch, std::make_shared<const http::key_ring>(std::move(*ring))});
  if (!identity_.founded) {
    set_founded(*store_);
    identity_.founded = true;
    spdlog::info("cluster.founded id={} admin-key={}", shared->cluster_id, (config_.data / "admin.key").string());
  }
}

void node::watch() {
  pthread_setname_np(pthread_self(), "watch");
  auto began = std::chrono::steady_clock::now();
  auto founding_tried = began - std::chrono::seconds{1};
  while (!stopping_) {
    look_at_partitions();
    if (!identity_.founded && !founder_->done() &&
        std::chrono::steady_clock::now() - founding_tried > std::chrono::milliseconds{200}) {
      founding_tried = std::chrono::steady_clock::now();
      found();
    }
    take_over_secrets();
    if (!serving_ && not_ready().empty()) {
      serving_ = true;
      auto took = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - began);
      spdlog::info("node.ready listen={}:{} partitions={} data={} took-ms={}",
                   io_threads_.front()->endpoint().address().to_string(), port(), identity_.partitions,
                   config_.data.string(), took.count());
    }
    std::unique_lock lock{stop_lock_};
    stop_wake_.wait_for(lock, serving_ ? milliseconds{500} : milliseconds{5}, [this] { return stopping_.load(); });
  }
}

void node::look_at_partitions() {
  struct gathering {
    std::mutex lock;
    std::vector<partition::status> statuses;
    std::size_t missing = 0;
    std::promise<void> all;
  };

  auto g = std::make_shared<gathering>();
  g->statuses.resize(partitions_.size());
  g->missing = partitions_.size();
  for (std::size_t p = 0; p < partitions_.size(); ++p)
    caf::anon_send(partitions_[p], actors::look_inside{[g, p](const partition::core& core) {
      std::lock_guard lock{g->lock};
      g->statuses[p] = core.status();
      if (--g->missing == 0)
        g->all.set_value();
    }});
  if (g->all.get_future().wait_for(std::chrono::seconds{2}) != std::future_status::ready)
    return;
  std::lock_guard lock{seen_lock_};
  seen_ = g->statuses;
}

std::vector<std::string> node::not_ready() const {
  std::vector<std::string> reasons;
  {
    std::lock_guard lock{seen_lock_};
    if (seen_.empty())
      reasons.emplace_back("partitions are starting");
    for (std::size_t p = 0; p < seen_.size(); ++p)
      if (!seen_[p].leading)
        reasons.push_back("partition " + std::to_string(p) + " has no leader");
  }
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

// ---- what the bridges ask ----------------------------------------------------------------------------------------------

void node::inspect(std::function<void()> work) {
  {
    std::lock_guard lock{jobs_lock_};
    jobs_.push_back(std::move(work));
  }
  jobs_wake_.notify_one();
}

http::node_services node::services() {
  http::node_services s;
  s.version = SLUICE_VERSION;
  s.not_ready = [this] { return not_ready(); };
  s.metrics = [this] {
    std::vector<partition::status> seen;
    {
      std::lock_guard lock{seen_lock_};
      seen = seen_;
    }
    return metrics_text(edge_, models_, seen, *log_, *store_, desk_figures_, *provider_, bridge_services_->in_flight);
  };
  s.verify = [this](std::uint32_t event, std::function<void(std::string)> done) {
    inspect([this, event, done = std::move(done)] {
      log_->drain_feed();
      auto view = models_.find(event_number{event});
      done(view && view->plan() ? verify_event(*store_, routes_->places().of_event({event}), *view) : std::string{});
    });
  };
  s.audit = [this](std::uint32_t event, std::function<void(std::string)> done) {
    inspect([this, event, done = std::move(done)] {
      log_->drain_feed();
      done(audit_event(*store_, routes_->places().of_event({event}), {event}));
    });
  };
  s.describe_cluster = [this](std::function<void(std::string)> done) {
    std::lock_guard lock{seen_lock_};
    std::string text;
    codec::json_writer w{text};
    auto secrets = bridge_services_->secrets();
    w.begin_object().field("clusterId", secrets ? secrets->cluster_id : "").field("version", SLUICE_VERSION);
    w.key("nodes").begin_array().begin_object().field("id", identity_.self.value);
    w.field("listen", config_.listen).field("state", serving_ ? "SERVING" : "STARTING").end_object().end_array();
    w.key("partitions").begin_array();
    for (std::size_t p = 0; p < seen_.size(); ++p) {
      const auto& status = seen_[p];
      w.begin_object().field("id", p).field("leader", status.consensus.leader.value);
      w.field("term", status.consensus.term).field("index", status.applied);
      w.field("commitIndex", status.consensus.commit_index).field("checkpointIndex", status.checkpoint_index);
      w.field("firstIndex", status.consensus.first_index).field("lag", status.consensus.commit_index - status.applied);
      w.field("activeEntities", status.active_entities).field("openEffects", status.open_effects);
      w.field("stateHash", std::to_string(status.state_hash));
      w.end_object();
    }
    w.end_array().end_object();
    done(std::move(text));
  };
  s.list_entities = [this](std::function<void(std::string)> done) {
    struct gathering {
      std::mutex lock;
      std::vector<entity_ref> all;
      std::size_t missing = 0;
    };

    auto g = std::make_shared<gathering>();
    g->missing = partitions_.size();
    for (const auto& p : partitions_)
      caf::anon_send(p, actors::list_entities{[g, done](std::vector<entity_ref> some) {
        std::lock_guard lock{g->lock};
        g->all.insert(g->all.end(), some.begin(), some.end());
        if (--g->missing > 0)
          return;
        std::string text;
        codec::json_writer w{text};
        w.begin_object().field("active", g->all.size()).key("entities").begin_array();
        constexpr std::size_t most = 1'000;
        for (std::size_t i = 0; i < g->all.size() && i < most; ++i)
          w.string(to_string(g->all[i]));
        w.end_array().end_object();
        done(std::move(text));
      }});
  };
  s.inspect_entity = [this](const entity_ref& of, std::function<void(std::string)> done) {
    caf::anon_send(partitions_[routes_->places().of_event(of.event).value], actors::inspect_entity{of, std::move(done)});
  };
  s.inspect_log = [this](partition_id partition, log_index after, std::size_t limit) {
    std::string text;
    codec::json_writer w{text};
    w.begin_object().field("partition", partition.value).key("entries").begin_array();
    log_index first = 0;
    log_index last = 0;
    {
      std::lock_guard lock{seen_lock_};
      if (partition.value < seen_.size()) {
        first = seen_[partition.value].consensus.first_index;
        last = seen_[partition.value].consensus.last_index;
      }
    }
    auto from = std::max(first, after != 0 || last < limit ? after + 1 : last - limit + 1);
    for (const auto& e : store_->read_log(partition, from, from + limit - 1, 1024 * 1024)) {
      w.begin_object().field("index", e.index).field("term", e.term);
      w.field("kind", e.kind == 1 ? "commands" : e.kind == 0 ? "noop" : "members");
      if (auto entry = e.kind == 1 ? partition::decode_entry(*e.payload) : std::nullopt) {
        w.field("logTimeMs", to_ms(entry->now.log)).field("wallTimeMs", to_ms(entry->now.wall));
        w.key("commands").begin_array();
        for (const auto& c : entry->commands)
          w.begin_object().field("to", c.ack ? "outbox" : to_string(c.to)).key("command")
              .raw(c.ack ? "{}" : codec::describe_message(c.body)).end_object();
        w.end_array();
      }
      w.end_object();
    }
    w.end_array().end_object();
    return text;
  };
  return s;
}

// ---- stopping --------------------------------------------------------------------------------------------------------

void node::stop() {
  if (stopping_.exchange(true))
    return;
  stop_wake_.notify_all();
  jobs_wake_.notify_all();
  for (auto& thread : io_threads_)
    thread->stop();
  pushes_->stop();
  for (auto& thread : io_threads_)
    thread->join();
  if (watch_.joinable())
    watch_.join();
  if (inspector_.joinable())
    inspector_.join();
  // A checkpoint of everything makes the next start a matter of reading it. What takes longer is in the log anyway.
  for (const auto& p : partitions_)
    caf::anon_send(p, actors::checkpoint_please{});
  auto until = std::chrono::steady_clock::now() + std::chrono::seconds{5};
  for (bool busy = true; busy && std::chrono::steady_clock::now() < until;) {
    std::this_thread::sleep_for(milliseconds{10});
    look_at_partitions();
    std::lock_guard lock{seen_lock_};
    busy = std::any_of(seen_.begin(), seen_.end(), [](const auto& s) { return s.checkpointing; });
  }
  provider_->stop();
  settlement_->attach({});
  caf::anon_send(desk_, actors::stop_desk{});
  routes_->detach_all();
  std::promise<void> all;
  std::atomic<std::size_t> missing{partitions_.size()};
  for (const auto& p : partitions_)
    caf::anon_send(p, actors::stop_partition{[&] {
      if (--missing == 0)
        all.set_value();
    }});
  all.get_future().wait_for(std::chrono::seconds{5});
  log_->stop();
  checkpoints_->stop();
  partitions_.clear();
  effects_.reset();
  desk_ = actors::payment_desk_actor{};
  bridges_.clear();
  pushes_.reset();
  caf_.reset();
  store_.reset();
  spdlog::info("node.stopped data={}", config_.data.string());
}

} // namespace sluice::node
