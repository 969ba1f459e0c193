#include "sluice-bench/seat_book.hpp"

namespace sluice::bench {

void seat_book::add(const std::vector<std::string>& seats, const std::string& user) {
  std::lock_guard lock{lock_};
  for (const auto& seat : seats)
    if (auto [known, fresh] = owners_.emplace(seat, user); !fresh && known->second != user)
      twice_.push_back(seat);
}

void seat_book::add_places(const std::string& area, std::uint64_t count) {
  std::lock_guard lock{lock_};
  places_[area] += count;
}

std::uint64_t seat_book::sold() const {
  std::lock_guard lock{lock_};
  std::uint64_t sum = owners_.size();
  for (const auto& [area, count] : places_)
    sum += count;
  return sum;
}

rush_source::rush_source(const std::vector<std::string>& seats, const std::vector<area>& areas, seat_book& book,
                         std::uint32_t seed)
    : seats_{seats}, areas_{areas}, taken_(seats.size()), free_{seats.size()}, book_{book}, dice_{seed * 977 + 5} {}

std::string_view rush_source::pick(lane_number lane) {
  if (lane >= wishes_.size())
    wishes_.resize(lane + 1);
  auto& w = wishes_[lane];
  w.seats.clear();
  w.quantity = 0;
  if (!pick_seats(w) && !pick_places(w))
    return {};
  return w.body;
}

bool rush_source::pick_seats(wish& w) {
  if (free_ == 0)
    return false;
  auto at = static_cast<std::size_t>(dice_()) % seats_.size();
  while (taken_[at])
    at = (at + 1) % seats_.size();
  auto wanted = 1 + dice_() % 4;
  w.body = "{\"seats\":[";
  for (; w.seats.size() < wanted && at < seats_.size() && !taken_[at]; ++at) {
    w.body += w.seats.empty() ? "\"" : ",\"";
    w.body += seats_[at];
    w.body += '"';
    w.seats.push_back(static_cast<std::uint32_t>(at));
  }
  w.body += "]}";
  return true;
}

bool rush_source::pick_places(wish& w) {
  for (std::size_t i = 0; i < areas_.size(); ++i) {
    if (areas_[i].available == 0)
      continue;
    w.area = i;
    w.quantity = 1 + static_cast<unsigned>(dice_() % std::min<std::uint64_t>(4, areas_[i].available));
    w.body = "{\"area\":\"" + areas_[i].id + "\",\"quantity\":" + std::to_string(w.quantity) + "}";
    return true;
  }
  return false;
}

void rush_source::set_taken(std::uint32_t seat) {
  if (!taken_[seat])
    --free_;
  taken_[seat] = true;
}

bool rush_source::refused(lane_number lane, const answer& a) {
  auto& w = wishes_[lane];
  if (w.quantity > 0) {
    // Fewer may still fit; when one does not, nothing does.
    areas_[w.area].available = w.quantity - 1;
    return true;
  }
  // The refusal names who is taken; if it does not, all are.
  bool named = false;
  for (auto s : w.seats)
    if (a.body.find('"' + seats_[s] + '"') != std::string_view::npos) {
      set_taken(s);
      named = true;
    }
  for (auto s : w.seats)
    if (!named)
      set_taken(s);
  return true;
}

void rush_source::confirmed(lane_number lane, std::string_view user, const answer&) {
  const auto& w = wishes_[lane];
  if (w.quantity > 0) {
    book_.add_places(areas_[w.area].id, w.quantity);
    return;
  }
  std::vector<std::string> names;
  for (auto s : w.seats) {
    set_taken(s);
    names.push_back(seats_[s]);
  }
  book_.add(names, std::string{user});
}

} // namespace sluice::bench
