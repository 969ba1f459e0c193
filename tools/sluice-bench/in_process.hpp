// A node inside this very process: commands go through its router, without HTTP.
#pragma once

#include "actors/router.hpp"
#include "domain/messages.hpp"
#include "domain/replies.hpp"
#include "http/read_models.hpp"
#include "sluice-bench/histogram.hpp"
#include "sluice-bench/plain_client.hpp"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace sluice::node {
class node;
struct config;
} // namespace sluice::node

namespace sluice::bench {

class in_process_node {
public:
  /// Starts it on the folder and waits until it serves. It listens too, for event files and figures.
  explicit in_process_node(const std::filesystem::path& data, const std::string& provider = "127.0.0.1:1",
                           std::size_t checkpoint_log_mib = 24);
  /// `admin_key`: of its cluster; empty: it founds one and makes its own.
  explicit in_process_node(const node::config& settings, std::string admin_key = {});
  ~in_process_node();

  const std::string& key() const { return key_; }

  node::node& inside() { return *node_; }

  plain_client& admin() { return *admin_; }

  const target& to() const { return to_; }

  event_number number_of(const std::string& event);
  void stop();

private:
  std::unique_ptr<node::node> node_;
  target to_;
  std::unique_ptr<plain_client> admin_;
  std::string key_;
};

/// What one of the pump's lanes does next.
struct action {
  enum class what : std::uint8_t { send, ask, pause, park, finished, failed, retire };

  what is = what::retire;
  entity_ref to{};
  domain::message body{};

  static action send(entity_ref to, domain::message m) { return {what::send, std::move(to), std::move(m)}; }

  static action ask(entity_ref to, domain::message m) { return {what::ask, std::move(to), std::move(m)}; }

  static action only(what w) { return {w, {}, {}}; }
};

/// What the pump's lanes do; all calls on the pump's thread.
class script {
public:
  virtual ~script() = default;
  virtual action begin(std::uint32_t lane) = 0;
  virtual action answered(std::uint32_t lane, const domain::reply& reply) = 0;

  /// A pause is over.
  virtual action resumed(std::uint32_t) { return action::only(action::what::failed); }

  /// A reservation moved on: which lane is to go on, if any.
  virtual bool wakes(const domain::reservation_update&, std::uint32_t& /*lane*/, action& /*next*/) { return false; }
};

struct pump_figures {
  double seconds = 0;
  double cpu_seconds = 0; // of the whole process
  std::uint64_t finished = 0;
  std::uint64_t failed = 0;
  histogram units;
};

/// Keeps lanes of commands going, in a closed loop.
class command_pump final : public actors::answer_port, public http::reservation_listener {
public:
  explicit command_pump(in_process_node& node);

  /// Until every lane retired, or `length` passed (0: no end).
  pump_figures run(script& work, std::uint32_t lanes, nanoseconds length = {});

  void take(std::vector<partition::answer_out> answers, std::vector<partition::refusal_out> refusals) override;
  void changed(const std::shared_ptr<const domain::reservation_update>& update) override;

private:
  void follow(std::uint32_t lane, action a);
  void begin(std::uint32_t lane);
  void flush();
  bool wait(time_point until);

  actors::router& routes_;
  std::uint8_t port_;

  std::mutex lock_;
  std::condition_variable wake_;
  std::vector<partition::answer_out> answers_;
  std::vector<partition::refusal_out> refusals_;
  std::vector<std::shared_ptr<const domain::reservation_update>> updates_;

  script* work_ = nullptr;
  std::uint64_t round_ = 0; // tells answers to an earlier run apart
  std::uint64_t busy_ = 0;
  bool over_ = false;
  std::vector<time_point> begun_;
  std::deque<std::pair<time_point, std::uint32_t>> paused_;
  std::vector<std::vector<partition::proposal>> proposals_; // by partition
  std::vector<std::vector<partition::query>> queries_;
  pump_figures figures_;
};

/// CPU time of this process so far.
double process_cpu_seconds();

/// Makes users "prefix0000000000" … join; throws if one is refused.
pump_figures fill_line(command_pump& pump, event_number event, const std::string& prefix, std::uint64_t first,
                       std::uint64_t count, std::uint32_t lanes = 2048);

} // namespace sluice::bench
