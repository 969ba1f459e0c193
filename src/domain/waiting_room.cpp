#include "domain/waiting_room.hpp"

#include "core/assert.hpp"
#include "core/planted.hpp"

#include <algorithm>
#include <utility>

namespace sluice::domain {

waiting_room::waiting_room(ticket_book book, std::map<ticket_number, visit> visits, const counters& saved,
                           const admission_settings& settings)
    : book_{std::move(book)}, visits_{std::move(visits)}, count_{saved}, flow_{saved.flow}, settings_{settings} {
  for (const auto& [ticket, v] : visits_)
    deadlines_.emplace(v.deadline, ticket);
  if (is_planted(planted::refills_bucket))
    flow_.refill();
}

void waiting_room::configure(log_time now, const admission_settings& settings) {
  settings_ = settings;
  flow_.configure(now, settings.users_per_minute, settings.batch_ms);
  count_.flow = flow_.saved();
}

waiting_room::joined waiting_room::join(std::string_view user, log_time now, bool may_pass) {
  auto known = book_.find(user);
  if (known && !is_terminal(book_.state_of(known)) && !is_planted(planted::second_ticket))
    return {known, false, false};
  auto ticket = book_.append(user, now);
  ++count_.waiting;
  // Whoever waits goes first: only an empty line lets a newcomer through at once.
  bool passes = may_pass && count_.waiting == 1 && active() < cap() && flow_.available(now) > 0;
  if (passes)
    admit(ticket, now);
  return {ticket, true, passes};
}

std::vector<ended_ticket> waiting_room::expire(log_time now) {
  std::vector<ended_ticket> ended;
  while (!deadlines_.empty() && deadlines_.begin()->first <= now)
    ended.push_back(end(deadlines_.begin()->second, ticket_state::expired));
  // Tickets joined in number order, so the head of the line is the oldest.
  auto ttl = std::chrono::seconds{settings_.waiting_ttl_seconds};
  std::size_t lapsed = 0;
  for (skip_ended(); count_.head <= book_.last() && book_.joined(count_.head) + ttl <= now; skip_ended()) {
    if (++lapsed > lapses_max)
      break;
    ended.push_back(end(count_.head, ticket_state::expired));
  }
  return ended;
}

std::vector<ticket_number> waiting_room::promote(log_time now) {
  std::vector<ticket_number> admitted;
  if (count_.waiting == 0 || active() >= cap())
    return admitted;
  auto room = std::min(flow_.available(now), cap() - active());
  while (room > 0 && count_.waiting > 0) {
    skip_ended();
    admitted.push_back(next_in_line());
    admit(admitted.back(), now);
    --room;
  }
  if (!admitted.empty())
    last_batch_ = now;
  return admitted;
}

const visit& waiting_room::claim(ticket_number t, entry_time now, const admission_id& id) {
  auto& v = visits_.at(t);
  if (v.claimed)
    return v;
  auto ttl = std::chrono::seconds{settings_.active_ttl_seconds};
  deadlines_.erase({v.deadline, t});
  v = {true, now.log + ttl, id, now.wall, now.wall + ttl};
  deadlines_.emplace(v.deadline, t);
  book_.set_state(t, ticket_state::active);
  changed_visits_.insert(ticket_book::chunk_of(t));
  return v;
}

ended_ticket waiting_room::end(ticket_number t, ticket_state state) {
  auto before = book_.state_of(t);
  SLUICE_ASSERT(!is_terminal(before) && is_terminal(state), "a ticket ends once");
  if (before == ticket_state::waiting) {
    --count_.waiting;
    gone_.push_back(t);
  } else {
    drop_visit(t);
  }
  if (state == ticket_state::completed)
    ++count_.completed_total;
  book_.set_state(t, state);
  return {t, state, before == ticket_state::active};
}

const visit* waiting_room::visit_of(ticket_number t) const {
  auto found = visits_.find(t);
  return found == visits_.end() ? nullptr : &found->second;
}

bool waiting_room::is_full() const {
  return settings_.max_waiting_users != 0 && count_.waiting >= settings_.max_waiting_users;
}

std::optional<log_time> waiting_room::next_deadline(log_time now, bool may_pass) const {
  std::optional<log_time> next;
  auto consider = [&](log_time at) { next = next ? std::min(*next, at) : at; };
  if (!deadlines_.empty())
    consider(deadlines_.begin()->first);
  if (count_.waiting > 0) {
    auto head = count_.head;
    while (book_.state_of(head) != ticket_state::waiting)
      ++head.value;
    consider(book_.joined(head) + std::chrono::seconds{settings_.waiting_ttl_seconds});
    if (may_pass && active() < cap()) {
      // One pulse a batch, however fast the credit trickles in.
      auto spaced = last_batch_ ? *last_batch_ + milliseconds{settings_.batch_ms} : now;
      consider(std::max(flow_.next(now), spaced));
    }
  }
  return next;
}

std::optional<log_time> waiting_room::deadline_of(ticket_number t) const {
  if (const auto* v = visit_of(t))
    return v->deadline;
  if (book_.state_of(t) == ticket_state::waiting)
    return book_.joined(t) + std::chrono::seconds{settings_.waiting_ttl_seconds};
  return std::nullopt;
}

std::vector<ticket_number> waiting_room::take_gone() {
  return std::exchange(gone_, {});
}

std::vector<ticket_number> waiting_room::all_gone() const {
  std::vector<ticket_number> gone;
  // Chunk by chunk: a line may be a million long, and its event answers nobody meanwhile.
  const auto& chunks = book_.chunks();
  auto from = count_.now_serving.value; // one before the first
  for (auto chunk = from / ticket_chunk::capacity; chunk < chunks.size(); ++chunk) {
    const auto& states = chunks[chunk]->states;
    auto before = chunk * ticket_chunk::capacity;
    for (auto row = from > before ? from - before : 0; row < states.size(); ++row)
      if (is_terminal(states[row]))
        gone.push_back({before + row + 1});
  }
  return gone;
}

std::vector<std::uint32_t> waiting_room::take_waits() {
  return std::exchange(waits_, {});
}

std::set<std::uint32_t> waiting_room::take_changed_visits() {
  return std::exchange(changed_visits_, {});
}

std::uint32_t waiting_room::cap() const {
  return settings_.max_active_users + (is_planted(planted::cap_off_by_one) ? 1 : 0);
}

ticket_number waiting_room::next_in_line() const {
  if (is_planted(planted::skips_the_first)) {
    ticket_number second{count_.head.value + 1};
    if (second <= book_.last() && book_.state_of(second) == ticket_state::waiting)
      return second;
  }
  return count_.head;
}

void waiting_room::admit(ticket_number t, log_time now) {
  flow_.take(now, 1);
  count_.flow = flow_.saved();
  --count_.waiting;
  ++count_.admitted_total;
  SLUICE_ASSERT(t > count_.now_serving, "the line went backwards");
  count_.now_serving = t;
  auto deadline = now + std::chrono::seconds{settings_.claim_window_seconds};
  visits_.emplace(t, visit{false, deadline, {}, {}, {}});
  deadlines_.emplace(deadline, t);
  book_.set_state(t, ticket_state::admitted);
  changed_visits_.insert(ticket_book::chunk_of(t));
  waits_.push_back(static_cast<std::uint32_t>((now - book_.joined(t)).count()));
}

void waiting_room::skip_ended() {
  while (count_.head <= book_.last() && book_.state_of(count_.head) != ticket_state::waiting)
    ++count_.head.value;
}

void waiting_room::drop_visit(ticket_number t) {
  auto found = visits_.find(t);
  SLUICE_ASSERT(found != visits_.end(), "a ticket inside has no visit");
  deadlines_.erase({found->second.deadline, t});
  visits_.erase(found);
  changed_visits_.insert(ticket_book::chunk_of(t));
}

} // namespace sluice::domain
