#include "actors/entity.hpp"

namespace sluice::actors {

// By value, as CAF keeps what an actor is made with.
// NOLINTBEGIN(performance-unnecessary-value-param)
entity_actor::behavior_type entity(entity_actor::stateful_pointer<entity_state> self, partition_actor owner,
                                   router* answers, entity_ref ref, loaded_pieces pieces, bool owes_all) {
  // NOLINTEND(performance-unnecessary-value-param)
  self->state.shell = make_entity(ref, pieces, owes_all);
  return {
      [self, owner](const deliver& d) {
        auto& batch = *d.batch;
        batch.results[d.place] = self->state.shell->deliver(batch.deliveries[d.place]);
        if (batch.missing.fetch_sub(1, std::memory_order_acq_rel) == 1)
          self->send(owner, delivered_back{d.batch});
      },
      [self, owner](const save& s) {
        auto done = std::make_shared<partition::saved>();
        done->of = s.body.of;
        done->checkpoint = s.body.checkpoint;
        done->passivated = s.body.passivate;
        done->pieces = self->state.shell->save();
        self->send(owner, saved_back{std::move(done)});
        if (s.body.passivate)
          self->quit();
      },
      [self, owner](const publish_all& p) {
        auto all = std::make_shared<std::vector<partition::publication_out>>();
        for (auto& published : self->state.shell->publish_all(p.body.now))
          all->push_back({p.body.as_of, std::move(published)});
        self->send(owner, published_back{std::move(all)});
      },
      [self, answers](const answer_question& q) {
        const auto& ask = *q.body;
        std::vector<partition::answer_out> out;
        out.push_back({ask.what.from, ask.as_of, self->state.shell->ask(ask.now, ask.what.body)});
        answers->give_back(std::move(out), {});
      },
      [self](const describe_entity& d) { d.done(self->state.shell->describe()); },
      [self](const end_entity&) { self->quit(); },
  };
}

} // namespace sluice::actors
