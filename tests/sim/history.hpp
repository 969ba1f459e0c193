// What clients and operators asked for, whatever became of it. Nothing may happen that is not in here.
#pragma once

#include "core/entity.hpp"
#include "domain/messages.hpp"

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace sluice::simulation {

struct asked_hold {
  event_number event;
  std::string user;
  domain::idempotency once;
  std::vector<domain::wanted_part> parts;
};

struct asked_payment {
  event_number event;
  std::string user;
  domain::idempotency once;
  hold_id hold;
};

/// Owned by one run.
class history {
public:
  /// A message is on its way for the first or another time.
  void invoked(const entity_ref& to, const domain::message& m);

  const asked_hold* hold(const hold_id& id) const {
    auto found = holds_.find(id);
    return found == holds_.end() ? nullptr : &found->second;
  }

  const asked_payment* payment(const reservation_id& id) const {
    auto found = payments_.find(id);
    return found == payments_.end() ? nullptr : &found->second;
  }

  bool joined(event_number event, const std::string& user) const { return joins_.contains({event, user}); }

  bool left(event_number event, ticket_number t, const std::string& user) const {
    return leaves_.contains({event, t, user});
  }

  bool completed(event_number event, ticket_number t, const std::string& user) const {
    return completes_.contains({event, t, user});
  }

  bool claimed(event_number event, ticket_number t, const std::string& user) const {
    return claims_.contains({event, t, user});
  }

  bool released(const hold_id& id, const std::string& user) const { return releases_.contains({id, user}); }

  /// How many requests to extend it there were, each sent any number of times.
  std::size_t extensions(const hold_id& id) const {
    auto found = extensions_.find(id);
    return found == extensions_.end() ? 0 : found->second.size();
  }

  bool cancelled(const reservation_id& id, const std::string& user) const { return cancels_.contains({id, user}); }

  bool controlled(event_number event, const std::string& what) const { return controls_.contains({event, what}); }

  /// Every rate an operator sets for an event is set once, so that it names the settings it came with. Null: nobody did.
  const domain::event_definition* defined(event_number event, std::uint32_t rate) const {
    auto found = definitions_.find({event, rate});
    return found == definitions_.end() ? nullptr : &found->second;
  }

  const domain::admission_patch* patched(event_number event, std::uint32_t rate) const {
    auto found = patches_.find({event, rate});
    return found == patches_.end() ? nullptr : &found->second;
  }

private:
  std::map<hold_id, asked_hold> holds_;
  std::map<reservation_id, asked_payment> payments_;
  std::set<std::pair<event_number, std::string>> joins_;
  std::set<std::tuple<event_number, ticket_number, std::string>> leaves_, completes_, claims_;
  std::set<std::pair<hold_id, std::string>> releases_;
  std::map<hold_id, std::set<std::string>> extensions_;
  std::set<std::pair<reservation_id, std::string>> cancels_;
  std::set<std::pair<event_number, std::string>> controls_;
  std::map<std::pair<event_number, std::uint32_t>, domain::event_definition> definitions_;
  std::map<std::pair<event_number, std::uint32_t>, domain::admission_patch> patches_;
};

} // namespace sluice::simulation
