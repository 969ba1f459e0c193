#include "actors/entity.hpp"

#include "actors/exceptions.hpp"
#include "core/at_work.hpp"

namespace sluice::actors {

namespace {

std::string place_of(partition_id partition, const entity_ref& ref, std::optional<log_index> index = {}) {
  return "partition " + std::to_string(partition.value) + (index ? ", index " + std::to_string(*index) : "") + ", " +
         to_string(ref);
}

} // namespace

// By value, as CAF keeps what an actor is made with.
// NOLINTBEGIN(performance-unnecessary-value-param)
entity_actor::behavior_type entity(entity_actor::stateful_pointer<entity_state> self, partition_actor owner,
                                   router* answers, partition_id home, entity_ref ref, loaded_pieces pieces,
                                   bool owes_all) {
  // NOLINTEND(performance-unnecessary-value-param)
  stop_on_exceptions(*self);
  self->state.shell = must_do([&] { return place_of(home, ref) + ", read from its checkpoint"; },
                              [&] { return make_entity(ref, pieces, owes_all); });
  return {
      [self, owner, home](const deliver& d) {
        auto& batch = *d.batch;
        const auto& delivery = batch.deliveries[d.place];
        batch.results[d.place] = must_do([&] { return place_of(home, delivery.to, delivery.index); },
                                         [&] { return self->state.shell->deliver(delivery); });
        if (batch.missing.fetch_sub(1, std::memory_order_acq_rel) == 1)
          self->send(owner, delivered_back{d.batch});
      },
      [self, owner, home](const save& s) {
        auto done = std::make_shared<partition::saved>();
        done->of = s.body.of;
        done->checkpoint = s.body.checkpoint;
        done->passivated = s.body.passivate;
        done->pieces = must_do([&] { return place_of(home, s.body.of); }, [&] { return self->state.shell->save(); });
        self->send(owner, saved_back{std::move(done)});
        if (s.body.passivate)
          self->quit();
      },
      [self, owner, home](const publish_all& p) {
        auto all = std::make_shared<std::vector<partition::publication_out>>();
        auto shown = must_do([&] { return place_of(home, p.body.of, p.body.as_of); },
                             [&] { return self->state.shell->publish_all(p.body.now); });
        for (auto& published : shown)
          all->push_back({p.body.as_of, std::move(published)});
        self->send(owner, published_back{p.body.of, std::move(all)});
      },
      [self, answers, home](const answer_question& q) {
        const auto& ask = *q.body;
        std::vector<partition::answer_out> out;
        auto answer = must_do([&] { return place_of(home, ask.what.to, ask.as_of); },
                              [&] { return self->state.shell->ask(ask.now, ask.what.body); });
        out.push_back({ask.what.from, ask.as_of, std::move(answer)});
        answers->give_back(std::move(out), {});
      },
      [self](const describe_entity& d) { d.done(self->state.shell->describe()); },
      [self](const end_entity&) { self->quit(); },
  };
}

} // namespace sluice::actors
