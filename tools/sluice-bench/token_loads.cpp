#include "sluice-bench/token_loads.hpp"

#include "sluice-bench/setup.hpp"

#include <array>

namespace sluice::bench {

namespace {

constexpr std::array<std::string_view, 1> poll_names{"poll"};
constexpr std::array<std::string_view, 1> hold_names{"hold"};

} // namespace

poll_load::poll_load(const std::string& host, const std::vector<std::string>& events,
                     const std::vector<token_holder>& users, std::size_t first)
    : next_{first} {
  for (const auto& u : users)
    requests_.push_back("GET /api/v1/events/" + events[u.event] + "/queue HTTP/1.1\r\nHost: " + host +
                        "\r\nAuthorization: Bearer " + u.token + "\r\n\r\n");
}

std::span<const std::string_view> poll_load::kinds() const {
  return poll_names;
}

step poll_load::begin(lane_number, time_point) {
  if (requests_.empty())
    return step::retire();
  return step::send(0, requests_[next_++ % requests_.size()]);
}

step poll_load::answered(lane_number, const answer& a, time_point) {
  return a.status == 200 ? step::finished() : step::failed();
}

hold_load::hold_load(const std::string& host, const std::vector<std::string>& events,
                     const std::vector<token_holder>& users, unsigned each, std::atomic<std::uint64_t>& next,
                     seat_source& seats)
    : host_{host}, events_{events}, users_{users}, each_{each}, next_{next}, seats_{seats}, key_{fresh_name("k")} {}

std::span<const std::string_view> hold_load::kinds() const {
  return hold_names;
}

step hold_load::begin(lane_number lane, time_point) {
  auto n = next_.fetch_add(1, std::memory_order_relaxed);
  if (n >= users_.size() * each_)
    return step::retire();
  auto body = seats_.pick(lane);
  if (body.empty())
    return step::retire();
  const auto& user = users_[n % users_.size()];
  if (lane >= out_.size())
    out_.resize(lane + 1);
  auto& out = out_[lane];
  out = "POST /api/v1/events/";
  out += events_[user.event];
  out += "/holds HTTP/1.1\r\nHost: ";
  out += host_;
  out += "\r\nAuthorization: Bearer ";
  out += user.token;
  out += "\r\nIdempotency-Key: ";
  out += key_;
  out += std::to_string(n);
  out += "\r\nContent-Type: application/json\r\nContent-Length: ";
  out += std::to_string(body.size());
  out += "\r\n\r\n";
  out += body;
  return step::send(0, out);
}

step hold_load::answered(lane_number, const answer& a, time_point) {
  return a.status == 201 ? step::finished() : step::failed();
}

} // namespace sluice::bench
