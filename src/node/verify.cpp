#include "node/verify.hpp"

#include "codec/document.hpp"
#include "codec/times.hpp"
#include "core/overloaded.hpp"
#include "core/text_id.hpp"
#include "http/views.hpp"
#include "node/sealer.hpp"

#include <map>
#include <set>
#include <vector>

namespace sluice::node {

namespace {

using domain::stock_move;

/// A hold's part in one block, as the facts tell it.
struct told_hold {
  std::set<seat_index> seats;
  std::uint32_t quantity = 0;
  bool confirmed = false;
};

/// One block or area, recounted.
struct told_block {
  std::uint32_t capacity = 0;
  std::uint32_t blocked = 0;
  std::uint64_t held = 0;
  std::uint64_t confirmed = 0;
  std::map<hold_id, told_hold> holds;
  std::map<seat_index, hold_id> owners;
  std::uint64_t two_owners = 0;
  std::uint64_t oversold = 0;
  std::uint64_t strange = 0; // a move that fits no hold
};

/// The naive model: shares no code with the machines.
class recount {
public:
  explicit recount(std::map<block_number, log_index> until) : until_{std::move(until)} {}

  void take(log_index index, const domain::fact& f) {
    ++facts_;
    std::visit(overloaded{
                   [&](const domain::stock_defined& m) {
                     if (index > until_[m.block])
                       return;
                     auto& b = blocks_[m.block];
                     b.capacity = m.capacity;
                     b.blocked = m.blocked;
                   },
                   [&](const domain::stock_moved& m) {
                     if (index <= until_[m.block])
                       move(blocks_[m.block], m);
                   },
                   [&](const domain::users_admitted& m) {
                     for (auto t : m.tickets) {
                       if (t <= last_admitted_)
                         ++inversions_;
                       last_admitted_ = t;
                     }
                     admitted_ += m.tickets.size();
                   },
                   [&](const domain::user_joined&) { ++joined_; },
                   [](const auto&) {},
               },
               f);
  }

  std::map<block_number, told_block>& blocks() { return blocks_; }

  std::uint64_t facts() const { return facts_; }

  std::uint64_t inversions() const { return inversions_; }

  std::uint64_t joined() const { return joined_; }

  std::uint64_t admitted() const { return admitted_; }

private:
  static void move(told_block& b, const domain::stock_moved& m) {
    auto count = m.quantity + static_cast<std::uint32_t>(m.seats.size());
    auto known = b.holds.find(m.hold);
    bool fits = known != b.holds.end() && known->second.seats == std::set<seat_index>(m.seats.begin(), m.seats.end()) &&
                known->second.quantity == m.quantity;
    switch (m.move) {
    case stock_move::held:
      if (known != b.holds.end())
        ++b.strange;
      b.holds[m.hold] = {{m.seats.begin(), m.seats.end()}, m.quantity, false};
      for (auto s : m.seats)
        if (!b.owners.emplace(s, m.hold).second)
          ++b.two_owners;
      b.held += count;
      break;
    case stock_move::pinned:
      b.strange += fits && !known->second.confirmed ? 0 : 1;
      break;
    case stock_move::released:
    case stock_move::lapsed:
      if (!fits || known->second.confirmed) {
        ++b.strange;
        break;
      }
      b.held -= count;
      free(b, known);
      break;
    case stock_move::confirmed:
      if (!fits || known->second.confirmed) {
        ++b.strange;
        break;
      }
      known->second.confirmed = true;
      b.held -= count;
      b.confirmed += count;
      break;
    case stock_move::returned:
      if (!fits || !known->second.confirmed) {
        ++b.strange;
        break;
      }
      b.confirmed -= count;
      free(b, known);
      break;
    }
    if (b.held + b.confirmed + b.blocked > b.capacity)
      ++b.oversold;
  }

  static void free(told_block& b, std::map<hold_id, told_hold>::iterator hold) {
    for (auto s : hold->second.seats)
      b.owners.erase(s);
    b.holds.erase(hold);
  }

