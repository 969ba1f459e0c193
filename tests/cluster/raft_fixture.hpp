// One replica on a table: its inputs are handed in by the test, its outputs kept apart, its disk done when the test
// says so.
#pragma once

#include "cluster/raft/core.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace sluice::raft::test {

using namespace std::chrono_literals;

inline std::shared_ptr<const std::string> text(std::string s) {
  return std::make_shared<const std::string>(std::move(s));
}

inline membership voters(std::initializer_list<std::uint32_t> ids, std::initializer_list<std::uint32_t> learners = {}) {
  membership m;
  for (auto i : ids)
    m.voters.insert(node_id{i});
  for (auto i : learners)
    m.learners.insert(node_id{i});
  return m;
}

inline entry noop(log_index index, log_term term) {
  return {index, term, entry_kind::noop, nullptr, nullptr};
}

inline entry command(log_index index, log_term term, const std::string& what = "x") {
  return {index, term, entry_kind::commands, text(what), nullptr};
}

inline entry change(log_index index, log_term term, membership m) {
  return {index, term, entry_kind::members, nullptr, std::make_shared<const membership>(std::move(m))};
}

/// Entries first..last of one term.
inline std::vector<entry> commands(log_index first, log_index last, log_term term) {
  std::vector<entry> made;
  for (auto i = first; i <= last; ++i)
    made.push_back(command(i, term, std::to_string(i)));
  return made;
}

inline snapshot_ref checkpoint(log_index index, log_term term, membership m) {
  return {index, term, std::move(m), text("manifest " + std::to_string(index))};
}

inline config settings_for(std::uint32_t self) {
  config c;
  c.self = node_id{self};
  c.seed = 7 + self;
  return c;
}

inline start fresh_start(membership m) {
  start s;
  s.bootstrap = std::move(m);
  return s;
}

/// With a log of its former life.
inline start start_with(membership m, log_term term, std::vector<entry> log, node_id vote = {}) {
  start s;
  s.bootstrap = std::move(m);
  s.durable = {term, vote};
  s.log = std::move(log);
  return s;
}

class replica {
public:
  explicit replica(config c) : core_{c} {}

  replica(std::uint32_t self, start s) : core_{settings_for(self)} { give(std::move(s)); }

  replica(config c, start s) : core_{c} { give(std::move(s)); }

  /// One input; returns what came out of this call alone. Not inlined: g++ 12 takes the alternatives of a variant it
  /// sees through for uninitialised.
  [[gnu::noinline]] const outputs& give(input in) {
    out.clear();
    core_.handle(now, std::move(in), out);
    for (auto& w : out.writes)
      last_write = w.id;
    committed.insert(committed.end(), out.committed.begin(), out.committed.end());
    if (out.timer)
      timer = *out.timer;
    return out;
  }

  [[gnu::noinline]] const outputs& hear(std::uint32_t from, const message& m, std::uint64_t incarnation = 1) {
    received r;
    r.from = node_id{from};
    r.incarnation = incarnation;
    r.body = m;
    return give(std::move(r));
  }

  const outputs& propose_text(const std::string& what, std::uint64_t id = 1) { return give(propose{id, text(what)}); }

  /// The disk has done everything asked for so far.
  const outputs& sync() { return give(written{last_write}); }

  /// Time passes, with a tick.
  const outputs& wait(host_clock::duration d) {
    now += d;
    return give(tick{});
  }

  /// Ticks as the timer asks until the replica looks for votes itself.
  const outputs& time_out() {
    for (int i = 0; i < 20 && status().role != role::pre_candidate && status().role != role::leader; ++i)
      wait(100ms);
    return out;
  }

  raft::status status() const { return core_.status(); }

  core& under_test() { return core_; }

  host_time now{1s};
  outputs out;
  std::vector<entry> committed;
  std::uint64_t last_write = 0;
  host_time timer{};

private:
  core core_;
};

template <class Message>
std::vector<std::pair<node_id, Message>> sent(const outputs& out) {
  std::vector<std::pair<node_id, Message>> found;
  for (auto& s : out.sends)
    if (auto* m = std::get_if<Message>(&s.body))
      found.emplace_back(s.to, *m);
  return found;
}

template <class Message>
std::vector<Message> sent_to(const outputs& out, std::uint32_t to) {
  std::vector<Message> found;
  for (auto& s : out.sends)
    if (auto* m = std::get_if<Message>(&s.body); m && s.to == node_id{to})
      found.push_back(*m);
  return found;
}

/// The write the first message of this kind waits for; 0: none.
template <class Message>
std::uint64_t held_by(const outputs& out) {
  for (auto& s : out.sends)
    if (std::holds_alternative<Message>(s.body))
      return s.after;
  return ~std::uint64_t{0};
}

inline append_reply ack(log_term term, log_index prev, log_index match, std::uint64_t round = 0) {
  return {
      .term = term, .success = true, .match = match, .accepted_prev = prev, .round = round, .standing = standing::full};
}

/// A leader of three, elected the long way, its no-op durable and committed.
inline replica leader_of_three(start s = fresh_start(voters({1, 2, 3})), config c = settings_for(1),
                               host_clock::duration late = {}) {
  replica r{c, std::move(s)};
  r.wait(late);
  r.time_out();
  auto term = r.status().term + 1;
  r.hear(2, vote_reply{term, true, true});
  r.sync();
  r.hear(2, vote_reply{term, true, false});
  r.sync();
  auto noop_at = r.status().last_index;
  r.hear(2, ack(term, noop_at - 1, noop_at));
  r.hear(3, ack(term, noop_at - 1, noop_at));
  return r;
}

inline append_request append(log_term term, log_index prev, log_term prev_term, std::vector<entry> entries,
                             log_index commit = 0) {
  append_request m;
  m.term = term;
  m.prev_index = prev;
  m.prev_term = prev_term;
  m.commit = commit;
  m.entries = std::move(entries);
  return m;
}

} // namespace sluice::raft::test
