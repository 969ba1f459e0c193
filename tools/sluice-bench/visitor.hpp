// One user after the other on each connection: joins, waits for the turn, claims it, holds seats and pays, as far as the
// plan goes.
#pragma once

#include "sluice-bench/workload.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::bench {

/// What visitors ask for when they hold. One per thread.
class seat_source {
public:
  virtual ~seat_source() = default;
  /// The body of a hold; empty when there is nothing left to ask for.
  virtual std::string_view pick(lane_number lane) = 0;

  /// 409: somebody has them. True: the visitor picks again, false: leaves.
  virtual bool refused(lane_number, const answer&) { return true; }

  virtual void confirmed(lane_number, std::string_view /*user*/, const answer&) {}

  /// Nobody can say whether the hold came to be, or the payment failed.
  virtual void given_up(lane_number) {}
};

/// So many places of an area, as long as there are any.
class area_source final : public seat_source {
public:
  area_source(const std::string& area, unsigned quantity)
      : body_{"{\"area\":\"" + area + "\",\"quantity\":" + std::to_string(quantity) + "}"} {}

  std::string_view pick(lane_number) override { return body_; }

private:
  std::string body_;
};

/// Each seat once, in order; threads share the counter.
class row_source final : public seat_source {
public:
  row_source(const std::vector<std::string>& seats, std::atomic<std::uint64_t>& next) : seats_{seats}, next_{next} {}

  std::string_view pick(lane_number) override {
    auto i = next_.fetch_add(1, std::memory_order_relaxed);
    if (i >= seats_.size())
      return {};
    body_ = "{\"seats\":[\"" + seats_[i] + "\"]}";
    return body_;
  }

private:
  const std::vector<std::string>& seats_;
  std::atomic<std::uint64_t>& next_;
  std::string body_;
};

enum class visit_goal : std::uint8_t { ticket, admission, hold, booking };

struct visit_plan {
  std::string host;
  std::vector<std::string> events;
  visit_goal until = visit_goal::booking;
  std::string user_prefix;
  std::atomic<std::uint64_t>* next_user = nullptr; // shared by all threads
  std::uint64_t users_max = 0;                     // 0: no end
  std::uint64_t stride = 1;                        // between one user's number and the next one's
  nanoseconds think{};                             // on average, before each request after the first
  nanoseconds poll_at_most = std::chrono::seconds{1};
  bool persistent = false; // sends a request again when its answer was lost
  bool free_of_charge = false;
  bool keep_tokens = false;
};

struct token_holder {
  std::uint32_t event = 0;
  std::string token;
};

class visitor final : public workload {
public:
  visitor(const visit_plan& plan, seat_source* seats, std::uint32_t seed = 1);

  std::span<const std::string_view> kinds() const override;
  step begin(lane_number lane, time_point now) override;
  step answered(lane_number lane, const answer& a, time_point now) override;
  step resumed(lane_number lane, time_point now) override;
  step broken(lane_number lane, time_point now) override;

  /// With `keep_tokens`: queue tokens (goal ticket) or admission tokens.
  const std::vector<token_holder>& tokens() const { return tokens_; }

  /// A user id of the plan.
  static std::string user_name(const std::string& prefix, std::uint64_t number);

private:
  enum class act : std::uint8_t { join, look, claim, hold, pay, await };

  struct guest {
    std::string user;
    std::uint32_t event = 0;
    std::uint32_t attempt = 0;
    act doing{};
    bool again = false; // what waits is the same request once more
    std::string token;
    std::string hold;
    std::string reservation;
    std::string out;
  };

  step send(guest& g, act what, lane_number lane);
  step soon(guest& g, act what, lane_number lane, time_point now);
  step later(guest& g, act what, time_point now, nanoseconds pause);
  step ticket_told(guest& g, lane_number lane, const answer& a, time_point now);
  step hold_told(guest& g, lane_number lane, const answer& a, time_point now);
  step payment_told(guest& g, lane_number lane, const answer& a, time_point now);
  step give_up(lane_number lane);
  guest& at(lane_number lane);

  const visit_plan& plan_;
  seat_source* seats_;
  std::minstd_rand dice_;
  std::vector<guest> guests_;
  std::vector<token_holder> tokens_;
};

} // namespace sluice::bench
