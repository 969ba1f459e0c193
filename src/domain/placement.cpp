// Gives the blocks and seats of a definition the numbers their entities go by, and keeps them for good.
#include "domain/event.hpp"

#include <map>
#include <set>
#include <string>
#include <unordered_map>

namespace sluice::domain {

namespace {

constexpr std::size_t categories_ever = 10'000;

/// Old seats keep their index; new ones are appended; those no longer named are retired. `numbers`: of the categories.
std::vector<placed_seat> place_seats(const std::vector<placed_seat>& before, const block_definition& block,
                                     const std::vector<std::uint32_t>& numbers) {
  auto seats = before;
  std::unordered_map<std::string, std::size_t> index_of;
  for (std::size_t i = 0; i < seats.size(); ++i) {
    seats[i].retired = true;
    index_of.emplace(seats[i].id, i);
  }
  for (const auto& row : block.rows)
    for (const auto& seat : row.seats) {
      placed_seat placed{seat.id, row.id, seat.number, numbers.at(seat.category), false};
      auto known = index_of.find(seat.id);
      if (known == index_of.end())
        seats.push_back(std::move(placed));
      else
        seats[known->second] = std::move(placed);
    }
  return seats;
}

class placer {
public:
  placer(event_number number, const placed_event* before, const std::map<block_number, stock_counts>& stock,
         const std::vector<category_definition>& categories)
      : before_{before}, stock_{stock} {
    made_.number = number;
    made_.revision = before ? before->revision + 1 : 1;
    if (before)
      made_.blocks = before->blocks;
    for (auto& block : made_.blocks)
      block.retired = true;
    for (const auto& block : made_.blocks)
      known_.emplace(block.id, block.number);
    number_categories(categories);
  }

  std::optional<error> add(const std::string& section, const block_definition& block) {
    auto& placed = slot(block.id);
    if (placed.number && placed.area)
      return error{errc::event_in_sale, "'" + block.id + "' is an area and can not become a block"};
    placed = {take_number(placed),
              block.id,
              block.name,
              section,
              false,
              0,
              0,
              false,
              place_seats(placed.seats, block, category_numbers_)};
    return std::nullopt;
  }

  std::optional<error> add(const area_definition& area) {
    auto& placed = slot(area.id);
    if (placed.number && !placed.area)
      return error{errc::event_in_sale, "'" + area.id + "' is a block and can not become an area"};
    auto taken = taken_in(placed.number);
    if (area.capacity < taken)
      return error{errc::event_in_sale, "area '" + area.id + "' has " + std::to_string(taken) +
                                            " places held or sold; its capacity can not be lower"};
    placed = {take_number(placed), area.id, area.name, {}, true, category_numbers_.at(area.category),
              area.capacity,       false,   {}};
    return std::nullopt;
  }

  result<placed_event> finish(const event_definition& definition) {
    if (made_.categories.size() > categories_ever)
      return error{errc::event_in_sale, "the event has had too many categories; use the ids of earlier ones again"};
    for (auto& block : made_.blocks) {
      if (!block.retired)
        continue;
      if (taken_in(block.number) > 0)
        return error{errc::event_in_sale, "'" + block.id + "' has seats held or sold and can not be removed"};
      block.capacity = 0;
      for (auto& seat : block.seats)
        seat.retired = true;
    }
    if (before_ && before_->definition.currency != definition.currency && sold_anywhere())
      return error{errc::event_in_sale, "the currency can not change once seats are held or sold"};
    made_.definition = definition;
    return std::move(made_);
  }

private:
  placed_block& slot(const std::string& id) {
    auto known = known_.find(id);
    if (known != known_.end())
      return made_.blocks[known->second.value - 1];
    made_.blocks.emplace_back();
    known_.emplace(id, block_number{static_cast<std::uint32_t>(made_.blocks.size())});
    return made_.blocks.back();
  }

  /// Old ones keep theirs; new ones are appended.
  void number_categories(const std::vector<category_definition>& categories) {
    std::map<std::string, std::uint32_t> number_of;
    if (before_)
      made_.categories = before_->categories;
    for (const auto& id : made_.categories)
      number_of.emplace(id, static_cast<std::uint32_t>(number_of.size()));
    for (const auto& category : categories) {
      auto [known, is_new] = number_of.emplace(category.id, static_cast<std::uint32_t>(number_of.size()));
      if (is_new)
        made_.categories.push_back(category.id);
      category_numbers_.push_back(known->second);
    }
  }

  block_number take_number(const placed_block& placed) const {
    return placed.number ? placed.number : block_number{static_cast<std::uint32_t>(made_.blocks.size())};
  }

  std::uint32_t taken_in(block_number block) const {
    auto found = stock_.find(block);
    return found == stock_.end() ? 0 : found->second.held + found->second.confirmed;
  }

  bool sold_anywhere() const {
    for (const auto& [block, counts] : stock_)
      if (counts.held + counts.confirmed > 0)
        return true;
    return false;
  }

  const placed_event* before_;
  const std::map<block_number, stock_counts>& stock_;
  placed_event made_;
  std::map<std::string, block_number> known_;
  std::vector<std::uint32_t> category_numbers_; // by place in the definition
};

} // namespace

result<placed_event> place(event_number number, const placed_event* before,
                           const std::map<block_number, stock_counts>& stock, const event_definition& definition) {
  if (auto mistakes = check(definition); !mistakes.empty())
    return error{errc::definition_invalid, mistakes.front().pointer + " " + mistakes.front().detail};
  placer p{number, before, stock, definition.categories};
  for (const auto& section : definition.sections)
    for (const auto& block : section.blocks)
      if (auto why = p.add(section.id, block))
        return *why;
  for (const auto& area : definition.areas)
    if (auto why = p.add(area))
      return *why;
  return p.finish(definition);
}

} // namespace sluice::domain
