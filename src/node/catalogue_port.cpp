#include "node/catalogue_port.hpp"

#include "actors/entity_shell.hpp"
#include "codec/message.hpp"

#include <utility>
#include <vector>

namespace sluice::node {

namespace {

constexpr partition_id catalogue_partition{0};

} // namespace

void catalogue_port::propose(const domain::message& command, std::chrono::milliseconds patience, on_reply done) {
  auto body = codec::encode(command);
  std::uint64_t number = 0;
  {
    std::lock_guard lock{lock_};
    number = next_++;
    waiting_[number] = {body, std::move(done), clock::now() + patience, routes_.way_to(catalogue_partition), false};
  }
  send(number, body);
}

void catalogue_port::send(std::uint64_t number, const std::string& body) {
  partition::proposal p;
  p.to = entity_ref::of_catalogue();
  p.from = routes_.origin_of(port_, number);
  p.body = body;
  std::vector<partition::proposal> batch;
  batch.push_back(std::move(p));
  routes_.propose(catalogue_partition, std::move(batch));
}

void catalogue_port::tick() {
  std::vector<std::pair<std::uint64_t, std::string>> again;
  std::vector<on_reply> late;
  {
    std::lock_guard lock{lock_};
    auto way = routes_.way_to(catalogue_partition);
    for (auto at = waiting_.begin(); at != waiting_.end();) {
      auto& w = at->second;
      if (w.until <= clock::now()) {
        late.push_back(std::move(w.done));
        at = waiting_.erase(at);
        continue;
      }
      if (std::exchange(w.way, way) != way || std::exchange(w.refused, false))
        again.emplace_back(at->first, w.body);
      ++at;
    }
  }
  for (const auto& [number, body] : again)
    send(number, body);
  for (auto& done : late)
    done(std::nullopt);
}

void catalogue_port::take(std::vector<partition::answer_out> answers, std::vector<partition::refusal_out> refusals) {
  std::vector<std::pair<on_reply, domain::reply>> done;
  {
    std::lock_guard lock{lock_};
    for (const auto& a : answers)
      if (auto known = waiting_.extract(actors::router::number_of(a.to)))
        done.emplace_back(std::move(known.mapped().done), actors::unbox(a.body));
    for (const auto& r : refusals) {
      auto known = waiting_.find(actors::router::number_of(r.to));
      if (known != waiting_.end())
        known->second.refused = true;
    }
  }
  for (auto& [call, reply] : done)
    call(std::move(reply));
}

} // namespace sluice::node
