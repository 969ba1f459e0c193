// The provider's HTTP interface: payments, the ledger, and the control calls that make it misbehave. One I/O thread owns
// everything but the file's writer.
#pragma once

#include "http/io_thread.hpp"
#include "sandbox-provider/control.hpp"
#include "sandbox-provider/ledger.hpp"
#include "sandbox-provider/ledger_file.hpp"

#include <deque>
#include <functional>
#include <string>
#include <unordered_set>

namespace sluice::sandbox {

class service final : public http::request_handler {
public:
  service(http::io_thread& thread, ledger& books, ledger_file& file);

  // request_handler
  http::body_terms terms_for(const http::request& r) override;
  void handle(http::request& r, http::exchange reply) override;
  http::response refuse(errc why, const http::request& r) override;
  void tick(std::chrono::steady_clock::time_point now) override;

private:
  /// How a call goes wrong. The kinds flaky mode goes through come first, in its order.
  enum class fault : std::uint8_t {
    error_without_effect,
    error_after_effect,
    silence_after_effect,
    cut_after_effect,
    garbage_after_effect,
    silence_without_effect,
    cut_without_effect,
    none,
  };

  struct call {
    http::exchange reply;
    std::chrono::milliseconds delay{};
    fault meets = fault::none;
  };

  void on_step(const http::request& r, std::string_view reference, std::string_view verb, http::exchange reply);
  void on_inquiry(std::string_view reference, http::exchange reply);
  void on_control(const http::request& r, const http::exchange& reply);
  void send_ledger(const http::exchange& reply);

  /// The card's fault for this step, if it strikes now; `decline` may be set to a code.
  fault fault_of(behaviour b, const wish& w, std::string_view& decline);
  fault next_flaw();
  bool is_first_try(const std::string& key);

  void finish(const call& c, const wish& w, const answer& a, std::uint64_t sequence);
  void carry_out(const call& c, const std::string& reference, const answer& a);
  void when_durable(std::uint64_t sequence, std::function<void()> then);
  void on_durable(std::uint64_t sequence);
  void send(const call& c, http::response r);
  void keep_silent(http::exchange reply);
  static void cut(const http::exchange& reply);

  struct waiting {
    std::uint64_t sequence;
    std::function<void()> then;
  };

  struct silent {
    std::chrono::steady_clock::time_point until;
    http::exchange reply;
  };

  http::io_thread& thread_;
  ledger& books_;
  ledger_file& file_;
  control control_;
  std::deque<waiting> waiting_;           // by sequence
  std::deque<silent> silent_;             // connections that will never be answered, until they are cut
  std::unordered_set<std::string> tried_; // keys whose first try was refused on purpose
  std::uint64_t durable_ = 0;
  std::uint64_t calls_ = 0;
  std::uint64_t faults_ = 0;
  std::uint64_t flaws_ = 0;
};

} // namespace sluice::sandbox
