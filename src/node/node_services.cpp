// What this node's bridges, and other nodes, may ask of it beside the entities.
#include "cluster/partition/entry.hpp"
#include "cluster/partition/wire.hpp"
#include "codec/document.hpp"
#include "codec/message.hpp"
#include "node/backup.hpp"
#include "node/node.hpp"
#include "node/verify.hpp"

#include <spdlog/spdlog.h>

#include <cstdlib>
#include <future>
#include <thread>

namespace sluice::node {

void node::inspect(std::function<void()> work) {
  inspector_.run(std::move(work));
}

/// Asks the node that leads the partition, which may be this one. An empty text means that nobody knew.
void node::ask_leader(partition_id partition, const std::string& what, const std::string& argument,
                      std::function<void(std::string)> done) {
  auto leader = routes_->leader_of(partition);
  if (!leader && !routes_->local().handle_of(partition))
    return done({}); // and here is nothing to look at
  if (!leader || leader == identity_.self)
    return answer(what, argument, std::move(done));
  cluster_->desk().ask(leader, what, argument, [done = std::move(done)](std::optional<std::string> text) {
    done(text ? std::move(*text) : std::string{});
  });
}

/// On behalf of this node's bridges, or another node's.
void node::answer(const std::string& what, const std::string& argument, std::function<void(std::string)> done) {
  if (cluster_->answer(what, argument, done) || answer_backup(what, argument, done))
    return;
  auto asked = facts_question_from(argument);
  if ((what == "verify" || what == "audit") && pass_on(what, asked, done))
    return;
  if (what == "verify") {
    read_feed(asked.event, std::move(done), [this, asked](const event_feed& feed) {
      auto view = models_.find(asked.event);
      return view && view->plan() ? verify_event(feed, *view, asked.older) : std::string{};
    });
  } else if (what == "audit") {
    read_feed(asked.event, std::move(done), [asked](const event_feed& feed) { return audit_event(feed, asked.older); });
  } else if (what == "facts") {
    pages_.run([this, argument, done = std::move(done)] {
      log_->drain_feed();
      done(facts_page(*store_, argument));
    });
  } else if (what == "entity") {
    proto::EntityRef ref;
    auto handle = ref.ParseFromString(argument) ? routes_->local().handle_of(routes_->place_of({ref.event()}))
                                                : actors::partition_actor{};
    if (!handle)
      return done({});
    caf::anon_send(handle, actors::inspect_entity{partition::decode(ref), std::move(done)});
  } else {
    done({});
  }
}

/// Who was asked may know that the event is elsewhere by now, better than who asks.
bool node::pass_on(const std::string& what, facts_question asked, const std::function<void(std::string)>& done) {
  constexpr unsigned hops_max = 4;
  auto partition = routes_->place_of(asked.event);
  auto leader = routes_->leader_of(partition);
  if (!leader || leader == identity_.self || asked.hops >= hops_max)
    return false;
  ++asked.hops;
  ask_leader(partition, what, to_text(asked), done);
  return true;
}

/// At the leader of where the event is, whose word about that counts.
void node::read_feed(event_number event, std::function<void(std::string)> done,
                     std::function<std::string(const event_feed&)> read) {
  auto partition = routes_->place_of(event);
  auto handle = routes_->local().handle_of(partition);
  if (!handle)
    return done({});
  auto look = [this, event, partition, done = std::move(done), read = std::move(read)](const partition::core& core) {
    if (!core.leading() || !core.slots().is_here(event))
      return done({}); // asked for again, it is asked elsewhere
    event_feed feed;
    feed.store = store_.get();
    feed.event = event;
    feed.partition = partition;
    if (const auto* s = core.slots().find(event)) {
      feed.since = s->since;
      feed.before = s->stays;
    }
    feed.ask_leader = [this](partition_id p, const std::string& argument) {
      return wait_for_leader(p, "facts", argument).value_or("");
    };
    inspect([this, feed = std::move(feed), done, read] {
      log_->drain_feed();
      std::string text;
      try {
        text = read(feed);
      } catch (const std::exception& e) {
        spdlog::warn("feed.incomplete partition={} event={} why={}; ask again once cluster status says all is well",
                     feed.partition.value, feed.event.value, e.what());
      }
      done(std::move(text));
    });
  };
  caf::anon_send(handle, actors::look_inside{std::move(look)});
}

/// For threads that may wait. Empty when nobody answers in time; an empty text when nobody knew.
std::optional<std::string> node::wait_for_leader(partition_id partition, const std::string& what,
                                                 const std::string& argument) {
  auto answered = std::make_shared<std::promise<std::string>>();
  auto answer_is = answered->get_future();
  ask_leader(partition, what, argument, [answered](std::string text) { answered->set_value(std::move(text)); });
  for (int tries = 0; tries < 300 && !stopping_; ++tries)
    if (answer_is.wait_for(milliseconds{100}) == std::future_status::ready)
      return answer_is.get();
  return std::nullopt;
}

std::filesystem::path node::backup_folder() const {
  return config_.backup_folder.empty() ? config_.data / "backups" : std::filesystem::path{config_.backup_folder};
}

void node::make_backup(std::function<void(std::string, std::string)> done) {
  if (backing_up_.exchange(true))
    return done({}, "a backup is being made here already; try again when it is done");
  backups_.run([this, done = std::move(done)] {
    backup_request request;
    request.folder = backup_folder();
    request.cluster = identity_.cluster;
    request.epoch = identity_.epoch;
    request.partitions = identity_.partitions;
    request.version = SLUICE_VERSION;
    request.reader = ++backups_begun_ * 1024 + identity_.self.value; // of two nodes' as well
    request.ask_leader = [this](partition_id partition, const std::string& what, const std::string& argument) {
      auto text = wait_for_leader(partition, what, argument);
      if (!text)
        throw std::runtime_error{"the leader of partition " + std::to_string(partition.value) + " does not answer"};
      return std::move(*text);
    };
    std::string manifest;
    std::string error;
    try {
      manifest = sluice::node::make_backup(request);
    } catch (const std::exception& e) {
      error = e.what();
    }
    backing_up_ = false;
    done(std::move(manifest), std::move(error));
  });
}

/// The leader's side: a checkpoint of now, and its parts.
bool node::answer_backup(const std::string& what, const std::string& argument,
                         const std::function<void(std::string)>& done) {
  if (what == "backup-part") {
    proto::PullPart pull;
    if (cluster_->desk().transfer() == nullptr || !pull.ParseFromString(argument)) {
      done({});
      return true;
    }
    // No node has such a number; another for each backup, as several may be made at a time.
    node_id reader{0x8000'0000u | static_cast<std::uint32_t>(pull.pull() & 0x7FFF'FFFF)};
    cluster_->desk().transfer()->read(reader, pull, done);
    return true;
  }
  if (what != "backup-begin")
    return false;
  auto p = static_cast<std::uint32_t>(std::strtoul(argument.c_str(), nullptr, 10));
  auto handle = routes_->local().handle_of({p});
  if (!handle) {
    done({});
    return true;
  }
  auto look = [this, p, done](const partition::core& core) {
    if (core.leading())
      await_checkpoint(p, core.applied(), done);
    else
      done({});
  };
  caf::anon_send(handle, actors::look_inside{std::move(look)});
  caf::anon_send(handle, actors::checkpoint_please{}); // at that index or later
  return true;
}

