// Loads of users who have their tokens already: they look at their place, or hold seats.
#pragma once

#include "sluice-bench/visitor.hpp"

#include <atomic>
#include <string>
#include <vector>

namespace sluice::bench {

/// GET …/queue with one token after the other.
class poll_load final : public workload {
public:
  poll_load(const std::string& host, const std::vector<std::string>& events, const std::vector<token_holder>& users,
            std::size_t first);

  std::span<const std::string_view> kinds() const override;
  step begin(lane_number, time_point) override;
  step answered(lane_number, const answer& a, time_point) override;

private:
  std::vector<std::string> requests_; // whole, by user
  std::size_t next_;
};

/// POST …/holds; each user holds `each` times, since a session takes no more at once.
class hold_load final : public workload {
public:
  hold_load(const std::string& host, const std::vector<std::string>& events, const std::vector<token_holder>& users,
            unsigned each, std::atomic<std::uint64_t>& next, seat_source& seats);

  std::span<const std::string_view> kinds() const override;
  step begin(lane_number lane, time_point) override;
  step answered(lane_number, const answer& a, time_point) override;

private:
  const std::string& host_;
  const std::vector<std::string>& events_;
  const std::vector<token_holder>& users_;
  unsigned each_;
  std::atomic<std::uint64_t>& next_;
  seat_source& seats_;
  std::string key_; // what the keys of this run begin with
  std::vector<std::string> out_;
};

} // namespace sluice::bench
