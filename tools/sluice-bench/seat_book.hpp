// The client's own history of a sale: who was told that which seat is his.
#pragma once

#include "sluice-bench/visitor.hpp"

#include <cstdint>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace sluice::bench {

/// Shared by the threads of a run.
class seat_book {
public:
  void add(const std::vector<std::string>& seats, const std::string& user);
  void add_places(const std::string& area, std::uint64_t count);

  std::uint64_t sold() const;

  const std::unordered_map<std::string, std::string>& owners() const { return owners_; }

  const std::map<std::string, std::uint64_t>& places() const { return places_; }

  /// Seats that two users were told are theirs.
  const std::vector<std::string>& sold_twice() const { return twice_; }

private:
  mutable std::mutex lock_;
  std::unordered_map<std::string, std::string> owners_;
  std::map<std::string, std::uint64_t> places_;
  std::vector<std::string> twice_;
};

/// Picks one to four neighbours at random of what it has not seen taken, so that users often want the same seats.
class rush_source final : public seat_source {
public:
  struct area {
    std::string id;
    std::uint64_t available = 0;
  };

  rush_source(const std::vector<std::string>& seats, const std::vector<area>& areas, seat_book& book,
              std::uint32_t seed);

  std::string_view pick(lane_number lane) override;
  bool refused(lane_number lane, const answer& a) override;
  void confirmed(lane_number lane, std::string_view user, const answer& a) override;

private:
  struct wish {
    std::vector<std::uint32_t> seats; // by their number in seats_
    std::size_t area = 0;
    unsigned quantity = 0;
    std::string body;
  };

  bool pick_seats(wish& w);
  bool pick_places(wish& w);
  void set_taken(std::uint32_t seat);

  const std::vector<std::string>& seats_;
  std::vector<area> areas_; // `available` 0: known to be sold out
  std::vector<bool> taken_; // as far as this thread knows
  std::size_t free_ = 0;
  seat_book& book_;
  std::minstd_rand dice_;
  std::vector<wish> wishes_; // by lane
};

} // namespace sluice::bench
