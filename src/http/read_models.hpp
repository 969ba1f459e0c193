// What this node's bridges read without asking anybody: pushed by the leaders, kept here, shared by all I/O threads.
#pragma once

#include "actors/messages.hpp"
#include "domain/publications.hpp"
#include "http/serving_board.hpp"

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace sluice::http {

/// An event's placement with what requests look up in it. Immutable.
class plan_view {
public:
  explicit plan_view(std::shared_ptr<const domain::placed_event> placed);

  const domain::placed_event& placed() const { return *placed_; }

  const domain::event_definition& definition() const { return placed_->definition; }

  std::optional<std::pair<block_number, seat_index>> find_seat(std::string_view id) const;
  /// Blocks and areas on sale, by id.
  const domain::placed_block* find_place(std::string_view id) const;

  bool has(block_number number) const { return number.value >= 1 && number.value <= placed_->blocks.size(); }

  /// One it has.
  const domain::placed_block& block(block_number number) const { return placed_->blocks.at(number.value - 1); }

private:
  std::shared_ptr<const domain::placed_event> placed_;
  std::unordered_map<std::string_view, std::pair<block_number, seat_index>> seats_;
  std::unordered_map<std::string_view, const domain::placed_block*> places_;
};

/// Seat statuses and counts of one block or area.
struct block_view {
  log_index version = 0;
  domain::stock_counts counts;
  std::vector<domain::seat_status> seats;
};

/// One event as this node sees it. Thread-safe.
class event_view {
public:
  explicit event_view(event_number number) : number_{number} {}

  event_number number() const { return number_; }

  std::shared_ptr<const plan_view> plan() const;

  /// Runs `look(board)` under the lock; keep it short.
  template <class Look>
  auto with_board(Look&& look) const {
    std::lock_guard lock{lock_};
    return look(std::as_const(board_));
  }

  /// Runs `look(block)` under the lock; false if the block is not known yet.
  template <class Look>
  bool with_block(block_number number, Look&& look) const {
    std::lock_guard lock{lock_};
    if (number.value == 0 || number.value > blocks_.size())
      return false;
    look(std::as_const(blocks_[number.value - 1]));
    return true;
  }

  /// Rises with every change of the board; for those who wait for one.
  std::uint64_t board_changes() const { return board_changes_.load(std::memory_order_acquire); }

  std::uint64_t stock_changes() const { return stock_changes_.load(std::memory_order_acquire); }

  void set_plan(std::shared_ptr<const domain::placed_event> placed);
  /// The event was removed: it has no plan any more, and whoever waits for a change hears of it.
  void end();
  void apply(log_index version, const domain::board_update& u);
  void apply(log_index version, const domain::block_update& u);

private:
  event_number number_;
  mutable std::mutex lock_;
  std::shared_ptr<const plan_view> plan_;
  serving_board board_;
  std::vector<block_view> blocks_;
  std::atomic<std::uint64_t> board_changes_{0};
  std::atomic<std::uint64_t> stock_changes_{0};
};

/// Hears of reservations that changed. Called from actor threads: thread-safe, must not block.
class reservation_listener {
public:
  virtual ~reservation_listener() = default;
  virtual void changed(const std::shared_ptr<const domain::reservation_update>& update) = 0;
};

class read_models final : public actors::publication_port {
public:
  void take(partition_id partition, const std::vector<partition::publication_out>& publications) override;

  /// By slug; null if there is none, or it is not defined yet.
  std::shared_ptr<event_view> find(std::string_view slug) const;
  std::shared_ptr<event_view> find(event_number number) const;
  std::vector<std::shared_ptr<event_view>> all() const;

  std::shared_ptr<const domain::catalogue_update> catalogue() const;
  std::shared_ptr<const domain::ranking_update> ranking() const;

  /// The catalogue's own entry for a slug.
  std::optional<domain::catalogue_entry> entry(std::string_view slug) const;

  /// Before traffic.
  void add_listener(reservation_listener& listener) { listeners_.push_back(&listener); }

private:
  std::shared_ptr<event_view> view_of(event_number number);

  mutable std::shared_mutex lock_;
  std::map<event_number, std::shared_ptr<event_view>> events_;
  std::map<std::string, event_number, std::less<>> slugs_;
  std::shared_ptr<const domain::catalogue_update> catalogue_ = std::make_shared<domain::catalogue_update>();
  std::shared_ptr<const domain::ranking_update> ranking_ = std::make_shared<domain::ranking_update>();
  std::vector<reservation_listener*> listeners_;
};

} // namespace sluice::http
