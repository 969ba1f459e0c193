#include "http/requester.hpp"

#include "actors/entity_shell.hpp"
#include "codec/message.hpp"

#include <boost/asio/post.hpp>

namespace sluice::http {

namespace {

constexpr unsigned slot_bits = 20;
constexpr std::chrono::milliseconds retry_after{15};
constexpr auto never = std::chrono::steady_clock::time_point::max();

} // namespace

requester::requester(boost::asio::io_context& context, actors::router& routes, const limits& settings,
                     std::atomic<std::uint64_t>& in_flight)
    : context_{context}, routes_{routes}, settings_{settings}, in_flight_{in_flight}, port_{routes.add_port(*this)} {}

void requester::propose(const entity_ref& to, const domain::message& command, on_reply done) {
  if (auto* w = enter(to, std::move(done))) {
    w->command = codec::encode(command);
    send(*w);
  }
}

void requester::ask(const entity_ref& to, domain::message question, on_reply done) {
  if (auto* w = enter(to, std::move(done))) {
    w->question = actors::box(std::move(question));
    send(*w);
  }
}

requester::waiting* requester::enter(const entity_ref& to, on_reply done) {
  if (in_flight_.load(std::memory_order_relaxed) >= settings_.in_flight_max) {
    done(domain::refusal{errc::overloaded, "too many requests are under way", {}}, 0);
    return nullptr;
  }
  ++in_flight_;
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  auto slot = free_.back();
  free_.pop_back();
  auto& w = slots_[slot];
  w.number = ++generation_ << slot_bits | slot;
  w.done = std::move(done);
  w.deadline = std::chrono::steady_clock::now() + settings_.answer_timeout;
  w.retry_at = never;
  w.to = to;
  return &w;
}

requester::waiting* requester::find(std::uint64_t number) {
  auto slot = number & ((1u << slot_bits) - 1);
  // Origins carry 56 bits of the number; generations wrap long after any answer could still be on its way.
  constexpr std::uint64_t carried = 0x00FF'FFFF'FFFF'FFFF;
  if (slot >= slots_.size() || (slots_[slot].number & carried) != number || slots_[slot].number == 0)
    return nullptr;
  return &slots_[slot];
}

void requester::finish(waiting& w, const domain::reply& reply, log_index version) {
  auto done = std::move(w.done);
  auto slot = static_cast<std::uint32_t>(w.number & ((1u << slot_bits) - 1));
  w.number = 0;
  w.done = nullptr;
  w.command.clear();
  w.question = {};
  free_.push_back(slot);
  --in_flight_;
  done(reply, version);
}

void requester::send(waiting& w) {
  auto partition = routes_.place_of(w.to.event);
  w.place = partition;
  w.way = routes_.way_to(partition);
  auto origin = routes_.origin_of(port_, w.number & 0x00FF'FFFF'FFFF'FFFF);
  if (w.question.body) {
    queries_[partition].push_back({w.to, origin, w.question});
  } else {
    partition::proposal p;
    p.to = w.to;
    p.from = origin;
    p.body = w.command;
    proposals_[partition].push_back(std::move(p));
  }
  if (!flush_posted_) {
    // Behind what is ready now: everything this turn asks for leaves in one message per partition.
    flush_posted_ = true;
    boost::asio::post(context_, [this] { flush(); });
  }
}

void requester::flush() {
  flush_posted_ = false;
  for (auto& [partition, batch] : proposals_)
    routes_.propose(partition, std::move(batch));
  proposals_.clear();
  for (auto& [partition, batch] : queries_)
    routes_.ask(partition, std::move(batch));
  queries_.clear();
}

void requester::take(std::vector<partition::answer_out> answers, std::vector<partition::refusal_out> refusals) {
  bool first = false;
  {
    std::lock_guard lock{lock_};
    first = answers_.empty() && refusals_.empty();
    if (answers_.empty())
      answers_ = std::move(answers);
    else
      std::move(answers.begin(), answers.end(), std::back_inserter(answers_));
    std::move(refusals.begin(), refusals.end(), std::back_inserter(refusals_));
  }
  if (first)
    boost::asio::post(context_, [this] { drain(); });
}

void requester::drain() {
  std::vector<partition::answer_out> answers;
  std::vector<partition::refusal_out> refusals;
  {
    std::lock_guard lock{lock_};
    answers.swap(answers_);
    refusals.swap(refusals_);
  }
  for (const auto& a : answers)
    if (auto* w = find(actors::router::number_of(a.to)))
      finish(*w, actors::unbox(a.body), a.index);
  for (const auto& r : refusals) {
    auto* w = find(actors::router::number_of(r.to));
    if (w == nullptr)
      continue;
    if (r.why == errc::not_leader) // it moves, or recovers: worth another try
      w->retry_at = std::chrono::steady_clock::now() + retry_after;
    else
      finish(*w, domain::refusal{r.why, {}, {}}, 0);
  }
}

/// What was sent may be lost, or is where nobody will answer it any more.
bool requester::is_astray(const waiting& w) const {
  return w.way != ways_[w.place.value] || w.place != routes_.place_of(w.to.event);
}

void requester::tick(std::chrono::steady_clock::time_point now) {
  ways_.clear();
  for (std::uint32_t p = 0; p < routes_.places().partitions(); ++p)
    ways_.push_back(routes_.way_to({p}));
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    auto& w = slots_[i];
    if (w.number == 0)
      continue;
    if (w.deadline <= now) {
      finish(w, domain::refusal{errc::timed_out, "no answer in time; try again with the same ids", {}}, 0);
    } else if (w.retry_at <= now || (w.retry_at == never && is_astray(w))) {
      w.retry_at = never;
      send(w);
    }
  }
}

} // namespace sluice::http
