// One partition as a node hosts it, under CAF's testing scheduler: the real store, log writer and checkpoint writer, while
// the test decides when actors run and what time it is.
#pragma once

#include "actors/entity_shell.hpp"
#include "actors/local_router.hpp"
#include "actors/partition.hpp"
#include "codec/message.hpp"
#include "storage/rocks_store.hpp"
#include "support/group.hpp"
#include "support/temp_folder.hpp"

#include <caf/scheduler/test_coordinator.hpp>

#include <map>
#include <mutex>
#include <set>
#include <thread>

namespace sluice::test {

class one_partition final : actors::answer_port, actors::publication_port, actors::effect_port {
public:
  explicit one_partition(partition::entity_table::limits limits = {}) : limits_{limits} { start(); }

  ~one_partition() override { stop(); }

  std::vector<partition::effect_out> effects;
  std::size_t publications = 0;

  /// As a kill: nothing is said goodbye to, and only what was synced is there again.
  void restart() {
    stop();
    start();
  }

  void pass(milliseconds time) {
    now_.host += time;
    now_.wall += time;
    scheduler().advance_time(time);
    run();
  }

  /// Proposes, and runs everything until the answer is there.
  domain::reply get(const entity_ref& to, const domain::message& command) {
    auto number = propose(to, command);
    until([&] { return answers_.contains(number); });
    return answers_.at(number);
  }

  /// Only proposes.
  std::uint64_t propose(const entity_ref& to, const domain::message& command) {
    partition::proposal p;
    p.to = to;
    p.from = routes_->origin_of(port_, ++asked_);
    p.request_id = "request-" + std::to_string(asked_);
    p.body = codec::encode(command);
    std::vector<partition::proposal> batch;
    batch.push_back(std::move(p));
    routes_->propose({0}, std::move(batch));
    return asked_;
  }

  std::optional<domain::reply> answer_to(std::uint64_t number) const {
    auto known = answers_.find(number);
    return known == answers_.end() ? std::nullopt : std::optional{known->second};
  }

  domain::reply ask(const entity_ref& to, const domain::message& question) {
    std::vector<partition::query> batch;
    batch.push_back({to, routes_->origin_of(port_, ++asked_), actors::box(question)});
    auto number = asked_;
    routes_->ask({0}, std::move(batch));
    until([&] { return answers_.contains(number); });
    return answers_.at(number);
  }

  /// The same while an entry is being executed, with a checkpoint wished for at its end.
  domain::reply ask_within_an_entry(const entity_ref& of_another, const entity_ref& to,
                                    const domain::message& question) {
    propose(of_another, domain::message{domain::pulse{}});
    run_mailboxes();
    for (bool durable = false; !durable; std::this_thread::sleep_for(std::chrono::microseconds{200})) {
      std::lock_guard lock{lock_};
      durable = !completions_.empty();
    }
    auto number = ++asked_;
    later([this, to, question, number] { // behind the word that the entry is durable, before the entity has executed it
      std::vector<partition::query> batch;
      batch.push_back({to, routes_->origin_of(port_, number), actors::box(question)});
      routes_->ask({0}, std::move(batch));
      caf::anon_send(partition_, actors::checkpoint_please{});
    });
    until([&] { return answers_.contains(number); });
    return answers_.at(number);
  }

  /// Which entities have an actor now.
  std::set<entity_ref> active() {
    std::optional<std::set<entity_ref>> all;
    caf::anon_send(partition_,
                   actors::list_entities{[&](std::vector<entity_ref> some) { all.emplace(some.begin(), some.end()); }});
    until([&] { return all.has_value(); });
    return *all;
  }

  /// How many entity actors CAF runs, whatever the partition thinks.
  std::size_t actors_running() { return caf_->registry().running(); }

  partition::status status() {
    std::optional<partition::status> seen;
    caf::anon_send(partition_, actors::look_inside{[&](const partition::core& core) { seen = core.status(); }});
    until([&] { return seen.has_value(); });
    return *seen;
  }

  void checkpoint() {
    auto before = status().checkpoint;
    caf::anon_send(partition_, actors::checkpoint_please{});
    until([&] {
      auto s = status_now_;
      caf::anon_send(partition_,
                     actors::look_inside{[&](const partition::core& core) { status_now_ = core.status(); }});
      return s.checkpoint > before && !s.checkpointing;
    });
  }

  /// Runs actors and takes the writers' completions until it is so.
  template <class Condition>
  void until(Condition so) {
    auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    for (run(); !so(); run()) {
      if (std::chrono::steady_clock::now() > give_up)
        FAIL("it did not come to that in 20 s");
      std::this_thread::sleep_for(std::chrono::microseconds{200});
      now_.host += milliseconds{1}; // timers of the consensus core need a clock that moves
      now_.wall += milliseconds{1};
      scheduler().advance_time(milliseconds{1});
    }
  }

