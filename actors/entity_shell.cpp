#include "actors/entity_shell.hpp"

#include "codec/area.hpp"
#include "codec/catalogue.hpp"
#include "codec/event.hpp"
#include "codec/fact.hpp"
#include "codec/message.hpp"
#include "codec/ranking.hpp"
#include "codec/seat_block.hpp"
#include "codec/session.hpp"
#include "core/assert.hpp"
#include "core/overloaded.hpp"
#include "domain/effects.hpp"

#include <set>
#include <utility>

namespace sluice::actors {

namespace {

/// Sorts a machine's effects into what the partition carries.
void carry(domain::effects& effects, std::uint32_t ordinal, partition::delivered& out) {
  for (auto& e : effects)
    std::visit(overloaded{
                   [&](domain::answer& a) {
                     out.answers.push_back({ordinal, box(std::move(a.body))});
                   },
                   [&](domain::tell& t) {
                     out.tells.push_back({ordinal, std::move(t.to), box(std::move(t.body))});
                   },
                   [&](domain::note& n) {
                     out.notes.push_back({std::move(n.to), codec::encode(n.body)});
                   },
                   [&](domain::publish& p) { out.publications.push_back(box(std::move(p.body))); },
                   [&](domain::charge& c) {
                     out.effects.push_back({codec::charge_key(c.reservation, c.step), codec::encode(c)});
                   },
                   [&](domain::charge_closed& c) {
                     out.effects.push_back({codec::charge_key(c.reservation, c.step), {}});
                   },
                   [&](domain::fact& f) { out.facts.push_back(codec::encode(f)); },
                   [&](domain::forget_group&) { out.forget_group = true; },
               },
               e);
  effects.clear();
}

template <class Machine>
class hosted final : public entity_shell {
public:
  hosted(const entity_ref& ref, const loaded_pieces& pieces, bool owes_all)
      : machine_{codec::load(ref, pieces, static_cast<const Machine*>(nullptr))}, owes_all_{owes_all} {}

  partition::delivered deliver(const partition::delivery& d) override {
    partition::delivered done;
    done.index = d.index;
    done.step = d.step;
    done.slot = d.slot;
    domain::moment at{d.now, d.as_of};
    machine_.begin(at, effects_);
    carry(effects_, d.messages.front().ordinal, done);
    for (const auto& m : d.messages) {
      if (m.tell.body) {
        machine_.apply(at, unbox(m.tell), effects_);
      } else {
        auto command = codec::decode_message(m.command);
        // The edge lets nothing of the kind in. If it ever did, the log has it: refused by every replica alike, since one
        // that stopped here would stop for ever.
        if (!command && !codec::is_well_formed_message(m.command)) {
          effects_.push_back(domain::answer{domain::refusal{errc::bad_request, {}, {}}});
          carry(effects_, m.ordinal, done);
          continue;
        }
        SLUICE_ASSERT(command, "a command at index " + std::to_string(d.index) + " for " + to_string(d.to) +
                                   " is not of this version: " + codec::describe_message(m.command).substr(0, 300));
        machine_.apply(at, *command, effects_);
      }
      carry(effects_, m.ordinal, done);
    }
    machine_.finish(at, effects_);
    carry(effects_, d.messages.back().ordinal, done);
    done.deadline = machine_.next_deadline(d.now);
    return done;
  }

  record_pieces save() override {
    auto changed = codec::save_changed(machine_);
    if (!std::exchange(owes_all_, false))
      return changed;
    auto all = codec::save_all(machine_);
    std::set<std::uint32_t> there;
    for (const auto& piece : all)
      there.insert(piece.number);
    for (auto& piece : changed)
      if (!there.contains(piece.number))
        all.push_back(std::move(piece)); // gone, since it was loaded
    return all;
  }

  record_pieces save_all() const override { return codec::save_all(machine_); }

  std::vector<partition::boxed_publication> publish_all(const entry_time& now) override {
    partition::delivered out;
    machine_.publish_all(now, effects_);
    carry(effects_, 0, out);
    return std::move(out.publications);
  }

  partition::boxed_reply ask(const entry_time& now, const partition::boxed_message& question) override {
    return box(machine_.ask(now, unbox(question)));
  }

  std::string describe() const override { return codec::describe(machine_); }

private:
  Machine machine_;
  bool owes_all_ = false;
  domain::effects effects_; // scratch
};

template <class Body, class Box>
Box boxed_as(Body body) {
  return Box{std::make_shared<const Body>(std::move(body))};
}

} // namespace

std::unique_ptr<entity_shell> make_entity(const entity_ref& ref, const loaded_pieces& pieces, bool owes_all) {
  switch (ref.kind) {
  case entity_kind::event:
    return std::make_unique<hosted<domain::event>>(ref, pieces, owes_all);
  case entity_kind::seat_block:
    return std::make_unique<hosted<domain::seat_block>>(ref, pieces, owes_all);
  case entity_kind::area:
    return std::make_unique<hosted<domain::area>>(ref, pieces, owes_all);
  case entity_kind::session:
    return std::make_unique<hosted<domain::session>>(ref, pieces, owes_all);
  case entity_kind::catalogue:
    return std::make_unique<hosted<domain::catalogue>>(ref, pieces, owes_all);
  case entity_kind::ranking:
    return std::make_unique<hosted<domain::ranking>>(ref, pieces, owes_all);
  }
  fail_stop("an entity of an unknown kind was addressed: " + to_string(ref), __FILE__, __LINE__);
}

partition::boxed_message box(domain::message m) {
  return boxed_as<domain::message, partition::boxed_message>(std::move(m));
}

partition::boxed_reply box(domain::reply r) {
  return boxed_as<domain::reply, partition::boxed_reply>(std::move(r));
}

partition::boxed_publication box(domain::publication p) {
  return boxed_as<domain::publication, partition::boxed_publication>(std::move(p));
}

const domain::message& unbox(const partition::boxed_message& b) {
  return *static_cast<const domain::message*>(b.body.get());
}

const domain::reply& unbox(const partition::boxed_reply& b) {
  return *static_cast<const domain::reply*>(b.body.get());
}

const domain::publication& unbox(const partition::boxed_publication& b) {
  return *static_cast<const domain::publication*>(b.body.get());
}

} // namespace sluice::actors
