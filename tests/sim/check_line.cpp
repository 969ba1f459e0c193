#include "check_line.hpp"

#include <algorithm>

namespace sluice::simulation {

using domain::ticket_state;

std::string to_string(const entry_stamp& at) {
  return "partition " + std::to_string(at.partition.value) + " index " + std::to_string(at.index) + " log time " +
         std::to_string(to_ms(at.log));
}

void line_checker::fail(const entry_stamp& at, event_number event, const std::string& what) {
  run_.fail("line", "event " + std::to_string(event.value) + ", " + to_string(at) + ": " + what);
}

line_checker::line* line_checker::known(const entry_stamp& at, event_number event, const char* what) {
  auto found = lines_.find(event);
  if (found == lines_.end() || !found->second.definition) {
    fail(at, event, std::string{what} + " at an event nobody defined");
    return nullptr;
  }
  auto& l = found->second;
  if (l.removed && l.removed_at != at.index) {
    fail(at, event, std::string{what} + " at an event that was removed");
    return nullptr;
  }
  return &l;
}

void line_checker::on(const entry_stamp& at, event_number event, const domain::event_changed& f) {
  auto& l = lines_[event];
  if (l.removed && l.removed_at != at.index)
    return fail(at, event, "'" + f.what + "' after it was removed");
  if (f.by != "operator")
    return fail(at, event, "'" + f.what + "' does not say who did it");
  if (f.what == "defined") {
    const auto* defined = asked_.defined(event, f.users_per_minute);
    if (defined == nullptr || defined->admission.max_active_users != f.max_active_users)
      return fail(at, event, "a definition nobody asked for");
    ++run_.counts[l.definition ? deed::redefined : deed::defined];
    l.definition = *defined;
    l.defined_at = at.index;
    return settings_changed(at, l);
  }
  if (!l.definition)
    return fail(at, event, "'" + f.what + "' before it was defined");
  if (f.what == "admission") {
    const auto* patch = asked_.patched(event, f.users_per_minute);
    if (patch == nullptr)
      return fail(at, event, "admission settings nobody asked for");
    l.definition->admission = domain::patched(l.definition->admission, *patch);
    if (l.definition->admission.max_active_users != f.max_active_users)
      return fail(at, event, "another cap than asked for");
    return settings_changed(at, l);
  }
  if (!asked_.controlled(event, f.what))
    return fail(at, event, "'" + f.what + "', which nobody asked for");
  ++run_.counts[deed::controlled];
  if (f.what == "open")
    l.flags = {true, false, false, false};
  else if (f.what == "pause")
    l.flags.paused = true;
  else if (f.what == "resume")
    (l.flags.paused ? l.flags.paused : l.flags.draining) = false;
  else if (f.what == "drain")
    l.flags.draining = true;
  else if (f.what == "close")
    l.flags.closed = true;
  else if (f.what == "removed") {
    l.removed = true;
    l.removed_at = at.index;
    ++run_.counts[deed::removed];
  }
}

void line_checker::settings_changed(const entry_stamp& at, line& l) {
  const auto& a = l.definition->admission;
  auto batch = (std::uint64_t{a.users_per_minute} * a.batch_ms + 59'999) / 60'000;
  l.rates.push_back({at.log, a.users_per_minute, static_cast<std::uint32_t>(std::max<std::uint64_t>(batch, 1))});
}

void line_checker::on(const entry_stamp& at, event_number event, const domain::user_joined& f) {
  auto* l = known(at, event, "a join");
  if (l == nullptr)
    return;
  ++run_.counts[deed::joined];
  if (!asked_.joined(event, f.user))
    return fail(at, event, f.user + " joined without asking");
  if (l->flags.draining)
    return fail(at, event, f.user + " joined while it drains");
  if (f.ticket.value != l->tickets.size() + 1)
    return fail(at, event, "ticket " + std::to_string(f.ticket.value) + " after " + std::to_string(l->tickets.size()));
  auto before = l->latest.find(f.user);
  if (before != l->latest.end() && !domain::is_terminal(l->at(before->second)->state))
    return fail(at, event, f.user + " has two live tickets");
  l->latest[f.user] = f.ticket;
  l->tickets.push_back({f.user, ticket_state::waiting, at.log, {}});
  ++l->waiting;
}

void line_checker::on(const entry_stamp& at, event_number event, const domain::users_admitted& f) {
  auto* l = known(at, event, "an admission");
  if (l == nullptr)
    return;
  if (!may_pass(*l, at.wall))
    return fail(at, event, "people were let through while it is paused or not on sale");
  for (auto t : f.tickets) {
    auto* k = l->at(t);
    if (k == nullptr || k->state != ticket_state::waiting)
      return fail(at, event, "ticket " + std::to_string(t.value) + " was let through, but does not wait");
    if (t <= l->now_serving)
      return fail(at, event, "the line went backwards to ticket " + std::to_string(t.value));
    for (auto skipped = l->now_serving.value + 1; skipped < t.value; ++skipped)
      if (!domain::is_terminal(l->at({skipped})->state))
        return fail(at, event, "ticket " + std::to_string(skipped) + " was skipped while it waits");
    l->now_serving = t;
    const auto& a = l->definition->admission;
    if (++l->active > a.max_active_users)
      return fail(at, event, std::to_string(l->active) + " inside, the cap is " + std::to_string(a.max_active_users));
    --l->waiting;
    ++l->admitted_total;
    ++run_.counts[deed::admitted];
    *k = {k->user, ticket_state::admitted, at.log, at.log + std::chrono::seconds{a.claim_window_seconds}};
    l->admissions.push_back(at.log);
    check_rate(at, event, *l);
  }
}

/// In every window that ends now: at most rate × window + one batch.
void line_checker::check_rate(const entry_stamp& at, event_number event, const line& l) {
  auto rate = l.rates.rbegin();
  auto end = at.log;
  std::int64_t allowed = 0; // in 1 / 60 000 user
  std::int64_t batch = rate->batch;
  std::int64_t count = 0;
  for (auto first = l.admissions.rbegin(); first != l.admissions.rend(); ++first) {
    ++count;
    // Down to where the window begins, through every rate that was in force meanwhile.
    while (std::next(rate) != l.rates.rend() && rate->from >= *first) {
      allowed += (end - rate->from).count() * std::int64_t{rate->users_per_minute};
      end = rate->from;
      ++rate;
      batch = std::max<std::int64_t>(batch, rate->batch);
    }
    allowed += (end - *first).count() * std::int64_t{rate->users_per_minute};
    end = *first;
    if (count * 60'000 > allowed + batch * 60'000)
      return fail(at, event,
                  std::to_string(count) + " were let through within " + std::to_string((at.log - *first).count()) +
                      " ms, beyond the rate and one batch");
    if (count > 400)
      return;
  }
}

void line_checker::on(const entry_stamp& at, event_number event, const domain::turn_claimed& f) {
  auto* l = known(at, event, "a claim");
  if (l == nullptr)
    return;
  ++run_.counts[deed::claimed];
  auto* k = l->at(f.ticket);
  if (k == nullptr || k->state != ticket_state::admitted || !asked_.claimed(event, f.ticket, k->user))
    return fail(at, event,
                "ticket " + std::to_string(f.ticket.value) + " was claimed, but not admitted or not asked for");
  if (at.log >= k->deadline)
    return fail(at, event, "ticket " + std::to_string(f.ticket.value) + " was claimed after its window");
  const auto& d = *l->definition;
  *k = {k->user, ticket_state::active, at.log, at.log + std::chrono::seconds{d.admission.active_ttl_seconds}};
  l->limits[k->user] = d.limit_per_user;
  l->visit_changed[k->user] = at.index;
}

void line_checker::on(const entry_stamp& at, event_number event, const domain::ticket_ended& f) {
  auto* l = known(at, event, "an end of a ticket");
  if (l == nullptr)
    return;
  auto name = "ticket " + std::to_string(f.ticket.value);
  auto* k = l->at(f.ticket);
  if (k == nullptr || domain::is_terminal(k->state) || !domain::is_terminal(f.state))
    return fail(at, event, name + " ended, but does not live");
  if (f.state == ticket_state::left && !asked_.left(event, f.ticket, k->user))
    return fail(at, event, name + " left without asking");
  if (f.state == ticket_state::expired) {
    auto due = k->state == ticket_state::waiting
                   ? k->since + std::chrono::seconds{l->definition->admission.waiting_ttl_seconds}
                   : k->deadline;
    if (at.log < due)
      return fail(at, event, name + " expired " + std::to_string((due - at.log).count()) + " ms early");
    due = std::max(due, l->rates.back().from); // settings may have made it due at once
    if (due + line_patience < at.log)
      return fail(at, event, name + " expired " + std::to_string((at.log - due).count()) + " ms late");
  }
  if (f.state == ticket_state::completed) {
    ++l->completed_total;
    ++run_.counts[deed::completed];
    if (k->state == ticket_state::waiting)
      return fail(at, event, name + " completed without having been inside");
  }
  if (f.state == ticket_state::left)
    ++run_.counts[deed::left];
  --(k->state == ticket_state::waiting ? l->waiting : l->active);
  k->state = f.state;
  k->since = at.log;
  l->visit_changed[k->user] = at.index;
}

void line_checker::end_entry(const entry_stamp& at, event_number event) {
  auto found = lines_.find(event);
  if (found == lines_.end() || !found->second.definition)
    return;
  auto& l = found->second;
  check_progress(at, event, l);
  l.flags_before = l.flags;
  l.opens_before = l.definition->sale_opens_at;
  l.closes_before = l.definition->sale_closes_at;
  l.seen = std::max(l.seen, at.wall);
}

/// Whoever can pass passes: as soon as the rate allows, give or take a batch.
void line_checker::check_progress(const entry_stamp& at, event_number event, line& l) {
  const auto& a = l.definition->admission;
  auto first = l.could_pass_since;
  if (first && !l.admissions.empty())
    first = std::max(*first, l.admissions.back());
  if (l.closes_before && *l.closes_before <= at.wall)
    first.reset(); // the hour came meanwhile, which no fact tells
  auto enough = milliseconds{60'000 / a.users_per_minute + 1 + a.batch_ms} + line_patience;
  if (first && *first + enough < at.log)
    return fail(at, event,
                "nobody was let through for " + std::to_string((at.log - *first).count()) +
                    " ms, though there is room");
  bool can_pass =
      l.waiting > 0 && l.active < a.max_active_users && may_pass(l, at.wall) && !l.removed && !sold_out(event);
  if (!can_pass)
    l.could_pass_since.reset();
  else if (!l.could_pass_since)
    l.could_pass_since = at.log;
}

bool line_checker::may_pass(const line& l, wall_time now) const {
  const auto& d = *l.definition;
  bool closed = l.flags.closed || (d.sale_closes_at && *d.sale_closes_at <= now);
  bool scheduled = !l.flags.opened && d.sale_opens_at && now < *d.sale_opens_at;
  return !closed && !scheduled && !l.flags.paused;
}

domain::event_phase line_checker::phase(event_number event, const line& l, wall_time now) const {
  using domain::event_phase;
  const auto& d = *l.definition;
  if (l.flags.closed || (d.sale_closes_at && *d.sale_closes_at <= now))
    return event_phase::closed;
  if (!l.flags.opened && d.sale_opens_at && now < *d.sale_opens_at)
    return event_phase::scheduled;
  if (l.flags.paused)
    return event_phase::paused;
  if (sold_out(event))
    return event_phase::sold_out;
  if (l.flags.draining)
    return event_phase::draining;
  return l.waiting > 0 ? event_phase::queueing : event_phase::open;
}

bool line_checker::sale_open(event_number event, wall_time now, bool before) const {
  auto found = lines_.find(event);
  if (found == lines_.end())
    return false;
  const auto& l = found->second;
  const auto& flags = before ? l.flags_before : l.flags;
  auto opens = before ? l.opens_before : l.definition->sale_opens_at;
  auto closes = before ? l.closes_before : l.definition->sale_closes_at;
  // Blocks hear of a closing hour from the event, hence when it is next addressed: `seen` is when it last was.
  bool closed = flags.closed || (closes && *closes <= l.seen);
  bool scheduled = !flags.opened && opens && now < *opens;
  return !closed && !scheduled;
}

void line_checker::compare(const entry_stamp& at, const domain::board_update& board) {
  auto found = lines_.find(board.event);
  if (found == lines_.end() || found->second.removed)
    return;
  const auto& l = found->second;
  if (auto counted = phase(board.event, l, at.wall); board.phase != counted)
    fail(at, board.event,
         "the board says " + std::string{word_of(board.phase)} + ", it is " + std::string{word_of(counted)});
  auto differs = [&](const char* what, std::uint64_t told, std::uint64_t counted) {
    if (told != counted)
      fail(at, board.event,
           std::string{"the board says "} + what + " " + std::to_string(told) + ", counted are " +
               std::to_string(counted));
  };
  differs("waiting", board.waiting, l.waiting);
  differs("active", board.active, l.active);
  differs("last ticket", board.last_ticket.value, l.tickets.size());
  differs("now serving", board.now_serving.value, l.now_serving.value);
  differs("admitted", board.admitted_total, l.admitted_total);
  differs("completed", board.completed_total, l.completed_total);
}

const line_checker::ticket* line_checker::find(event_number event, ticket_number t) const {
  auto found = lines_.find(event);
  if (found == lines_.end() || t.value < 1 || t.value > found->second.tickets.size())
    return nullptr;
  return &found->second.tickets[t.value - 1];
}

std::optional<ticket_number> line_checker::ticket_of(event_number event, const std::string& user) const {
  auto found = lines_.find(event);
  if (found == lines_.end())
    return std::nullopt;
  auto latest = found->second.latest.find(user);
  return latest == found->second.latest.end() ? std::nullopt : std::make_optional(latest->second);
}

bool line_checker::visit_changed(event_number event, const std::string& user, log_index index) const {
  auto found = lines_.find(event);
  if (found == lines_.end())
    return false;
  auto changed = found->second.visit_changed.find(user);
  return changed != found->second.visit_changed.end() && changed->second == index;
}

std::uint32_t line_checker::limit_of(event_number event, const std::string& user) const {
  auto found = lines_.find(event);
  if (found == lines_.end())
    return 0;
  auto limit = found->second.limits.find(user);
  return limit == found->second.limits.end() ? 0 : limit->second;
}

bool line_checker::removed(event_number event) const {
  auto found = lines_.find(event);
  return found != lines_.end() && found->second.removed;
}

log_index line_checker::defined_at(event_number event) const {
  auto found = lines_.find(event);
  return found == lines_.end() ? 0 : found->second.defined_at;
}

const domain::event_definition* line_checker::definition(event_number event) const {
  auto found = lines_.find(event);
  return found == lines_.end() || !found->second.definition ? nullptr : &*found->second.definition;
}

std::uint64_t line_checker::completed(event_number event) const {
  auto found = lines_.find(event);
  return found == lines_.end() ? 0 : found->second.completed_total;
}

void line_checker::at_the_end(const std::function<std::optional<log_time>(event_number)>& now_of) {
  for (auto& [event, l] : lines_) {
    auto clock = l.removed || !l.definition ? std::nullopt : now_of(event);
    if (!clock)
      continue;
    auto now = *clock;
    for (std::size_t i = 0; i < l.tickets.size(); ++i) {
      const auto& k = l.tickets[i];
      if (domain::is_terminal(k.state))
        continue;
      auto due = k.state == ticket_state::waiting
                     ? k.since + std::chrono::seconds{l.definition->admission.waiting_ttl_seconds}
                     : k.deadline;
      if (due + std::chrono::seconds{2} <= now)
        run_.fail("liveness", "event " + std::to_string(event.value) + ": ticket " + std::to_string(i + 1) +
                                  " should have expired " + std::to_string((now - due).count()) + " ms ago");
    }
  }
}

} // namespace sluice::simulation
