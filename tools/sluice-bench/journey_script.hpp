// The whole way from the line to a paid place, as commands to the router.
#pragma once

#include "sluice-bench/in_process.hpp"

#include <random>
#include <string>
#include <vector>

namespace sluice::bench {

class journey_script final : public script {
public:
  /// Each event's first place must be an area. `users_max` 0: no end.
  journey_script(std::vector<event_number> events, std::string prefix, bool pays, std::uint64_t users_max = 0);

  action begin(std::uint32_t lane) override;
  action answered(std::uint32_t lane, const domain::reply& reply) override;
  action resumed(std::uint32_t lane) override;
  bool wakes(const domain::reservation_update& u, std::uint32_t& lane, action& next) override;

private:
  struct guest {
    std::string user;
    event_number event;
    ticket_number ticket;
    admission_id admission;
    std::uint64_t number = 0;
  };

  action claim(guest& g);
  template <class Id>
  Id routed(const guest& g, std::uint32_t lane) const;

  std::vector<event_number> events_;
  std::string prefix_;
  bool pays_;
  std::uint64_t users_max_;
  std::uint64_t next_ = 0;
  std::uint64_t salt_;
  std::vector<guest> guests_;
};

} // namespace sluice::bench
