#include "http/read_models.hpp"

#include "actors/entity_shell.hpp"
#include "core/overloaded.hpp"

#include <chrono>
#include <set>
#include <utility>

namespace sluice::http {

// ---- plan_view -------------------------------------------------------------------------------------------------------

plan_view::plan_view(std::shared_ptr<const domain::placed_event> placed) : placed_{std::move(placed)} {
  for (const auto& block : placed_->blocks) {
    if (!block.retired)
      places_.emplace(block.id, &block);
    for (seat_index s = 0; s < block.seats.size(); ++s)
      if (!block.seats[s].retired)
        seats_.emplace(block.seats[s].id, std::make_pair(block.number, s));
  }
}

std::optional<std::pair<block_number, seat_index>> plan_view::find_seat(std::string_view id) const {
  auto known = seats_.find(id);
  if (known == seats_.end())
    return std::nullopt;
  return known->second;
}

const domain::placed_block* plan_view::find_place(std::string_view id) const {
  auto known = places_.find(id);
  return known == places_.end() ? nullptr : known->second;
}

// ---- event_view ------------------------------------------------------------------------------------------------------

std::shared_ptr<const plan_view> event_view::plan() const {
  std::lock_guard lock{lock_};
  return plan_;
}

void event_view::set_plan(std::shared_ptr<const domain::placed_event> placed) {
  auto made = std::make_shared<const plan_view>(std::move(placed));
  std::lock_guard lock{lock_};
  plan_ = std::move(made);
}

void event_view::end() {
  {
    std::lock_guard lock{lock_};
    plan_.reset();
  }
  board_changes_.fetch_add(1, std::memory_order_release);
  stock_changes_.fetch_add(1, std::memory_order_release);
}

void event_view::apply(log_index version, const domain::board_update& u) {
  {
    std::lock_guard lock{lock_};
    auto wall = std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now());
    board_.apply(version, u, wall, std::chrono::steady_clock::now());
  }
  board_changes_.fetch_add(1, std::memory_order_release);
}

void event_view::apply(log_index version, const domain::block_update& u) {
  {
    std::lock_guard lock{lock_};
    if (blocks_.size() < u.block.value)
      blocks_.resize(u.block.value);
    auto& block = blocks_[u.block.value - 1];
    if (version < block.version)
      return; // of a leader of before, held up on its way
    block.version = version;
    block.counts = u.counts;
    if (u.full)
      block.seats.clear();
    for (const auto& [seat, status] : u.seats) {
      if (seat >= block.seats.size())
        block.seats.resize(seat + 1);
      block.seats[seat] = status;
    }
  }
  stock_changes_.fetch_add(1, std::memory_order_release);
}

// ---- read_models -----------------------------------------------------------------------------------------------------

void read_models::take(partition_id, const std::vector<partition::publication_out>& publications) {
  for (const auto& p : publications)
    std::visit(overloaded{
                   [&](const domain::board_update& u) { view_of(u.event)->apply(p.index, u); },
                   [&](const domain::block_update& u) { view_of(u.event)->apply(p.index, u); },
                   [&](const domain::event_placed& u) { view_of(u.event->number)->set_plan(u.event); },
                   [&](const domain::event_removed& u) {
                     std::unique_lock lock{lock_};
                     if (auto gone = events_.extract(u.event))
                       gone.mapped()->end();
                   },
                   [&](const domain::reservation_update& u) {
                     auto shared = std::make_shared<const domain::reservation_update>(u);
                     for (auto* listener : listeners_)
                       listener->changed(shared);
                   },
                   [&](const domain::catalogue_update& u) {
                     std::unique_lock lock{lock_};
                     auto before = std::exchange(catalogue_, std::make_shared<const domain::catalogue_update>(u));
                     slugs_.clear();
                     std::set<event_number> listed;
                     for (const auto& entry : u.events) {
                       slugs_.emplace(entry.slug, entry.number);
                       listed.insert(entry.number);
                     }
                     // That it was removed is said once, and may be lost with the leader that said it.
                     for (const auto& entry : before->events)
                       if (!listed.contains(entry.number))
                         if (auto gone = events_.extract(entry.number))
                           gone.mapped()->end();
                   },
                   [&](const domain::ranking_update& u) {
                     std::unique_lock lock{lock_};
                     ranking_ = std::make_shared<const domain::ranking_update>(u);
                   },
               },
               actors::unbox(p.body));
}

std::shared_ptr<event_view> read_models::find(std::string_view slug) const {
  std::shared_lock lock{lock_};
  auto known = slugs_.find(slug);
  if (known == slugs_.end())
    return nullptr;
  auto view = events_.find(known->second);
  return view == events_.end() ? nullptr : view->second;
}

std::shared_ptr<event_view> read_models::find(event_number number) const {
  std::shared_lock lock{lock_};
  auto view = events_.find(number);
  return view == events_.end() ? nullptr : view->second;
}

std::vector<std::shared_ptr<event_view>> read_models::all() const {
  std::shared_lock lock{lock_};
  std::vector<std::shared_ptr<event_view>> views;
  for (const auto& [number, view] : events_)
    views.push_back(view);
  return views;
}

std::shared_ptr<const domain::catalogue_update> read_models::catalogue() const {
  std::shared_lock lock{lock_};
  return catalogue_;
}

std::shared_ptr<const domain::ranking_update> read_models::ranking() const {
  std::shared_lock lock{lock_};
  return ranking_;
}

std::optional<domain::catalogue_entry> read_models::entry(std::string_view slug) const {
  auto shared = catalogue();
  for (const auto& entry : shared->events)
    if (entry.slug == slug)
      return entry;
  return std::nullopt;
}

std::shared_ptr<event_view> read_models::view_of(event_number number) {
  {
    std::shared_lock lock{lock_};
    auto known = events_.find(number);
    if (known != events_.end())
      return known->second;
  }
  std::unique_lock lock{lock_};
  auto& view = events_[number];
  if (!view)
    view = std::make_shared<event_view>(number);
  return view;
}

} // namespace sluice::http
