// One partition replica on a table: the real core and the real machines; the disk is done, and time passes, when the test
// says so.
#pragma once

#include "actors/entity_shell.hpp"
#include "cluster/partition/activation.hpp"
#include "cluster/partition/core.hpp"
#include "codec/message.hpp"
#include "core/overloaded.hpp"
#include "domain/event_definition.hpp"

#include <catch2/catch.hpp>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sluice::partition::test {

using namespace std::chrono_literals;
using namespace domain;

constexpr event_number the_number{7};
inline const entity_ref the_event = entity_ref::of_event(the_number);

/// What survives a restart.
struct disk {
  raft::hard_state vote;
  std::map<log_index, raft::entry> log;    // all of it: the full replay begins at 1
  std::optional<checkpoint_commit> commit; // in force
  std::uint64_t attempts = 0;
  std::map<std::pair<entity_ref, std::uint32_t>, std::string> pieces;
};

class replica {
public:
  explicit replica(config settings = {}, disk found = {}, bool from_checkpoint = true) : disk_{std::move(found)} {
    if (!settings.partition)
      settings.partition = {1};
    settings.consensus.self = {1};
    settings.incarnation = 1;
    settings.place = [](event_number e) { return partition_id{e == the_number ? 1u : 0u}; };
    settings.pulse = codec::encode(message{pulse{}});
    core_.emplace(settings);
    start s;
    s.consensus.bootstrap = {{node_id{1}}, {}};
    s.consensus.durable = disk_.vote;
    s.attempts = disk_.attempts;
    log_index after = 0;
    if (disk_.commit && from_checkpoint) {
      const auto& c = *disk_.commit;
      s.checkpoint = c.checkpoint;
      s.record = c.record;
      s.consensus.snapshot =
          raft::snapshot_ref{c.index, c.term, c.members, std::make_shared<const std::string>(c.record)};
      after = c.index;
    } else {
      disk_.pieces.clear();
    }
    for (const auto& [index, e] : disk_.log)
      if (index > after)
        s.consensus.log.push_back(e);
    handle(std::move(s));
    pass(1s); // nobody else stands: it leads
  }

  /// Hands in one command, without waiting for anything. The number is what answers and refusals are found by.
  std::uint64_t propose(const entity_ref& to, const message& m) {
    auto number = ++requests_;
    handle(partition::propose{{{to, {node_id{1}, 1, number}, std::to_string(number), codec::encode(m), {}, {}}}});
    return number;
  }

  /// A command and all that follows from it.
  reply run(const entity_ref& to, const message& m) {
    auto number = propose(to, m);
    settle();
    REQUIRE(answers.contains(number));
    return answers.at(number);
  }

  template <class Reply>
  Reply get(const entity_ref& to, const message& m) {
    auto r = run(to, m);
    REQUIRE(std::holds_alternative<Reply>(r));
    return std::get<Reply>(r);
  }

  void handle(input in) {
    outputs out;
    core_->handle({now_, wall_}, std::move(in), out);
    REQUIRE_FALSE(out.fatal);
    take(out);
  }

  /// The disk is done with everything, entities with theirs, until nothing is left to do.
  void settle() {
    while (!writes_.empty() || !todo_.empty()) {
      deliver_all();
      write_all();
    }
  }

  void write_all() {
    for (const auto& w : std::exchange(writes_, {}))
      make_durable(w);
  }

  void deliver_all() {
    while (!todo_.empty()) {
      auto next = std::move(todo_.front());
      todo_.pop_front();
      handle(next());
    }
  }

  /// Time passes, with a tick at the end. Pulses come by themselves.
  void pass(milliseconds time) {
    let_pass(time);
    settle();
  }

  void let_pass(milliseconds time) {
    now_ += time;
    wall_ += time;
    handle(tick{});
  }

  void take_checkpoint() {
    handle(checkpoint_now{});
    while (core_->status().checkpointing)
      pass(2ms);
  }

