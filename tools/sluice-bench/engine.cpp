#include "sluice-bench/engine.hpp"

#include "sluice-bench/sockets.hpp"

#include <algorithm>
#include <queue>
#include <utility>

#include <sys/prctl.h>
#include <sys/resource.h>

namespace sluice::bench {

namespace {

constexpr nanoseconds sweep_every = std::chrono::milliseconds{250};
constexpr nanoseconds reconnect_pause = std::chrono::milliseconds{50};

/// One connection. Its request is out, or it waits for its time, or it has nothing to do.
struct lane {
  enum class state : std::uint8_t { idle, waiting, in_flight, retired };

  lane::state is = state::idle;
  bool pausing = false; // of waiting: after a lost connection
  std::uint8_t kind = 0;
  time_point unit_due{};    // when its unit of work was due
  time_point request_due{}; // when its request was
  time_point deadline{};
};

double thread_cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_THREAD, &used);
  auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

class engine final : public socket_listener {
public:
  engine(const stage_settings& settings, std::optional<schedule> plan, std::uint32_t lanes, workload& work)
      : settings_{settings}, work_{work}, plan_{std::move(plan)}, sockets_{settings.to.at, lanes}, lanes_(lanes) {
    for (auto name : work_.kinds())
      figures_.kinds.push_back({std::string{name}, {}});
    prctl(PR_SET_TIMERSLACK, 1000); // open loop: wake when the next arrival is due, not 50 µs later
  }

  engine(const engine&) = delete;
  engine& operator=(const engine&) = delete;

  stage_figures run() {
    sockets_.connect_all(*this);
    auto now = clock::now();
    measured_from_ = now + settings_.warm_up;
    measured_until_ = settings_.length.count() > 0 ? measured_from_ + settings_.length : time_point::max();
    next_sweep_ = now + sweep_every;
    if (plan_)
      arrivals_.emplace(*plan_, now); // the warm-up included
    for (auto i = static_cast<lane_number>(lanes_.size()); i-- > 0;)
      idle_.push_back(i);
    auto cpu_before = thread_cpu_seconds();
    bool warm = false;
    for (; !over(now); now = clock::now()) {
      if (!warm && now >= measured_from_) {
        warm = true;
        cpu_before = thread_cpu_seconds();
      }
      begin_units(now);
      resume_waiting(now);
      if (now >= next_sweep_)
        sweep(now);
      wait_and_serve(now);
    }
    figures_.cpu_seconds = thread_cpu_seconds() - cpu_before;
    conclude(now);
    return std::move(figures_);
  }

private:
  // ---- units of work ----

  bool over(time_point now) {
    bool stopped = settings_.stop && settings_.stop->load(std::memory_order_relaxed);
    if (!ended_ && (stopped || now >= measured_until_)) {
      ended_ = true;
      stage_end_ = now;
    }
    if (retired_ == lanes_.size())
      return true;
    if (!ended_)
      return false;
    if (arrivals_)
      arrivals_->advance(now); // those who came since the last look
    // In an open loop whoever came is served to the end; a closed loop only awaits the answers that are out.
    bool served = arrivals_ ? units_open_ == 0 && !arrivals_->waiting() : in_flight_ == 0;
    return served || now >= stage_end_ + settings_.patience;
  }

  void begin_units(time_point now) {
    if (!arrivals_) {
      while (!idle_.empty() && !ended_)
        begin(take_idle(), now, now);
      return;
    }
    auto before = arrivals_->count();
    arrivals_->advance(now);
    while (arrivals_->waiting() && !idle_.empty())
      begin(take_idle(), arrivals_->take(), now);
    if (arrivals_->count() > before)
      figures_.late += arrivals_->count() - before;
  }

  lane_number take_idle() {
    auto i = idle_.back();
    idle_.pop_back();
    return i;
  }

  void begin(lane_number i, time_point due, time_point now) {
    lanes_[i].unit_due = due;
    ++units_open_;
    follow(i, work_.begin(i, now), due, now);
  }

  /// Carries out what the workload wants. `due`: when it should have happened, which latency counts from.
  void follow(lane_number i, const step& s, time_point due, time_point now) {
    auto& l = lanes_[i];
    switch (s.is) {
    case step::what::send:
      if (ended_ && !arrivals_)
        return end_unit(i); // a closed loop ends between two requests
      l.is = lane::state::in_flight;
      l.kind = s.kind;
      l.request_due = due;
      l.deadline = now + settings_.timeout;
      ++in_flight_;
      return sockets_.send(i, s.bytes);
    case step::what::wait:
      l.is = lane::state::waiting;
      timers_.push({s.until, i});
      return;
    case step::what::finished:
    case step::what::failed:
      count_unit(l, s.is == step::what::finished, now);
      return end_unit(i);
    case step::what::retire:
      l.is = lane::state::retired;
      --units_open_;
      ++retired_;
      return;
    }
  }

  void end_unit(lane_number i) {
    --units_open_;
    lanes_[i].is = lane::state::idle;
    idle_.push_back(i);
  }

  /// Open loop: what was due in the measured time, however late it came. Closed loop: what came in the measured time.
  bool counts(time_point due, time_point now) const {
    auto decides = arrivals_ ? due : now;
    return decides >= measured_from_ && decides < measured_until_ && (arrivals_ || !ended_);
  }

