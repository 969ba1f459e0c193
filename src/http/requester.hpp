// One thread's line to the partitions: gathers what one loop turn asks for, and brings each answer back to its asker.
#pragma once

#include "actors/messages.hpp"
#include "actors/router.hpp"
#include "domain/messages.hpp"
#include "domain/replies.hpp"

#include <boost/asio/io_context.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

namespace sluice::http {

/// All calls on the thread that runs `context`, but `take`. A command or question gets exactly one `done`: the answer, or
/// the reason there is none in time. Refusals that pass (no leader yet) are tried again until the deadline, and so is
/// what may be lost because the leader changed: with the same bytes, since entities answer repeats alike.
class requester final : public actors::answer_port {
public:
  /// `version` is the log index the answer is as of; 0 for a refusal of the way there.
  using on_reply = std::function<void(const domain::reply& reply, log_index version)>;

  struct limits {
    std::size_t in_flight_max = 20'000;
    std::chrono::milliseconds answer_timeout{5'000};
  };

  requester(boost::asio::io_context& context, actors::router& routes, const limits& settings,
            std::atomic<std::uint64_t>& in_flight);

  void propose(const entity_ref& to, const domain::message& command, on_reply done);
  void ask(const entity_ref& to, domain::message question, on_reply done);

  /// Times out what waits too long, and tries again what may be.
  void tick(std::chrono::steady_clock::time_point now);

  void take(std::vector<partition::answer_out> answers, std::vector<partition::refusal_out> refusals) override;

  std::uint8_t port() const { return port_; }

  partition_id place_of(event_number event) const { return routes_.place_of(event); }

private:
  struct waiting {
    std::uint64_t number = 0; // 0: free
    on_reply done;
    std::chrono::steady_clock::time_point deadline;
    std::chrono::steady_clock::time_point retry_at; // when refused; else max
    entity_ref to;
    partition_id place;                // where it was sent
    std::uint64_t way = 0;             // the router's, at that time
    std::string command;               // of a command
    partition::boxed_message question; // of a question
  };

  waiting* enter(const entity_ref& to, on_reply done);
  waiting* find(std::uint64_t number);
  void finish(waiting& w, const domain::reply& reply, log_index version);
  bool is_astray(const waiting& w) const;
  void send(waiting& w);
  void flush();
  void drain();

  boost::asio::io_context& context_;
  actors::router& routes_;
  limits settings_;
  std::atomic<std::uint64_t>& in_flight_; // of all threads
  std::uint8_t port_;
  std::vector<waiting> slots_;
  std::vector<std::uint32_t> free_;
  std::uint64_t generation_ = 0;
  bool flush_posted_ = false;
  std::map<partition_id, std::vector<partition::proposal>> proposals_; // of this loop turn
  std::map<partition_id, std::vector<partition::query>> queries_;
  std::vector<std::uint64_t> ways_; // scratch of `tick`

  std::mutex lock_;
  std::vector<partition::answer_out> answers_;
  std::vector<partition::refusal_out> refusals_;
};

} // namespace sluice::http