  const partition::core& core() const { return *core_; }

  const disk& stored() const { return disk_; }

  std::string state_of(const entity_ref& of) const {
    std::string all;
    for (const auto& piece : shells_.at(of)->save_all())
      if (piece.bytes)
        all += piece.bytes();
    return all;
  }

  bool is_active(const entity_ref& of) const { return shells_.contains(of); }

  std::map<std::uint64_t, reply> answers;
  std::map<std::uint64_t, errc> refusals;
  std::vector<note_out> notes;
  std::vector<effect_out> effects;
  std::vector<delivery> deliveries; // every one there was
  std::vector<feed_out> feed;
  std::vector<refusal_out> turned_away; // refusals that say where to ask
  std::vector<slot_pull> pulls;
  std::vector<event_number> left;
  std::vector<entity_ref> publishers; // asked to, in order
  std::size_t publishing = 0;         // and did not yet
  std::size_t publishing_at_once = 0; // the most there ever were
  std::size_t shares_at_once = 0;     // of a checkpoint, asked for and not given yet: the most there ever were

private:
  void take(outputs& out) {
    if (out.reset)
      shells_.clear();
    for (auto& w : out.writes)
      writes_.push_back(std::move(w));
    for (const auto& b : out.begins)
      disk_.attempts = b.checkpoint;
    for (auto& s : out.saves) {
      if (s.checkpoint != 0)
        shares_at_once = std::max(shares_at_once, ++shares_);
      todo_.emplace_back([this, s]() -> input {
        shares_ -= s.checkpoint != 0 ? 1 : 0;
        auto pieces = shells_.at(s.of)->save();
        if (s.passivate)
          shells_.erase(s.of);
        return saved{s.of, s.checkpoint, s.passivate, std::move(pieces)};
      });
    }
    for (const auto& p : out.publishes) {
      activate(p.of, p.activate, p.record);
      ++publishing;
      publishing_at_once = std::max(publishing_at_once, publishing);
      publishers.push_back(p.of);
      todo_.emplace_back([this, of = p.of]() -> input {
        --publishing;
        return published{of};
      });
    }
    for (auto& d : out.deliveries) {
      deliveries.push_back(d);
      todo_.emplace_back([this, d]() -> input {
        activate(d.to, d.activate, d.record);
        return shells_.at(d.to)->deliver(d);
      });
    }
    for (auto event : out.forgotten)
      todo_.emplace_back([this, event]() -> input {
        std::erase_if(shells_, [&](const auto& s) { return s.first.event == event; });
        return tick{};
      });
    for (auto& p : out.pieces)
      for (auto& piece : p.pieces)
        pending_.emplace_back(std::pair{p.of, piece.number}, piece.bytes ? std::optional{piece.bytes()} : std::nullopt);
    for (const auto& e : out.ends)
      todo_.emplace_back([e]() -> input { return checkpoint_flushed{e.checkpoint}; });
    for (auto& a : out.answers)
      answers.emplace(a.to.request, actors::unbox(a.body));
    for (const auto& r : out.refusals)
      refusals.emplace(r.to.request, r.why);
    for (const auto& r : out.refusals)
      if (r.moved)
        turned_away.push_back(r);
    std::move(out.pulls.begin(), out.pulls.end(), std::back_inserter(pulls));
    std::move(out.left.begin(), out.left.end(), std::back_inserter(left));
    for (auto& n : out.notes)
      notes.push_back(std::move(n));
    for (auto& e : out.effects)
      effects.push_back(std::move(e));
    for (auto& f : out.feed)
      feed.push_back(std::move(f));
  }

  void activate(const entity_ref& of, activation how, const kept_pieces& record) {
    if (how == activation::none)
      return;
    auto pieces = pieces_of(how, record, [&] {
      loaded_pieces stored;
      for (const auto& [key, bytes] : disk_.pieces)
        if (key.first == of)
          stored.emplace_back(key.second, bytes);
      return stored;
    });
    shells_[of] = actors::make_entity(of, pieces, how == activation::adopted);
  }