  void count_unit(const lane& l, bool well, time_point now) {
    if (!counts(l.unit_due, now))
      return;
    ++(well ? figures_.finished : figures_.failed);
    if (!well)
      return;
    if (now - l.unit_due > figures_.units.max())
      figures_.slowest_at = std::chrono::duration<double>(now - measured_from_).count();
    figures_.units.record(now - l.unit_due);
  }

  void resume_waiting(time_point now) {
    while (!timers_.empty() && timers_.top().first <= now) {
      auto [due, i] = timers_.top();
      timers_.pop();
      if (std::exchange(lanes_[i].pausing, false))
        end_unit(i);
      else
        follow(i, work_.resumed(i, now), due, now);
    }
  }

  // ---- what comes in ----

  void answered(lane_number i, const answer& a, time_point now) override {
    auto& l = lanes_[i];
    if (l.is != lane::state::in_flight) // an answer to nobody: a server that closes an idle connection may say why
      return sockets_.disconnect(i);
    --in_flight_;
    if (counts(l.request_due, now)) {
      ++figures_.requests;
      figures_.kinds[l.kind].latency.record(now - l.request_due);
      ++statuses_[std::min<std::size_t>(a.status, statuses_.size() - 1)];
      if (a.status >= 400)
        ++figures_.codes[std::string{text_field(a.body, "code")}];
    }
    follow(i, work_.answered(i, a, now), now, now);
  }

  /// The connection is gone, with or without a request on it.
  void lost(lane_number i, time_point now) override {
    if (lanes_[i].is != lane::state::in_flight)
      return;
    ++figures_.broken;
    give_up(i, now);
  }

  void give_up(lane_number i, time_point now) {
    auto& l = lanes_[i];
    --in_flight_;
    if (counts(l.request_due, now))
      figures_.kinds[l.kind].latency.record(now - l.request_due);
    auto next = work_.broken(i, now);
    if (next.is != step::what::failed)
      return follow(i, next, now, now);
    // A server that is down should not be asked a million times a second.
    count_unit(l, false, now);
    l.is = lane::state::waiting;
    l.pausing = true;
    timers_.push({now + reconnect_pause, i});
  }

  void sweep(time_point now) {
    next_sweep_ = now + sweep_every;
    for (lane_number i = 0; i < lanes_.size(); ++i) {
      if (lanes_[i].is != lane::state::in_flight || lanes_[i].deadline > now)
        continue;
      ++figures_.timeouts;
      sockets_.disconnect(i);
      give_up(i, now);
    }
  }

  /// Arrivals leave on ticks of half a millisecond, those due since the last one together, and what that costs counts as
  /// latency: to be woken for each of 17 000 a second takes half a core, which is the server's as much as ours.
  static time_point tick_of(time_point due) {
    constexpr std::chrono::microseconds tick{500};
    auto since = due.time_since_epoch();
    return time_point{since - since % tick + tick};
  }

  void wait_and_serve(time_point now) {
    auto wake = next_sweep_;
    if (!ended_)
      wake = std::min(wake, measured_until_);
    if (!timers_.empty())
      wake = std::min(wake, timers_.top().first);
    if (arrivals_ && !idle_.empty())
      if (auto due = arrivals_->next_due())
        wake = std::min(wake, tick_of(*due));
    sockets_.serve(std::max(nanoseconds{}, std::chrono::duration_cast<nanoseconds>(wake - now)), *this);
  }

  /// What never came counts as well, with the time waited for it.
  void conclude(time_point now) {
    for (const auto& l : lanes_) {
      if (l.is != lane::state::in_flight)
        continue;
      ++figures_.unanswered;
      if (arrivals_)
        figures_.kinds[l.kind].latency.record(now - l.request_due);
    }
    while (arrivals_ && arrivals_->waiting()) {
      ++figures_.unanswered;
      figures_.kinds.front().latency.record(now - arrivals_->take());
    }
    for (unsigned s = 0; s < statuses_.size(); ++s)
      if (statuses_[s] > 0)
        figures_.statuses[s] = statuses_[s];
    auto end = ended_ ? stage_end_ : now;
    figures_.connects = sockets_.connects();
    figures_.seconds = std::max(0.0, std::chrono::duration<double>(end - measured_from_).count());
  }

  const stage_settings& settings_;
  workload& work_;
  std::optional<schedule> plan_;
  std::optional<arrivals> arrivals_;
  lane_sockets sockets_;
  std::vector<lane> lanes_;
  std::vector<lane_number> idle_;
  using timer = std::pair<time_point, lane_number>;
  std::priority_queue<timer, std::vector<timer>, std::greater<>> timers_;
  std::array<std::uint64_t, 600> statuses_{};
  std::size_t units_open_ = 0;
  std::size_t in_flight_ = 0;
  std::size_t retired_ = 0;
  bool ended_ = false;
  time_point measured_from_{};
  time_point measured_until_{};
  time_point stage_end_{};
  time_point next_sweep_{};
  stage_figures figures_;
};

} // namespace

stage_figures run_part(const stage_settings& settings, const std::optional<schedule>& plan, std::uint32_t lanes,
                       workload& work) {
  return engine{settings, plan, lanes, work}.run();
}

} // namespace sluice::bench
