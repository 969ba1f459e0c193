#include "actors/peer_desk.hpp"

#include "actors/entity_shell.hpp"
#include "actors/log_guard.hpp"
#include "actors/partition.hpp"
#include "actors/slot_source.hpp"
#include "cluster/link/frame.hpp"
#include "cluster/wire.hpp"
#include "codec/publication.hpp"
#include "core/packed_bytes.hpp"
#include "sluice/peer.pb.h"

#include <spdlog/spdlog.h>

#include <utility>

namespace sluice::actors {

namespace {

constexpr std::chrono::seconds answer_patience{5};
/// Entries of that many bytes at a time are a follower's catching up. What is new is smaller, and in more of a hurry.
constexpr std::size_t packed_from = 128 * 1024;
/// Each is an entry of its own in the log of where the slot goes.
constexpr std::size_t slot_part_bytes = 512 * 1024;
constexpr std::size_t slots_given_max = 256;

host_time host_now() {
  return host_time{
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())};
}

} // namespace

peer_desk::peer_desk(cluster_router& routes, storage::log_store* store, hooks how)
    : routes_{routes}, store_{store}, how_{std::move(how)} {}

peer_desk::~peer_desk() {
  stop();
}

void peer_desk::connect(link::links& links) {
  links_ = &links;
  if (store_ == nullptr)
    return;
  snapshot_transfer::hooks h;
  h.send = [&links](node_id to, const std::string& item) { return links.send(to, item); };
  h.fetched = [this](partition_id partition, partition::fetched what) {
    tell(partition, fetched_back{std::make_shared<partition::fetched>(std::move(what))});
  };
  h.given_up = how_.given_up;
  h.now = host_now;
  transfer_ = std::make_unique<snapshot_transfer>(*store_, std::move(h));
}

void peer_desk::stop() {
  reader_.stop();
  slot_reader_.stop();
  if (transfer_)
    transfer_->stop();
}

template <class Message>
void peer_desk::tell(partition_id partition, Message message) {
  if (auto handle = routes_.local().handle_of(partition))
    caf::anon_send(handle, std::move(message));
}

// ---- of replicas -----------------------------------------------------------------------------------------------------

void peer_desk::send(partition_id partition, node_id to, const raft::message& m) {
  proto::PeerItem item;
  item.mutable_raft()->set_partition(partition.value);
  item.mutable_raft()->set_message(wire::encode_raft(m));
  auto bytes = item.SerializeAsString();
  if (bytes.size() >= packed_from && links_->reads_packed(to)) {
    packed_ += bytes.size();
    item.set_packed(pack(bytes));
    packed_to_ += item.packed().size();
    bytes = item.SerializeAsString();
  }
  links_->send(to, bytes);
}

void peer_desk::load(partition_id partition, const raft::load& what) {
  reader_.run([this, partition, what] {
    auto done = std::make_shared<raft::loaded>();
    done->load_id = what.id;
    for (const auto& e : store_->read_log(partition, what.first, what.last, what.max_bytes))
      done->entries.push_back(entry_from(e));
    tell(partition, loaded_back{std::move(done)});
  });
}

void peer_desk::fetch(partition_id partition, const partition::fetch_out& what) {
  spdlog::info("snapshot.fetch partition={} index={} term={} from={}", partition.value, what.ref.index, what.ref.term,
               what.from.value);
  transfer_->fetch(partition, what);
}

void peer_desk::begun(partition_id partition, std::uint64_t attempt) {
  if (transfer_)
    transfer_->begun(partition, attempt);
}

void peer_desk::leads(partition_id partition, log_term term) {
  routes_.leader_is(partition, term, routes_.local().node());
  proto::PeerItem item;
  item.mutable_leading()->set_partition(partition.value);
  item.mutable_leading()->set_term(term);
  links_->send_to_all(item.SerializeAsString());
}

void peer_desk::follows(partition_id partition, log_term term, node_id leader) {
  routes_.leader_is(partition, term, leader);
}

void peer_desk::compare(partition_id partition, const partition::hash_out& hash) {
  proto::PeerItem item;
  auto& h = *item.mutable_voter_hash();
  h.set_partition(partition.value);
  h.set_index(hash.index);
  h.set_hash(hash.hash);
  links_->send_to_all(item.SerializeAsString());
}

// ---- slots on their way ----------------------------------------------------------------------------------------------

/// From the leader of where it is: of its replicas that one is awake for certain.
void peer_desk::pull(partition_id partition, const partition::slot_pull& what) {
  auto leader = routes_.leader_of(what.from);
  if (leader == routes_.local().node())
    return give_slot(partition, what, [this, partition, what](std::string step) {
      tell(partition, slot_pulled_back{std::make_shared<partition::slot_pulled>(
                          partition::slot_pulled{what.slot, what.fenced, what.position, std::move(step)})});
    });
  if (!leader)
    return; // asked for again in a second
  proto::PeerItem item;
  auto& out = *item.mutable_pull_slot();
  out.set_slot(what.slot.value);
  out.set_from(what.from.value);
  out.set_to(partition.value);
  out.set_fenced(what.fenced);
  out.set_position(what.position);
  links_->send(leader, item.SerializeAsString());
}

