// What can not go on stops the process, and the line it prints says where it was.
#include "actors/entity.hpp"
#include "actors/exceptions.hpp"
#include "sluice/seat_block.pb.h"
#include "support/in_child.hpp"

#include <catch2/catch.hpp>

using namespace sluice;

namespace {

const auto block = entity_ref::of_seat_block({7}, {2});

actors::entity_actor spawn_block(caf::actor_system& system, const loaded_pieces& pieces) {
  actors::router* nobody = nullptr;
  return system.spawn(actors::entity, actors::partition_actor{}, nobody, partition_id{3}, block, pieces, false);
}

/// What a child process prints that does `act` with an actor system of its own.
std::string last_words(const std::function<void(caf::actor_system&)>& act) {
  auto [text, aborted] = test::in_child([&] {
    caf::actor_system_config settings;
    caf::actor_system system{settings};
    act(system);
    system.await_all_actors_done();
  });
  CHECK(aborted);
  UNSCOPED_INFO(text);
  CHECK(text.starts_with("FATAL "));
  CHECK(text.find("start again to recover") != std::string::npos);
  return text;
}

} // namespace

TEST_CASE("actors: an exception where a machine executes stops the process and names the place", "[actors]") {
  proto::SeatBlockRecord damaged; // one seat, and a hold of a ninth
  damaged.set_statuses(std::string(1, '\0'));
  damaged.set_retired(std::string(1, '\0'));
  damaged.add_categories(0);
  damaged.add_prices(1);
  auto& hold = *damaged.add_holds();
  hold.set_hold(std::string(hold_id{}.bytes.size(), 'h'));
  hold.add_seats(8);
  auto text = last_words([&](auto& system) { spawn_block(system, {{0, damaged.SerializeAsString()}}); });
  CHECK(text.find("an exception: ") != std::string::npos);
  CHECK(text.find("; at partition 3, " + to_string(block)) != std::string::npos);
}

TEST_CASE("actors: a broken invariant where a machine executes names partition, index and entity", "[actors]") {
  auto text = last_words([](auto& system) {
    partition::delivery d;
    d.to = block;
    d.index = 17;
    d.messages.emplace_back();
    d.messages.back().command = std::string_view{"\xC2\x3E\x00", 3}; // a command no version knows
    std::vector<partition::delivery> all;
    all.push_back(std::move(d));
    auto batch = std::make_shared<actors::delivery_batch>(std::move(all));
    caf::anon_send(spawn_block(system, {}), actors::deliver{batch, 0});
  });
  CHECK(text.find("; at partition 3, index 17, " + to_string(block)) != std::string::npos);
}

TEST_CASE("actors: an actor that throws takes the process with it instead of ending alone", "[actors]") {
  auto text = last_words([](auto& system) {
    auto clumsy = [](caf::event_based_actor* self, const std::string& what) -> caf::behavior {
      actors::stop_on_exceptions(*self);
      return {[what](int) { throw std::runtime_error{what}; }};
    };
    caf::anon_send(system.spawn(clumsy, "dropped it"), 1);
  });
  CHECK(text.find("dropped it") != std::string::npos);
}