  /// Runs only what is in mailboxes now; nothing of the writers comes in.
  void run_mailboxes() { scheduler().run(); }

private:
  caf::scheduler::test_coordinator& scheduler() {
    return dynamic_cast<caf::scheduler::test_coordinator&>(caf_->scheduler());
  }

  void run() {
    for (;;) {
      std::vector<std::function<void()>> came;
      {
        std::lock_guard lock{lock_};
        came.swap(completions_);
      }
      for (auto& c : came)
        c();
      if (scheduler().run() == 0 && came.empty())
        return;
    }
  }

  void later(std::function<void()> completion) {
    std::lock_guard lock{lock_};
    completions_.push_back(std::move(completion));
  }

  void start() {
    storage::rocks_settings s;
    s.folder = folder_.path();
    store_ = std::make_unique<storage::rocks_store>(s);
    config_ = std::make_unique<caf::actor_system_config>();
    config_->set("scheduler.policy", caf::atom("testing"));
    caf_ = std::make_unique<caf::actor_system>(*config_);
    ++incarnation_;
    routes_ = std::make_unique<actors::local_router>(node_id{1}, incarnation_, 1);
    port_ = routes_->add_port(*this);
    // The writers are threads of their own; the testing scheduler is not for threads, so what they say waits for run().
    log_ = std::make_unique<storage::log_writer>(*store_, [this](const std::vector<storage::durable>& done) {
      for (const auto& d : done) {
        if (d.attempt != 0)
          checkpoints_->begun(d.partition, d.attempt);
        if (d.write_id != 0 || d.checkpoint != 0)
          later([this, d] { caf::anon_send(partition_, actors::became_durable{d.write_id, d.checkpoint}); });
      }
    });
    checkpoints_ = std::make_unique<storage::checkpoint_writer>(
        *store_, *log_,
        [this](partition_id, std::uint64_t checkpoint) {
          later([this, checkpoint] { caf::anon_send(partition_, actors::flushed{checkpoint}); });
        },
        std::size_t{64} << 20);
    partition::config c;
    c.partition = {0};
    c.consensus.self = node_id{1};
    c.consensus.seed = incarnation_;
    c.incarnation = incarnation_;
    c.place = [](event_number) { return partition_id{0}; };
    c.pulse = codec::encode(domain::message{domain::pulse{}});
    c.entities = limits_;
    actors::partition_services services{
        store_.get(), log_.get(), checkpoints_.get(), routes_.get(), this, this, nullptr, [this] { return now_; }, {}};
    partition_ = caf::actor_cast<actors::partition_actor>(caf_->spawn<actors::partition_host>(
        c, actors::start_from(store_->recover({0}), {{node_id{1}}, {}}, true), services));
    routes_->attach({0}, partition_);
    until([this] {
      bool leads = status_now_.leading;
      caf::anon_send(partition_,
                     actors::look_inside{[&](const partition::core& core) { status_now_ = core.status(); }});
      return leads;
    });
  }

  void stop() {
    routes_->detach_all();
    bool stopped = false;
    caf::anon_send(partition_, actors::stop_partition{[&] { stopped = true; }});
    until([&] { return stopped; });
    run();
    log_->stop();
    checkpoints_->stop();
    completions_.clear();
    partition_ = actors::partition_actor{};
    status_now_ = {};
    caf_.reset();
    log_.reset();
    checkpoints_.reset();
    store_.reset();
  }

  void take(std::vector<partition::answer_out> answers, std::vector<partition::refusal_out> refusals) override {
    for (auto& a : answers)
      answers_.insert_or_assign(actors::router::number_of(a.to), actors::unbox(a.body));
    for (auto& r : refusals)
      answers_.insert_or_assign(actors::router::number_of(r.to), domain::refusal{r.why, {}, {}});
  }

  void take(partition_id, const std::vector<partition::publication_out>& some) override { publications += some.size(); }

  void leave(partition_id) override {}

  void leave(partition_id, const std::vector<event_number>&) override {}

  void start(partition_id, std::vector<partition::effect_out> some) override {
    for (auto& e : some)
      effects.push_back(std::move(e));
  }

  temp_folder folder_;
  partition::entity_table::limits limits_;
  partition::reading now_{host_time{std::chrono::seconds{1'000}}, wall_time_from_ms(1'800'000'000'000)};
  std::unique_ptr<storage::rocks_store> store_;
  std::unique_ptr<caf::actor_system_config> config_;
  std::unique_ptr<caf::actor_system> caf_;
  std::unique_ptr<actors::local_router> routes_;
  std::unique_ptr<storage::log_writer> log_;
  std::unique_ptr<storage::checkpoint_writer> checkpoints_;
  actors::partition_actor partition_;
  partition::status status_now_;
  std::uint64_t incarnation_ = 0;
  std::uint8_t port_ = 0;
  std::uint64_t asked_ = 0;
  std::map<std::uint64_t, domain::reply> answers_;
  std::mutex lock_;
  std::vector<std::function<void()>> completions_;
};

} // namespace sluice::test