  /// The groups that a checkpoint says have gone.
  void forget(const std::vector<event_number>& events) {
    std::erase_if(disk_.pieces, [&](const auto& piece) {
      return std::find(events.begin(), events.end(), piece.first.first.event) != events.end();
    });
  }

  void make_durable(const log_write& w) {
    if (w.what.state)
      disk_.vote = *w.what.state;
    if (w.installed) { // the only one there is here: of nothing
      REQUIRE(w.installed->index == 0);
      disk_.log.clear();
      disk_.commit.reset();
      disk_.pieces.clear();
    }
    for (const auto& e : w.what.append)
      disk_.log.insert_or_assign(e.index, e);
    if (w.commit) {
      forget(w.commit->forgotten); // first, and whatever the checkpoint itself has of them: as the store does
      for (auto& [key, bytes] : std::exchange(pending_, {})) {
        if (std::find(w.commit->forgotten.begin(), w.commit->forgotten.end(), key.first.event) !=
            w.commit->forgotten.end())
          continue;
        disk_.pieces.erase(key);
        if (bytes)
          disk_.pieces.emplace(key, *bytes);
      }
      disk_.commit = w.commit;
      handle(checkpoint_committed{w.commit->checkpoint});
    }
    if (w.what.id != 0)
      handle(written{w.what.id});
  }

  std::optional<partition::core> core_;
  disk disk_;
  host_time now_{1h};
  wall_time wall_{milliseconds{1'800'000'000'000}};
  std::size_t shares_ = 0;
  std::uint64_t requests_ = 0;
  std::vector<log_write> writes_;
  std::deque<std::function<input()>> todo_;
  std::vector<std::pair<std::pair<entity_ref, std::uint32_t>, std::optional<std::string>>> pending_;
  std::map<entity_ref, std::unique_ptr<actors::entity_shell>> shells_;
};

// ---- common steps ----------------------------------------------------------------------------------------------------

inline event_definition two_blocks() {
  event_definition d;
  d.id = "demo";
  d.name = "Demo";
  d.local_date = "2027-03-01";
  d.categories = {{"front", "Front", 5'000}};
  section_definition section{"s", "S", {}};
  for (const char* id : {"A", "B"})
    section.blocks.push_back({id, id, {{"1", {{std::string{id} + "1", "1", 0}, {std::string{id} + "2", "2", 0}}}}});
  d.sections.push_back(std::move(section));
  d.admission.users_per_minute = 60'000;
  d.hold_ttl_seconds = 60;
  return d;
}

template <class Id>
Id numbered(std::uint8_t n) {
  Id id;
  id.bytes[id.bytes.size() - 1] = n;
  return id;
}

inline entity_ref session_of(const std::string& user) {
  return entity_ref::of_session(the_number, user);
}

/// The event is there, and these users are inside.
inline void open_house(replica& r, const std::vector<std::string>& users) {
  r.get<event_reply>(the_event, define_event{two_blocks(), 42, "test"});
  std::uint8_t n = 0;
  for (const auto& user : users) {
    auto ticket = r.get<ticket_reply>(the_event, join{user});
    r.get<visit_reply>(the_event, claim_turn{user, ticket.ticket, numbered<admission_id>(++n)});
  }
}

/// Seat 0 of each of these blocks, by the `n`th user.
inline request_hold hold_of(std::uint8_t n, std::uint8_t hold, std::initializer_list<std::uint32_t> blocks) {
  request_hold c{{"k" + std::to_string(hold), {hold, 0}}, numbered<admission_id>(n), numbered<hold_id>(hold), {}};
  for (auto b : blocks)
    c.parts.push_back({{b}, false, {0}, 0});
  return c;
}

} // namespace sluice::partition::test
