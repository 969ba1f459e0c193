// What the connections of a stage do. An engine carries it out and measures; a workload only says what comes next.
#pragma once

#include "sluice-bench/answer.hpp"
#include "sluice-bench/schedule.hpp"

#include <cstdint>
#include <span>
#include <string_view>

namespace sluice::bench {

/// One of a thread's connections, counted from 0.
using lane_number = std::uint32_t;

/// What a lane does next.
struct step {
  enum class what : std::uint8_t {
    send,     // a request
    wait,     // until then, and ask again
    finished, // the unit of work is done
    failed,   // it is over, and not as it should be
    retire,   // the lane has no more work in this stage
  };

  what is = what::retire;
  std::uint8_t kind = 0;  // of send: which of `kinds()` it counts as
  std::string_view bytes; // of send: valid until the lane is asked again
  time_point until{};     // of wait

  static step send(std::uint8_t kind, std::string_view bytes) { return {what::send, kind, bytes, {}}; }

  static step wait(time_point until) { return {what::wait, 0, {}, until}; }

  static step finished() { return {what::finished, 0, {}, {}}; }

  static step failed() { return {what::failed, 0, {}, {}}; }

  static step retire() { return {what::retire, 0, {}, {}}; }
};

/// One per thread; all calls on that thread. A unit of work is what one arrival does: a single request, or a journey.
class workload {
public:
  virtual ~workload() = default;

  /// Names of the kinds of request, at most 16.
  virtual std::span<const std::string_view> kinds() const = 0;

  /// A new unit of work on an idle lane.
  virtual step begin(lane_number lane, time_point now) = 0;
  virtual step answered(lane_number lane, const answer& a, time_point now) = 0;

  /// The wait is over.
  virtual step resumed(lane_number, time_point) { return step::failed(); }

  /// The connection broke, or nothing came in time: nobody knows whether the request took effect.
  virtual step broken(lane_number, time_point) { return step::failed(); }
};

} // namespace sluice::bench
