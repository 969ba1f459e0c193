#include "sluice-bench/in_process.hpp"

#include "actors/entity_shell.hpp"
#include "codec/message.hpp"
#include "node/node.hpp"
#include "sluice-bench/setup.hpp"
#include "sluice-bench/visitor.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <ctime>
#include <stdexcept>
#include <thread>

namespace sluice::bench {

namespace {

using namespace std::chrono_literals;

constexpr unsigned lane_bits = 24;
constexpr nanoseconds pause_length = 2ms;

/// Joins of users with consecutive numbers.
class join_script final : public script {
public:
  join_script(event_number event, const std::string& prefix, std::uint64_t first, std::uint64_t count)
      : event_{event}, prefix_{prefix}, next_{first}, end_{first + count} {}

  action begin(std::uint32_t) override {
    if (next_ == end_)
      return action::only(action::what::retire);
    return action::send(entity_ref::of_event(event_), domain::join{visitor::user_name(prefix_, next_++)});
  }

  action answered(std::uint32_t, const domain::reply& reply) override {
    return action::only(std::holds_alternative<domain::ticket_reply>(reply) ? action::what::finished
                                                                            : action::what::failed);
  }

private:
  event_number event_;
  const std::string& prefix_;
  std::uint64_t next_;
  std::uint64_t end_;
};

} // namespace

namespace {

node::config alone_on(const std::filesystem::path& data, const std::string& provider, std::size_t checkpoint_log_mib) {
  node::config c;
  c.data = data;
  c.listen = "127.0.0.1:0";
  c.payment_provider = provider;
  c.checkpoint_log_mib = checkpoint_log_mib;
  return c;
}

} // namespace

in_process_node::in_process_node(const std::filesystem::path& data, const std::string& provider,
                                 std::size_t checkpoint_log_mib)
    : in_process_node{alone_on(data, provider, checkpoint_log_mib)} {}

in_process_node::in_process_node(const node::config& settings, std::string admin_key) : key_{std::move(admin_key)} {
  static const bool logger_made = [] {
    spdlog::set_default_logger(spdlog::stderr_color_mt("node"));
    spdlog::set_level(spdlog::level::warn);
    return true;
  }();
  static_cast<void>(logger_made);
  node_ = std::make_unique<node::node>(settings);
  to_ = target_from("127.0.0.1:" + std::to_string(node_->port()));
  if (!wait_until_up(to_, "/readyz", 60s))
    throw std::runtime_error{"the node in this process did not come up"};
  if (key_.empty())
    key_ = read_key((settings.data / "admin.key").string());
  admin_ = std::make_unique<plain_client>(to_);
  admin_->set_key(key_);
}

in_process_node::~in_process_node() {
  stop();
}

void in_process_node::stop() {
  if (node_)
    node_->stop();
}

event_number in_process_node::number_of(const std::string& event) {
  auto view = node_->models().find(event);
  if (!view)
    throw std::runtime_error{"the event " + event + " is not there"};
  return view->number();
}

double process_cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

// ---- the pump -------------------------------------------------------------------------------------------------------

command_pump::command_pump(in_process_node& node)
    : routes_{node.inside().routes()}, port_{routes_.add_port(*this)}, proposals_(routes_.places().partitions()),
      queries_(routes_.places().partitions()) {
  node.inside().models().add_listener(*this);
}

void command_pump::take(std::vector<partition::answer_out> answers, std::vector<partition::refusal_out> refusals) {
  std::lock_guard lock{lock_};
  if (answers_.empty())
    answers_ = std::move(answers);
  else
    std::move(answers.begin(), answers.end(), std::back_inserter(answers_));
  refusals_.insert(refusals_.end(), refusals.begin(), refusals.end());
  wake_.notify_one();
}

void command_pump::changed(const std::shared_ptr<const domain::reservation_update>& update) {
  if (update->reservation.state == domain::reservation_state::paying)
    return;
  std::lock_guard lock{lock_};
  updates_.push_back(update);
  wake_.notify_one();
}

void command_pump::begin(std::uint32_t lane) {
  if (over_) {
    --busy_;
    return;
  }
  begun_[lane] = clock::now();
  follow(lane, work_->begin(lane));
}

void command_pump::follow(std::uint32_t lane, action a) {
  using what = action::what;
  switch (a.is) {
  case what::send:
  case what::ask: {
    auto partition = routes_.place_of(a.to.event).value;
    auto origin = routes_.origin_of(port_, (round_ << lane_bits | lane) & 0x00FF'FFFF'FFFF'FFFF);
    if (a.is == what::ask) {
      queries_[partition].push_back({std::move(a.to), origin, actors::box(std::move(a.body))});
    } else {
      partition::proposal p;
      p.to = std::move(a.to);
      p.from = origin;
      p.body = codec::encode(a.body);
      proposals_[partition].push_back(std::move(p));
    }
    return;
  }
  case what::pause:
    paused_.emplace_back(clock::now() + pause_length, lane);
    return;
  case what::park:
    return;
  case what::finished:
    ++figures_.finished;
    figures_.units.record(clock::now() - begun_[lane]);
    return begin(lane);
  case what::failed:
    ++figures_.failed;
    return begin(lane);
  case what::retire:
    --busy_;
    return;
  }
}

void command_pump::flush() {
  for (std::uint32_t p = 0; p < proposals_.size(); ++p) {
    if (!proposals_[p].empty())
      routes_.propose({p}, std::exchange(proposals_[p], {}));
    if (!queries_[p].empty())
      routes_.ask({p}, std::exchange(queries_[p], {}));
  }
}

bool command_pump::wait(time_point until) {
  if (!paused_.empty())
    until = std::min(until, paused_.front().first);
  std::unique_lock lock{lock_};
  auto something = [&] { return !answers_.empty() || !refusals_.empty() || !updates_.empty(); };
  return wake_.wait_until(lock, until, something);
}

pump_figures command_pump::run(script& work, std::uint32_t lanes, nanoseconds length) {
  work_ = &work;
  ++round_;
  over_ = false;
  busy_ = lanes;
  begun_.assign(lanes, {});
  paused_.clear();
  figures_ = {};
  auto began = clock::now();
  auto cpu = process_cpu_seconds();
  auto end = length.count() > 0 ? began + length : time_point::max();
  auto last_sign = began;
  for (std::uint32_t lane = 0; lane < lanes; ++lane)
    begin(lane);
  flush();
  std::vector<partition::answer_out> answers;
  std::vector<partition::refusal_out> refusals;
  std::vector<std::shared_ptr<const domain::reservation_update>> updates;
  auto lane_of = [&](const partition::origin& o) -> std::uint32_t {
    auto number = actors::router::number_of(o);
    auto lane = static_cast<std::uint32_t>(number & ((1u << lane_bits) - 1));
    return number >> lane_bits == round_ && lane < lanes ? lane : lanes;
  };
  while (busy_ > 0) {
    bool came = wait(clock::now() + 100ms);
    auto now = clock::now();
    if (came)
      last_sign = now;
    else if (now - last_sign > 20s)
      throw std::runtime_error{"the node in this process stopped answering; " + std::to_string(busy_) + " lanes wait"};
    if (now >= end && !over_) {
      over_ = true;
      figures_.seconds = std::chrono::duration<double>(now - began).count();
      figures_.cpu_seconds = process_cpu_seconds() - cpu;
    }
    {
      std::lock_guard lock{lock_};
      answers.swap(answers_);
      refusals.swap(refusals_);
      updates.swap(updates_);
    }
    for (const auto& a : answers)
      if (auto lane = lane_of(a.to); lane < lanes)
        follow(lane, work.answered(lane, actors::unbox(a.body)));
    for (const auto& r : refusals)
      if (auto lane = lane_of(r.to); lane < lanes)
        follow(lane, action::only(action::what::failed));
    for (const auto& u : updates) {
      std::uint32_t lane = 0;
      action next;
      if (work.wakes(*u, lane, next))
        follow(lane, std::move(next));
    }
    while (!paused_.empty() && paused_.front().first <= now) {
      auto lane = paused_.front().second;
      paused_.pop_front();
      follow(lane, work.resumed(lane));
    }
    answers.clear();
    refusals.clear();
    updates.clear();
    flush();
  }
  if (figures_.seconds == 0) {
    figures_.seconds = std::chrono::duration<double>(clock::now() - began).count();
    figures_.cpu_seconds = process_cpu_seconds() - cpu;
  }
  work_ = nullptr;
  return std::move(figures_);
}

pump_figures fill_line(command_pump& pump, event_number event, const std::string& prefix, std::uint64_t first,
                       std::uint64_t count, std::uint32_t lanes) {
  join_script joins{event, prefix, first, count};
  auto figures = pump.run(joins, static_cast<std::uint32_t>(std::min<std::uint64_t>(lanes, count)));
  if (figures.finished != count)
    throw std::runtime_error{std::to_string(figures.failed) + " joins were refused"};
  return figures;
}

} // namespace sluice::bench