void node::await_checkpoint(std::uint32_t p, log_index wanted, const std::function<void(std::string)>& done) {
  inspect([this, p, wanted, done] {
    auto until = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    while (std::chrono::steady_clock::now() < until && !stopping_) {
      auto all = seen();
      const auto& s = all.at(p);
      if (s.checkpoint_index >= wanted && !s.checkpointing)
        return done(std::to_string(s.checkpoint) + " " + std::to_string(s.checkpoint_index) + " " +
                    std::to_string(s.checkpoint_term));
      std::this_thread::sleep_for(milliseconds{20});
    }
    done({});
  });
}

http::node_services node::services() {
  http::node_services s;
  s.version = SLUICE_VERSION;
  s.name = identity_.name;
  s.not_ready = [this] { return not_ready(); };
  s.metrics = [this] { return metrics(); };
  s.verify = [this](std::uint32_t event, const std::optional<facts_seal>& older,
                    std::function<void(std::string)> done) {
    ask_leader(routes_->place_of({event}), "verify", to_text(facts_question{{event}, 0, older}), std::move(done));
  };
  s.audit = [this](std::uint32_t event, const std::optional<facts_seal>& older, std::function<void(std::string)> done) {
    ask_leader(routes_->place_of({event}), "audit", to_text(facts_question{{event}, 0, older}), std::move(done));
  };
  s.describe_cluster = [this](std::function<void(std::string)> done) { done(cluster_->describe()); };
  s.transfer = [this](partition_id p, node_id to, http::node_services::on_done done) {
    cluster_->transfer(p, to, std::move(done));
  };
  s.move = [this](event_number event, partition_id to, const http::node_services::on_moved& done) {
    if (backing_up_)
      return done(http::node_services::move_state::impossible,
                  "a backup is being made here; try again when it is done");
    cluster_->move(event, to, done);
  };
  s.place = [this](event_number event, std::function<void(std::optional<http::node_services::event_place>)> done) {
    cluster_->place(event, std::move(done));
  };
  s.rebalance = [this](http::node_services::on_done done) { cluster_->rebalance(std::move(done)); };
  s.spread = [this](const std::string& slug, std::uint32_t revision, std::function<void()> done) {
    cluster_->spread(slug, revision, std::move(done));
  };
  s.may_remove = [this](node_id n, http::node_services::on_done done) { cluster_->may_remove(n, std::move(done)); };
  s.list_entities = [this](std::function<void(std::string)> done) { list_entities(std::move(done)); };
  s.inspect_entity = [this](const entity_ref& of, std::function<void(std::string)> done) {
    proto::EntityRef ref;
    partition::encode(of, ref);
    auto ask = [this, event = of.event, argument = ref.SerializeAsString(), done = std::move(done)] {
      ask_leader(routes_->place_of(event), "entity", argument, done);
    };
    if (!of.event)
      return ask();
    cluster_->place(of.event,
                    [ask](const auto&) { ask(); }); // who is asked says where it is by now, and the router remembers
  };
  s.make_backup = [this](std::function<void(std::string, std::string)> done) { make_backup(std::move(done)); };
  s.list_backups = [this](std::function<void(std::string)> done) {
    inspect([this, done = std::move(done)] { done(list_backups(backup_folder())); });
  };
  s.inspect_log = [this](partition_id partition, std::optional<log_index> after, std::size_t limit) {
    return inspect_log(partition, after, limit);
  };
  return s;
}