  std::map<block_number, log_index> until_;
  std::map<block_number, told_block> blocks_;
  std::uint64_t facts_ = 0;
  ticket_number last_admitted_{};
  std::uint64_t inversions_ = 0;
  std::uint64_t joined_ = 0;
  std::uint64_t admitted_ = 0;
};

void write_seal(codec::json_writer& w, const sealer& sealed) {
  w.field("seal", to_text(sealed.now()));
  if (auto holds = sealed.holds())
    w.field("sealHolds", *holds);
}

/// What somebody did; the other facts are no records.
void write_record(codec::json_writer& w, const told_fact& f) {
  auto begin = [&]() -> codec::json_writer& {
    return w.begin_object().field("index", f.index).field("at", codec::to_text(f.at));
  };
  if (const auto* m = std::get_if<domain::event_changed>(&*f.what)) {
    begin().field("what", m->what).field("by", m->by);
    w.field("usersPerMinute", m->users_per_minute).field("maxActiveUsers", m->max_active_users).end_object();
  } else if (const auto* k = std::get_if<domain::cluster_changed>(&*f.what)) {
    begin().field("what", k->what).field("subject", k->subject);
    w.field("detail", k->detail).field("by", k->by).end_object();
  }
}

} // namespace

std::string verify_event(const event_feed& feed, const http::event_view& event, std::optional<facts_seal> older) {
  auto plan = event.plan();
  // What the machines say, each block as of its own last change; the recount stops there, block by block.
  std::map<block_number, http::block_view> said;
  std::map<block_number, log_index> until;
  for (const auto& block : plan->placed().blocks)
    event.with_block(block.number, [&](const http::block_view& b) {
      said[block.number] = b;
      until[block.number] = b.version;
    });
  recount told{until};
  sealer sealed{std::move(older)};
  std::uint64_t unreadable = 0;
  auto last = feed.each([&](const told_fact& f) {
    sealed.take(f);
    if (f.what)
      told.take(f.index, *f.what);
    else
      ++unreadable;
  });

  std::string blocks;
  std::string mismatches;
  codec::json_writer in_blocks{blocks};
  codec::json_writer in_mismatches{mismatches};
  in_blocks.begin_array();
  in_mismatches.begin_array();
  domain::stock_counts total;
  std::uint64_t oversold = 0;
  std::uint64_t two_owners = 0;
  bool ok = told.inversions() == 0 && unreadable == 0 && sealed.holds().value_or(true);
  for (const auto& block : plan->placed().blocks) {
    const auto& b = told.blocks()[block.number];
    const auto& counts = said[block.number].counts;
    auto available = std::int64_t{b.capacity} - static_cast<std::int64_t>(b.held + b.confirmed) - b.blocked;
    bool fits = b.capacity == counts.capacity() && b.held == counts.held && b.confirmed == counts.confirmed &&
                b.blocked == counts.blocked && available == std::int64_t{counts.available} && b.strange == 0 &&
                b.two_owners == 0 && b.oversold == 0;
    in_blocks.begin_object().field("id", block.id).field("capacity", b.capacity).field("available", available);
    in_blocks.field("held", b.held).field("confirmed", b.confirmed).field("blocked", b.blocked).field("ok", fits);
    in_blocks.end_object();
    if (!fits) {
      in_mismatches.begin_object().field("block", block.id).field("available", counts.available);
      in_mismatches.field("held", counts.held).field("confirmed", counts.confirmed).field("blocked", counts.blocked);
      in_mismatches.field("strangeMoves", b.strange).end_object();
    }
    ok = ok && fits;
    oversold += b.oversold;
    two_owners += b.two_owners;
    total.available += counts.available;
    total.held += counts.held;
    total.confirmed += counts.confirmed;
    total.blocked += counts.blocked;
  }
  in_blocks.end_array();
  in_mismatches.end_array();
  std::string text;
  codec::json_writer w{text};
  w.begin_object().field("ok", ok).field("event", plan->definition().id).field("index", last);
  w.field("facts", told.facts()).field("unreadable", unreadable);
  write_seal(w, sealed);
  w.field("joined", told.joined()).field("admitted", told.admitted());
  http::write_counts(w, total);
  w.field("oversold", oversold).field("seatsWithTwoOwners", two_owners).field("admissionInversions", told.inversions());
  w.key("blocks").raw(blocks).key("mismatches").raw(mismatches).end_object();
  return text;
}

std::string audit_event(const event_feed& feed, std::optional<facts_seal> older) {
  std::string text;
  codec::json_writer w{text};
  w.begin_object().key("records").begin_array();
  sealer sealed{std::move(older)};
  feed.each([&](const told_fact& f) {
    sealed.take(f);
    if (f.what)
      write_record(w, f);
  });
  w.end_array();
  write_seal(w, sealed);
  w.end_object();
  return text;
}

} // namespace sluice::node