void peer_desk::give_slot(partition_id to, const partition::slot_pull& what, std::function<void(std::string)> done) {
  auto handle = routes_.local().handle_of(what.from);
  if (!handle || store_ == nullptr)
    return done({});
  auto look = [this, to, what, done = std::move(done)](const partition::core& core) {
    auto inside = core.status();
    if (inside.checkpoint_index < what.fenced)
      return done({});
    // One at a time of each: who asks again does not want it twice.
    {
      std::lock_guard lock{lock_};
      if (!giving_.insert({to, what.slot}).second)
        return;
    }
    auto taken = slot_reader_.run(
        [this, to, what, number = inside.checkpoint, done] {
          auto image = store_->pin(what.from, number); // null: another is in force by now
          auto step = image ? read_slot(*image, what, to, slot_part_bytes) : std::string{};
          {
            std::lock_guard lock{lock_};
            giving_.erase({to, what.slot});
          }
          done(std::move(step));
        },
        slots_given_max);
    if (taken)
      return;
    std::lock_guard lock{lock_};
    giving_.erase({to, what.slot});
  };
  caf::anon_send(handle, look_inside{std::move(look)});
}

bool peer_desk::pulled_slot(const proto::PulledSlot& part) {
  if (!may_enter(part))
    return false;
  tell({part.to()}, slot_pulled_back{std::make_shared<partition::slot_pulled>(partition::slot_pulled{
                        {static_cast<std::uint16_t>(part.slot())}, part.fenced(), part.position(), part.step()})});
  return true;
}

void peer_desk::take(partition_id partition, const std::vector<partition::publication_out>& publications) {
  how_.models->take(partition, publications);
  if (!links_->any_open())
    return;
  for (const auto& p : publications) {
    proto::PeerItem item;
    auto& out = *item.mutable_published();
    out.set_partition(partition.value);
    out.set_index(p.index);
    out.set_publication(codec::encode(unbox(p.body)));
    links_->send_to_all(item.SerializeAsString());
  }
}

// ---- of the links ----------------------------------------------------------------------------------------------------

void peer_desk::received(node_id from, std::uint64_t incarnation, const std::string& envelope) {
  proto::Envelope in;
  if (!in.ParseFromString(envelope)) {
    ++nonsense_;
    return;
  }
  std::size_t room = link::frame_max; // for what is packed in it
  for (auto& item : *in.mutable_items())
    if (!dispatch(from, incarnation, item, room))
      ++nonsense_;
}

bool peer_desk::dispatch(node_id from, std::uint64_t incarnation, proto::PeerItem& item, std::size_t& room) {
  using kind = proto::PeerItem;
  switch (item.body_case()) {
  case kind::kRaft: {
    auto m = wire::decode_raft(item.raft().message());
    if (m)
      tell({item.raft().partition()}, replica_said{from, incarnation, std::make_shared<raft::message>(std::move(*m))});
    return m.has_value();
  }
  case kind::kCommands:
    return routes_.take(from, item.commands());
  case kind::kQuestions:
    return routes_.take(from, item.questions());
  case kind::kAnswers:
    return routes_.take(item.answers());
  case kind::kPublished: {
    auto p = codec::decode_publication(item.published().publication());
    if (p)
      how_.models->take({item.published().partition()}, {{item.published().index(), box(std::move(*p))}});
    return p.has_value();
  }
  case kind::kLeading:
    routes_.leader_is({item.leading().partition()}, item.leading().term(), from);
    return true;
  case kind::kHash:
    return true; // a leader's of the version before, which told its followers alone
  case kind::kVoterHash:
    tell({item.voter_hash().partition()}, compare_hash{from, item.voter_hash().index(), item.voter_hash().hash()});
    return true;
  case kind::kPull:
    if (transfer_)
      transfer_->asked(from, item.pull());
    return true;
  case kind::kPart:
    if (transfer_)
      transfer_->got(from, item.part());
    return true;
  case kind::kPullSlot: {
    const auto& p = item.pull_slot();
    if (p.slot() >= slot_count)
      return false;
    partition::slot_pull wanted{{static_cast<std::uint16_t>(p.slot())}, {p.from()}, p.fenced(), p.position()};
    give_slot({p.to()}, wanted, [this, from, to = p.to(), wanted](std::string step) {
      proto::PeerItem back;
      auto& out = *back.mutable_pulled_slot();
      out.set_slot(wanted.slot.value);
      out.set_to(to);
      out.set_position(wanted.position);
      out.set_fenced(wanted.fenced);
      out.set_step(std::move(step));
      links_->send(from, back.SerializeAsString());
    });
    return true;
  }
  case kind::kPulledSlot:
    return pulled_slot(item.pulled_slot());
  case kind::kStatus: {
    std::lock_guard lock{lock_};
    heard_[from] = {std::make_shared<const proto::NodeStatus>(std::move(*item.mutable_status())), clock::now()};
    return true;
  }
  case kind::kNodeQuestion:
    answer(from, item.node_question());
    return true;
  case kind::kNodeAnswer: {
    std::function<void(std::optional<std::string>)> done;
    {
      std::lock_guard lock{lock_};
      auto known = asked_.extract(item.node_answer().id());
      if (known)
        done = std::move(known.mapped().done);
    }
    if (done)
      done(std::move(*item.mutable_node_answer()->mutable_text()));
    return true;
  }
  case kind::kPacked: {
    auto bytes = unpack(item.packed(), room);
    proto::PeerItem inner;
    if (!bytes || !inner.ParseFromString(*bytes) || inner.has_packed())
      return false;
    room -= bytes->size();
    return dispatch(from, incarnation, inner, room);
  }
  case kind::kPing:
    return true;
  case kind::BODY_NOT_SET:
    return true; // of a newer version
  }
  return false;
}