/// Those active on this node.
void node::list_entities(std::function<void(std::string)> done) {
  struct gathering {
    std::mutex lock;
    std::vector<entity_ref> all;
    std::size_t missing = 0;
  };

  auto g = std::make_shared<gathering>();
  g->missing = partitions_.size();
  if (partitions_.empty())
    return done(R"({"active":0,"entities":[]})");
  auto collect = [g, done](std::vector<entity_ref> some) {
    std::lock_guard lock{g->lock};
    g->all.insert(g->all.end(), some.begin(), some.end());
    if (--g->missing > 0)
      return;
    std::string text;
    codec::json_writer w{text};
    w.begin_object().field("active", g->all.size()).key("entities").begin_array();
    constexpr std::size_t most = 1'000;
    for (std::size_t i = 0; i < g->all.size() && i < most; ++i)
      w.string(to_string(g->all[i]));
    w.end_array().end_object();
    done(std::move(text));
  };
  for (const auto& p : partitions_)
    caf::anon_send(p, actors::list_entities{collect});
}

namespace {

/// {"slot":999,"step":"part","pieces":12}
std::string describe_step(std::string_view body) {
  proto::PartitionStep step;
  std::string text;
  codec::json_writer w{text};
  w.begin_object();
  if (step.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    w.field("slot", step.slot());
    if (step.has_leaves())
      w.field("step", "leaves").field("to", step.leaves().to());
    else if (step.has_arrives())
      w.field("step", "arrives").field("from", step.arrives().from()).field("fenced", step.arrives().fenced());
    else if (step.has_part())
      w.field("step", "part").field("pieces", step.part().pieces_size()).field("last", step.part().next().empty());
    else if (step.has_taken())
      w.field("step", "taken");
    else if (step.has_stays())
      w.field("step", "stays").field("fenced", step.stays().fenced());
    else if (step.has_claimed())
      w.field("step", "claimed").field("by", step.claimed().by());
    else if (step.has_founded_anew())
      w.field("step", "founded-anew").field("founding", step.founded_anew().founding());
  }
  w.end_object();
  return text;
}

void describe_command(const partition::logged_command& c, codec::json_writer& w) {
  w.begin_object().field("to", c.ack ? "outbox" : c.is_step ? "slots" : to_string(c.to)).key("command");
  w.raw(c.ack ? "{}" : c.is_step ? describe_step(c.body) : codec::describe_message(c.body)).end_object();
}

} // namespace

/// Of this node's own replica.
std::string node::inspect_log(partition_id partition, std::optional<log_index> after, std::size_t limit) {
  std::string text;
  codec::json_writer w{text};
  w.begin_object().field("partition", partition.value).key("entries").begin_array();
  log_index first = 0;
  log_index last = 0;
  {
    std::lock_guard lock{seen_lock_};
    if (partition.value < seen_.size()) {
      first = seen_[partition.value].consensus.first_index;
      last = seen_[partition.value].consensus.last_index;
    }
  }
  auto from = std::max(first, after || last < limit ? after.value_or(0) + 1 : last - limit + 1);
  for (const auto& e : store_->read_log(partition, from, from + limit - 1, 1024 * 1024)) {
    w.begin_object().field("index", e.index).field("term", e.term);
    w.field("kind", e.kind == 1 ? "commands" : e.kind == 0 ? "noop" : "members");
    if (auto entry = e.kind == 1 ? partition::decode_entry(*e.payload) : std::nullopt) {
      w.field("logTimeMs", to_ms(entry->now.log)).field("wallTimeMs", to_ms(entry->now.wall));
      w.key("commands").begin_array();
      for (const auto& c : entry->commands)
        describe_command(c, w);
      w.end_array();
    }
    w.end_object();
  }
  w.end_array().end_object();
  return text;
}

} // namespace sluice::node
