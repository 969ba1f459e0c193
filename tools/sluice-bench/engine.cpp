#include "sluice-bench/engine.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <queue>
#include <stdexcept>
#include <utility>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace sluice::bench {

namespace {

constexpr std::size_t scratch_bytes = 256 * 1024;
constexpr nanoseconds sweep_every = std::chrono::milliseconds{250};
constexpr nanoseconds reconnect_pause = std::chrono::milliseconds{50};
constexpr nanoseconds connect_patience = std::chrono::seconds{10};
constexpr std::size_t connects_at_once = 512; // fewer than a listener's backlog takes

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error{what + ": " + std::strerror(errno)};
}

/// One connection. Its request is out, or it waits for its time, or it has nothing to do.
struct lane {
  enum class state : std::uint8_t { idle, waiting, in_flight, retired };

  int fd = -1;
  lane::state is = state::idle;
  bool connecting = false;
  bool listens_for_room = false; // EPOLLOUT is on
  bool pausing = false;          // of waiting: after a lost connection
  std::uint8_t kind = 0;
  time_point unit_due{};    // when its unit of work was due
  time_point request_due{}; // when its request was
  time_point deadline{};
  std::string out; // what the socket had no room for yet
  std::string in;  // the beginning of an answer
  std::size_t in_wanted = 0;
};

double thread_cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_THREAD, &used);
  auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