/// A bridge there knows nothing of what we lead, and whatever we sent before may be lost.
void peer_desk::opened(node_id to) {
  routes_.line_changed(to);
  for (const auto& [partition, term] : routes_.led_here()) {
    proto::PeerItem item;
    item.mutable_leading()->set_partition(partition.value);
    item.mutable_leading()->set_term(term);
    links_->send_or_break(to, item.SerializeAsString());
    tell(partition, publish_again{});
  }
}

/// Answers it gave while it had no line to us went nowhere: what is still waited for is asked for again. How it was is not how it
/// is: perhaps it has lost its disk since.
void peer_desk::renewed(node_id from) {
  {
    std::lock_guard lock{lock_};
    heard_.erase(from);
  }
  routes_.line_changed(from);
}

void peer_desk::lost(node_id node) {
  routes_.line_changed(node);
  for (std::uint32_t p = 0; p < routes_.places().partitions(); ++p)
    tell({p}, node_lost{node});
}

void peer_desk::asked_to_join(const std::string& name, const std::string& request, on_joined done) {
  how_.let_in(name, request, std::move(done));
}

// ---- of the node -----------------------------------------------------------------------------------------------------

void peer_desk::answer(node_id from, const proto::NodeQuestion& question) {
  how_.answer(question.what(), question.argument(), [this, from, id = question.id()](std::string text) {
    proto::PeerItem item;
    item.mutable_node_answer()->set_id(id);
    item.mutable_node_answer()->set_text(std::move(text));
    links_->send(from, item.SerializeAsString());
  });
}

void peer_desk::ask(node_id to, const std::string& what, const std::string& argument,
                    std::function<void(std::optional<std::string>)> done) {
  proto::PeerItem item;
  auto& q = *item.mutable_node_question();
  q.set_what(what);
  q.set_argument(argument);
  {
    std::lock_guard lock{lock_};
    q.set_id(next_question_++);
    asked_[q.id()] = {std::move(done), clock::now() + answer_patience};
  }
  if (links_->send(to, item.SerializeAsString()))
    return;
  std::lock_guard lock{lock_};
  asked_[q.id()].until = clock::now(); // told with the next tick
}

void peer_desk::tick() {
  if (transfer_)
    transfer_->tick();
  std::vector<asked> late;
  {
    std::lock_guard lock{lock_};
    auto now = clock::now();
    for (auto at = asked_.begin(); at != asked_.end();) {
      if (at->second.until > now) {
        ++at;
        continue;
      }
      late.push_back(std::move(at->second));
      at = asked_.erase(at);
    }
  }
  for (auto& a : late)
    a.done(std::nullopt);
}

void peer_desk::tell_status(const proto::NodeStatus& status) {
  if (!links_->any_open())
    return;
  proto::PeerItem item;
  *item.mutable_status() = status;
  links_->send_to_all(item.SerializeAsString());
}

std::map<node_id, std::pair<std::shared_ptr<const proto::NodeStatus>, std::chrono::milliseconds>>
peer_desk::statuses() const {
  std::map<node_id, std::pair<std::shared_ptr<const proto::NodeStatus>, std::chrono::milliseconds>> all;
  std::lock_guard lock{lock_};
  for (const auto& [node, h] : heard_)
    all[node] = {h.status, std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - h.at)};
  return all;
}

} // namespace sluice::actors
