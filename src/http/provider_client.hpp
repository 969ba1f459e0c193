// Speaks HTTP to the payment provider: a bounded pool of keep-alive connections on a thread of its own. Waiting for a free
// one counts against a call's deadline.
#pragma once

#include "actors/provider_port.hpp"
#include "http/connection.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace sluice::http {

/// The provider's interface, as the sandbox implements it:
///   POST /v1/payments/{reference}/{authorise|capture|void|refund}  {amount, currency, card}, Idempotency-Key
///        200 {state} took effect · 402 or 409 {state, code} refused · anything else: unknown
///   GET  /v1/payments/{reference}  200 {state} · 404 never heard of it
/// where state is AUTHORISED, DECLINED, CAPTURED, VOIDED or REFUNDED.
class provider_client final : public actors::provider_port {
public:
  struct settings {
    asio::ip::tcp::endpoint at;
    std::size_t connections_max = 64;
    std::size_t waiting_max = 4'096; // beyond: unknown at once
  };

  explicit provider_client(const settings& s);
  ~provider_client() override;

  void call(actors::provider_request request, std::function<void(actors::provider_result)> done) override;
  void stop();

  struct figures {
    std::atomic<std::uint64_t> connections{0};
    std::atomic<std::uint64_t> waiting{0};
    std::atomic<std::uint64_t> timeouts{0};
    std::atomic<std::uint64_t> failures{0};
  };

  const figures& count() const { return figures_; }

private:
  struct wanted {
    actors::provider_request request;
    std::function<void(actors::provider_result)> done;
    std::chrono::steady_clock::time_point deadline;
  };

  class line;

  void submit(wanted w);
  void pump();
  void on_tick();
  void released(line& l, bool usable);

  settings settings_;
  figures figures_;
  asio::io_context context_{1};
  asio::steady_timer tick_;
  std::deque<wanted> waiting_;
  std::vector<std::shared_ptr<line>> lines_;
  bool stopping_ = false;
  std::thread thread_;
};

} // namespace sluice::http