class engine {
public:
  engine(const stage_settings& settings, std::optional<schedule> plan, std::uint32_t lanes, workload& work)
      : settings_{settings}, work_{work}, plan_{std::move(plan)}, lanes_(lanes), scratch_(scratch_bytes) {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ < 0)
      fail("epoll_create1");
    for (auto name : work_.kinds())
      figures_.kinds.push_back({std::string{name}, {}});
    prctl(PR_SET_TIMERSLACK, 1000); // open loop: wake when the next arrival is due, not 50 µs later
  }

  ~engine() {
    for (auto& l : lanes_)
      if (l.fd >= 0)
        close(l.fd);
    close(epoll_);
  }

  engine(const engine&) = delete;
  engine& operator=(const engine&) = delete;

  stage_figures run() {
    connect_all();
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
      return send(i, s.bytes);
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
    if (well)
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

  // ---- sockets ----

  void connect(lane_number i) {
    auto& l = lanes_[i];
    l.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l.fd < 0)
      fail("socket");
    int on = 1;
    setsockopt(l.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    l.connecting = ::connect(l.fd, reinterpret_cast<const sockaddr*>(&settings_.to.at), sizeof(settings_.to.at)) != 0;
    if (l.connecting && errno != EINPROGRESS)
      fail("connect");
    ++figures_.connects;
    l.listens_for_room = l.connecting;
    epoll_event e{};
    e.events = EPOLLIN | (l.connecting ? EPOLLOUT : 0u);
    e.data.u32 = i;
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, l.fd, &e) != 0)
      fail("epoll_ctl");
  }

  /// Before the stage: nobody's latency includes it, and no listener's backlog overflows.
  void connect_all() {
    auto give_up_at = clock::now() + connect_patience;
    for (lane_number from = 0; from < lanes_.size(); from += connects_at_once) {
      auto to = std::min<std::size_t>(lanes_.size(), from + connects_at_once);
      for (auto i = from; i < to; ++i)
        connect(i);
      auto connecting = [&] {
        return std::any_of(lanes_.begin() + from, lanes_.begin() + static_cast<std::ptrdiff_t>(to),
                           [](const lane& l) { return l.connecting; });
      };
      while (connecting() && clock::now() < give_up_at)
        serve(std::chrono::milliseconds{10});
    }
  }

  void disconnect(lane& l) {
    if (l.fd >= 0)
      close(l.fd);
    l.fd = -1;
    l.in.clear();
    l.in_wanted = 0;
    l.out.clear();
    l.connecting = false;
  }

  void send(lane_number i, std::string_view bytes) {
    auto& l = lanes_[i];
    if (l.fd < 0)
      connect(i);
    if (l.connecting) {
      l.out = bytes;
      return;
    }
    auto done = ::send(l.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (done == static_cast<ssize_t>(bytes.size()))
      return;
    if (done < 0 && errno != EAGAIN)
      return; // closed since the last answer: reading will tell
    l.out = bytes.substr(done < 0 ? 0 : static_cast<std::size_t>(done));
    listen_for_room(i, true);
  }

  void listen_for_room(lane_number i, bool on) {
    auto& l = lanes_[i];
    if (l.listens_for_room == on)
      return;
    l.listens_for_room = on;
    epoll_event e{};
    e.events = EPOLLIN | (on ? EPOLLOUT : 0u);
    e.data.u32 = i;
    epoll_ctl(epoll_, EPOLL_CTL_MOD, l.fd, &e);
  }

  void on_room(lane_number i) {
    auto& l = lanes_[i];
    if (l.connecting) {
      int error = 0;
      socklen_t size = sizeof(error);
      getsockopt(l.fd, SOL_SOCKET, SO_ERROR, &error, &size);
      if (error != 0)
        return lose(i, clock::now());
      l.connecting = false;
    }
    if (!l.out.empty()) {
      auto done = ::send(l.fd, l.out.data(), l.out.size(), MSG_NOSIGNAL);
      if (done < 0 && errno != EAGAIN)
        return lose(i, clock::now());
      l.out.erase(0, done < 0 ? 0 : static_cast<std::size_t>(done));
    }
    if (l.out.empty())
      listen_for_room(i, false);
  }

  void on_input(lane_number i) {
    auto& l = lanes_[i];
    auto size = recv(l.fd, scratch_.data(), scratch_.size(), 0);
    if (size < 0 && errno == EAGAIN)
      return;
    auto now = clock::now();
    if (size <= 0)
      return lose(i, now);
    std::string_view bytes{scratch_.data(), static_cast<std::size_t>(size)};
    if (!l.in.empty()) {
      l.in += bytes;
      if (l.in.size() < l.in_wanted)
        return;
      bytes = l.in;
    }
    answer a;
    auto read = read_answer(bytes, a);
    if (read == reading::more) {
      if (l.in.empty())
        l.in = bytes;
      l.in_wanted = a.size;
      return;
    }
    // Nonsense; or an answer to nobody: a server that closes an idle connection may say why.
    if (read == reading::nonsense || l.is != lane::state::in_flight)
      return lose(i, now);
    take(i, a, now);
  }

  void take(lane_number i, const answer& a, time_point now) {
    auto& l = lanes_[i];
    --in_flight_;
    if (counts(l.request_due, now)) {
      ++figures_.requests;
      figures_.kinds[l.kind].latency.record(now - l.request_due);
      ++statuses_[std::min<std::size_t>(a.status, statuses_.size() - 1)];
      if (a.status >= 400)
        ++figures_.codes[std::string{text_field(a.body, "code")}];
    }
    // `a` may point into the lane's buffer: that must live until the workload has read it.
    std::string kept;
    kept.swap(l.in);
    l.in_wanted = 0;
    if (a.closes)
      disconnect(l);
    follow(i, work_.answered(i, a, now), now, now);
  }

  /// The connection is gone, with or without a request on it.
  void lose(lane_number i, time_point now) {
    disconnect(lanes_[i]);
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
      disconnect(lanes_[i]);
      give_up(i, now);
    }
  }

  void wait_and_serve(time_point now) {
    auto wake = next_sweep_;
    if (!ended_)
      wake = std::min(wake, measured_until_);
    if (!timers_.empty())
      wake = std::min(wake, timers_.top().first);
    if (arrivals_ && !idle_.empty())
      if (auto due = arrivals_->next_due())
        wake = std::min(wake, *due);
    serve(std::max(nanoseconds{}, std::chrono::duration_cast<nanoseconds>(wake - now)));
  }

  void serve(nanoseconds pause) {
    timespec limit{static_cast<time_t>(pause.count() / 1'000'000'000), static_cast<long>(pause.count() % 1'000'000'000)};
    auto count = epoll_pwait2(epoll_, events_.data(), static_cast<int>(events_.size()), &limit, nullptr);
    for (int n = 0; n < count; ++n) {
      const auto& e = events_[static_cast<std::size_t>(n)];
      auto i = e.data.u32;
      if ((e.events & EPOLLOUT) != 0 && lanes_[i].fd >= 0)
        on_room(i);
      if ((e.events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0 && lanes_[i].fd >= 0)
        on_input(i);
    }
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
    figures_.seconds = std::max(0.0, std::chrono::duration<double>(end - measured_from_).count());
  }

  const stage_settings& settings_;
  workload& work_;
  std::optional<schedule> plan_;
  std::optional<arrivals> arrivals_;
  int epoll_ = -1;
  std::vector<lane> lanes_;
  std::vector<lane_number> idle_;
  using timer = std::pair<time_point, lane_number>;
  std::priority_queue<timer, std::vector<timer>, std::greater<>> timers_;
  std::vector<char> scratch_;
  std::array<epoll_event, 512> events_{};
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
