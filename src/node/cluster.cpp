#include "node/cluster.hpp"

#include "cluster/placement.hpp"
#include "codec/message.hpp"
#include "core/assert.hpp"
#include "core/text_id.hpp"
#include "domain/feature_level.hpp"
#include "http/crypto.hpp"
#include "node/folder_lock.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace sluice::node {

namespace {

constexpr std::chrono::milliseconds place_every{500};
constexpr std::chrono::milliseconds status_every{500};
constexpr std::chrono::seconds balance_every{2};
constexpr std::chrono::seconds settled{10}; // how long a leader leads before it is moved for the sake of balance
constexpr std::chrono::seconds reachable_within{2};
constexpr std::chrono::milliseconds remove_patience{1'500};
constexpr std::chrono::seconds leaderless_max{3}; // longer than any election should take
constexpr std::chrono::seconds vacate_after{10};  // much longer than a status or a message is under way

bool is_loopback(const std::string& address) {
  try {
    return link::endpoint_from(address).address().is_loopback();
  } catch (const std::runtime_error&) {
    return false;
  }
}

std::string list_of(const std::set<std::uint32_t>& partitions) {
  std::string list;
  for (auto p : partitions)
    list += (list.empty() ? "" : ", ") + std::to_string(p);
  return list;
}

} // namespace

/// Stands between the links and the desk, which needs the links to be made.
class cluster::gate final : public link::listener {
public:
  actors::peer_desk* desk = nullptr;
  std::atomic<bool> is_somebody_new{false}; // who has heard nothing of this node yet

  void received(node_id from, std::uint64_t incarnation, const std::string& envelope) override {
    desk->received(from, incarnation, envelope);
  }

  void opened(node_id to) override {
    desk->opened(to);
    is_somebody_new = true;
  }

  void renewed(node_id from) override { desk->renewed(from); }

  void lost(node_id node) override { desk->lost(node); }

  void asked_to_join(const std::string& name, const std::string& request, on_joined done) override {
    desk->asked_to_join(name, request, std::move(done));
  }
};

cluster::cluster(const config& settings, storage::log_store& store)
    : settings_{settings}, store_{store}, gate_{std::make_unique<gate>()} {
  if (settings_.cluster_tls.empty() && !is_loopback(settings_.peer_listen)) {
    if (!settings_.insecure_peers)
      throw start_failure{"nodes may talk beyond loopback only with TLS: give --cluster-ca, --cluster-cert and "
                          "--cluster-key (`sluicectl cluster certs` makes them), or --insecure-peers"};
    spdlog::warn("peer.insecure listen={}: whoever reaches this port can read and change everything",
                 settings_.peer_listen);
  }
  link::settings l;
  l.listen = settings_.peer_listen;
  l.tls = settings_.cluster_tls;
  // A port that was free once is what the others know.
  auto any_port = l.listen.ends_with(":0");
  auto known = store.get_fact("peer-port");
  try {
    if (any_port && known) {
      l.listen.replace(l.listen.size() - 1, 1, *known);
      try {
        links_ = std::make_unique<link::links>(l, *gate_);
      } catch (const std::runtime_error&) {
        l.listen = settings_.peer_listen; // somebody else has it by now
      }
    }
    if (!links_)
      links_ = std::make_unique<link::links>(l, *gate_);
  } catch (const std::runtime_error& e) {
    throw start_failure{e.what()};
  }
  if (any_port)
    store.put_fact("peer-port", std::to_string(links_->port()));
  peer_address_ = settings_.peer_address;
  if (peer_address_.empty())
    peer_address_ =
        settings_.peer_listen.substr(0, settings_.peer_listen.rfind(':') + 1) + std::to_string(links_->port());
}

cluster::~cluster() {
  stop();
}

void cluster::stop() {
  links_->stop();
  if (desk_)
    desk_->stop();
}

void cluster::attach(parts p) {
  parts_ = std::move(p);
  actors::peer_desk::hooks h;
  h.models = parts_.models;
  h.answer = parts_.answer;
  h.given_up = parts_.given_up;
  h.let_in = [this](const std::string& name, const std::string& request, link::listener::on_joined done) {
    let_in(name, request, std::move(done));
  };
  desk_ = std::make_unique<actors::peer_desk>(*parts_.routes, parts_.holds_replicas ? &store_ : nullptr, std::move(h));
  desk_->connect(*links_);
  parts_.routes->connect(*links_);
  gate_->desk = desk_.get();
  catalogue_ = std::make_unique<catalogue_port>(*parts_.routes);
}

void cluster::start() {
  const auto& who = *parts_.who;
  links_->set_self({who.self, who.name, who.disk, who.incarnation, who.cluster, who.epoch});
  links_->set_peers(who.peers);
  links_->start();
}

template <class Message>
void cluster::tell(partition_id partition, Message message) {
  if (auto handle = parts_.routes->local().handle_of(partition))
    caf::anon_send(handle, std::move(message));
}

// ---- letting nodes in -----------------------------------------------------------------------------------------------

void cluster::let_in(const std::string& certified, const std::string& request, link::listener::on_joined done) {
  auto decoded = codec::decode_message(request);
  const auto* wish = decoded ? std::get_if<domain::join_cluster>(&*decoded) : nullptr;
  if (wish == nullptr)
    return done({}, "that is no request to join");
  if (!settings_.cluster_tls.empty() && certified != wish->name)
    return done({}, "its certificate is for '" + certified + "', not for '" + wish->name + "'");
  if (!parts_.models->catalogue()->founded)
    return done({}, "this cluster is not founded yet; try again");
  spdlog::info("cluster.asked-to-join name={} peer-address={}", wish->name, wish->peer_address);
  catalogue_->propose(*wish, std::chrono::seconds{8},
                      [this, done = std::move(done)](std::optional<domain::reply> reply) {
                        if (!reply)
                          return done({}, "the catalogue has no leader right now; try again");
                        if (const auto* no = std::get_if<domain::refusal>(&*reply))
                          return done({}, no->detail);
                        const auto& in = std::get<domain::joined_reply>(*reply);
                        auto catalogue = parts_.models->catalogue();
                        proto::Joined joined;
                        joined.set_node(in.node.value);
                        joined.set_cluster(catalogue->cluster_id);
                        joined.set_epoch(catalogue->epoch);
                        joined.set_partitions(parts_.who->partitions);
                        joined.set_seal_key(parts_.who->seal_key);
                        joined.set_generation(in.generation);
                        for (const auto& n : catalogue->nodes) {
                          if (n.state == domain::node_state::removed || n.id == in.node)
                            continue;
                          auto& known = *joined.add_nodes();
                          known.set_node(n.id.value);
                          known.set_name(n.name);
                          known.set_address(n.peer_address);
                          known.set_disk(n.disk);
                        }
                        done(joined.SerializeAsString(), {});
                      });
}

/// Begins the cluster with this node as its first.
void cluster::found(const std::vector<partition::status>& seen) {
  const auto& who = *parts_.who;
  // With what they had to tell each other of slots.
  auto is_begun = [&who](const partition::status& s) {
    return s.leading && s.founding >= who.founding_epoch && s.outbox == 0;
  };
  if (!who.founder || (who.founded && who.epoch >= who.founding_epoch) || seen.empty() ||
      !std::all_of(seen.begin(), seen.end(), is_begun) || founding_.exchange(true))
    return;
  domain::found_cluster command;
  for (const auto& s : seen)
    command.last_event = std::max(command.last_event, s.last_event);
  command.cluster_id = "sluice-" + hex(http::random_bytes<6>());
  command.wrapped_keys = http::seal(who.seal_key, http::key_ring::generate());
  if (!who.admin_key.empty())
    command.admin_key_hash = http::sha256_hex(who.admin_key);
  command.epoch = who.founding_epoch;
  command.recovered = store_.get_fact("recovered").value_or(std::string{});
  domain::node_entry first;
  first.id = who.self;
  first.name = who.name;
  first.peer_address = peer_address_;
  first.http_address = parts_.http_address;
  first.disk = who.disk;
  first.version = SLUICE_VERSION;
  first.feature_level = domain::feature_level();
  command.first = std::move(first);
  catalogue_->propose(command, std::chrono::seconds{5}, [this](const std::optional<domain::reply>& reply) {
    founding_ = reply.has_value(); // refused: an earlier process did it
  });
}

/// What this node is and runs, after every start.
void cluster::announce() {
  if (announced_ || announcing_ || !parts_.models->catalogue()->founded)
    return;
  announcing_ = true;
  const auto& who = *parts_.who;
  domain::announce_node a;
  a.id = who.self;
  a.name = who.name;
  a.peer_address = peer_address_;
  a.http_address = parts_.http_address;
  a.disk = who.disk;
  a.role = settings_.bridge ? domain::node_role::bridge : domain::node_role::member;
  a.version = SLUICE_VERSION;
  a.feature_level = domain::feature_level();
  catalogue_->propose(a, std::chrono::seconds{5}, [this](std::optional<domain::reply> reply) {
    if (reply) {
      const auto* no = std::get_if<domain::refusal>(&*reply);
      if (no != nullptr && (no->why == errc::disk_retired || no->why == errc::version_too_old))
        fail_stop("the cluster refuses this node: " + no->detail, __FILE__, __LINE__);
      if (no != nullptr)
        spdlog::warn(
            "cluster.not-announced node={} why={}; it goes on trying: compare its name and addresses with sluicectl cluster status",
            parts_.who->self.value, no->detail);
      announced_ = no == nullptr;
    }
    announcing_ = false;
  });
}

// ---- following the catalogue ----------------------------------------------------------------------------------------

void cluster::follow_catalogue(const domain::catalogue_update& catalogue) {
  auto& who = *parts_.who;
  if (who.cluster != catalogue.cluster_id || who.epoch != catalogue.epoch) {
    who.cluster = catalogue.cluster_id;
    who.epoch = catalogue.epoch;
    remember_cluster(store_, who.cluster, who.epoch);
    links_->set_self({who.self, who.name, who.disk, who.incarnation, who.cluster, who.epoch});
  }
  if (auto why = too_old_for(catalogue.feature_level); !why.empty())
    fail_stop(why, __FILE__, __LINE__);
  if (who.feature_level < catalogue.feature_level) {
    who.feature_level = catalogue.feature_level;
    remember_feature_level(store_, who.feature_level);
  }
  std::vector<link::peer> peers;
  for (const auto& n : catalogue.nodes)
    if (n.state != domain::node_state::removed && n.id != who.self)
      peers.push_back({n.id, n.name, n.peer_address, n.disk});
  if (peers == who.peers)
    return;
  who.peers = peers;
  remember_peers(store_, peers);
  links_->set_peers(std::move(peers));
}

bool cluster::is_reachable(node_id node) const {
  return node == parts_.who->self || links_->is_open(node);
}

std::vector<node_id> cluster::active_members(const domain::catalogue_update& catalogue) const {
  std::vector<node_id> members;
  for (const auto& n : catalogue.nodes)
    if (n.role == domain::node_role::member && n.state == domain::node_state::active)
      members.push_back(n.id);
  return members;
}

/// Those we hear of as well as reach: a line that works one way only would swallow one transfer after the other.
std::vector<node_id> cluster::may_lead(const domain::catalogue_update& catalogue) const {
  auto members = active_members(catalogue);
  auto heard = fresh_statuses();
  std::erase_if(members, [&](node_id n) { return !is_reachable(n) || !heard.contains(n); });
  return members;
}

void cluster::tick(const std::vector<partition::status>& seen, const proto::NodeStatus& status) {
  catalogue_->tick();
  desk_->tick();
  {
    std::lock_guard lock{lock_};
    own_ = status;
  }
  settle_waits();
  auto now = clock::now();
  if (gate_->is_somebody_new.exchange(false) || now - status_told_ >= status_every) {
    status_told_ = now;
    desk_->tell_status(status);
  }
  auto catalogue = parts_.models->catalogue();
  // A restored catalogue is of the cluster it was copied from until it is founded anew.
  if (!catalogue->founded || catalogue->epoch < parts_.who->founding_epoch)
    return found(seen);
  if (followed_ != catalogue) {
    followed_ = catalogue;
    follow_catalogue(*catalogue);
  }
  announce();
  take_off_lost(*catalogue, seen);
  note_departures(*catalogue, seen);
  watch_leaders(seen);
  if (now - placed_at_ >= place_every) {
    placed_at_ = now;
    place_replicas(*catalogue, seen);
  }
  if (now - balanced_at_ >= balance_every || rebalance_wished_) {
    balanced_at_ = now;
    balance_leaders(*catalogue, seen);
  }
}

/// Says it once when a replica here has heard of no leader for long, and when that is over.
void cluster::watch_leaders(const std::vector<partition::status>& seen) {
  for (std::uint32_t p = 0; p < seen.size(); ++p) {
    const auto& s = seen[p].consensus;
    if (auto left = departures_.find({p});
        s.members.voters.empty() || (left != departures_.end() && left->second.is_over)) {
      leaderless_.erase({p}); // no replica of ours
      continue;
    }
    auto& without = leaderless_.try_emplace({p}, absence{clock::now(), false}).first->second;
    if (s.leader) {
      if (without.told)
        spdlog::info("partition.led-again partition={} term={} index={} leader={}", p, s.term, seen[p].applied,
                     s.leader.value);
      without = {clock::now(), false};
    } else if (!without.told && clock::now() - without.since > leaderless_max) {
      without.told = true;
      spdlog::warn(
          "partition.leaderless partition={} term={} index={}: its events stand still until most of its voters are "
          "there; see sluicectl cluster status",
          p, s.term, seen[p].applied);
    }
  }
}

/// Who is taken out of a partition is not told so by its log: the leader stops talking. Remembered for `recover`; and after
/// a while what the replica keeps is given up. Not by a node that is drained: it goes with what it has, or comes back to it.
void cluster::note_departures(const domain::catalogue_update& catalogue, const std::vector<partition::status>& seen) {
  auto self = parts_.who->self;
  auto members = active_members(catalogue);
  bool is_active = std::find(members.begin(), members.end(), self) != members.end();
  for (const auto& [node, told] : fresh_statuses())
    for (const auto& r : told->replicas()) {
      if (!r.leading() || r.partition() >= seen.size() || r.term() < seen[r.partition()].consensus.term)
        continue;
      partition_id partition{r.partition()};
      const auto& ours = seen[r.partition()];
      auto is_in = [self](const auto& nodes) {
        return std::find(nodes.begin(), nodes.end(), self.value) != nodes.end();
      };
      bool has_left =
          !is_in(r.members().voters()) && !is_in(r.members().learners()) && !ours.consensus.members.voters.empty();
      auto noted = departures_.find(partition);
      if (noted == departures_.end()) // the disk is asked once
        noted =
            departures_.emplace(partition, departure{store_.get_fact(left_fact(partition)) == "1", clock::now()}).first;
      auto& known = noted->second;
      if (known.is_over != has_left) {
        known = {has_left, clock::now()};
        store_.put_fact(left_fact(partition), has_left ? "1" : "");
        if (has_left)
          spdlog::info("partition.left partition={} term={} index={}: its replica here is of before", partition.value,
                       r.term(), ours.applied);
      }
      if (!is_active)
        known.since = clock::now();
      bool is_committed = r.members_index() > 0 && r.members_index() <= r.commit();
      if (!has_left || !is_committed || ours.consensus.leader || clock::now() - known.since < vacate_after ||
          target_of(partition, members, catalogue.replication).voters.contains(self))
        continue;
      tell(partition, actors::vacate_replica{{r.members_term(), r.members_index()}});
    }
}

/// Where replicas belong is a function of the catalogue; each leader brings its own partition there.
void cluster::place_replicas(const domain::catalogue_update& catalogue, const std::vector<partition::status>& seen) {
  auto members = active_members(catalogue);
  if (members.empty())
    return;
  for (std::uint32_t p = 0; p < seen.size(); ++p) {
    if (!seen[p].leading)
      continue;
    auto target = target_of({p}, members, catalogue.replication);
    if (target != seen[p].consensus.members)
      tell({p}, actors::replicate_on{std::move(target)});
  }
}

/// One at a time and node, and only where nothing else is going on.
void cluster::balance_leaders(const domain::catalogue_update& catalogue, const std::vector<partition::status>& seen) {
  auto wished = rebalance_wished_.exchange(false);
  std::vector<raft::membership> members;
  members.reserve(seen.size());
  for (const auto& s : seen)
    members.push_back(s.consensus.members);
  if (members.empty())
    return;
  auto preferred = preferred_leaders(members, may_lead(catalogue));
  for (std::uint32_t p = 0; p < seen.size(); ++p) {
    const auto& s = seen[p];
    if (!s.leading) {
      led_since_.erase({p});
      continue;
    }
    auto& since = led_since_[{p}];
    if (since.first != s.consensus.term)
      since = {s.consensus.term, clock::now()};
    auto to = preferred[p];
    if (!to || to == parts_.who->self || (!wished && clock::now() - since.second < settled))
      continue;
    auto peer = std::find_if(s.consensus.peers.begin(), s.consensus.peers.end(),
                             [to](const auto& other) { return other.node == to; });
    if (peer == s.consensus.peers.end() || peer->learner || peer->match + 256 < s.consensus.last_index)
      continue;
    spdlog::info("partition.hand-over partition={} term={} index={} to={}", p, s.consensus.term, s.applied, to.value);
    tell({p}, actors::hand_over{to});
    if (!wished)
      return;
  }
}

bool cluster::hand_over_all(const std::vector<partition::status>& seen) {
  bool left = false;
  for (std::uint32_t p = 0; p < seen.size(); ++p) {
    if (!seen[p].leading || seen[p].consensus.members.voters.size() < 2)
      continue;
    left = true;
    tell({p}, actors::hand_over{node_id{}});
  }
  return !left;
}

// ---- operators ------------------------------------------------------------------------------------------------------

bool cluster::answer(const std::string& what, const std::string& argument,
                     const std::function<void(std::string)>& done) {
  auto space = argument.find(' ');
  auto second = space == std::string::npos ? 0 : std::strtoul(argument.c_str() + space + 1, nullptr, 10);
  if (what == "rebalance") {
    rebalance_wished_ = true;
    done("ok");
  } else if (what == "transfer") {
    partition_id partition{static_cast<std::uint32_t>(std::strtoul(argument.c_str(), nullptr, 10))};
    tell(partition, actors::hand_over{node_id{static_cast<std::uint32_t>(second)}});
    done("ok");
  } else if (what == "move") {
    answer_move(argument, done);
  } else if (what == "place") {
    answer_place(argument, done);
  } else if (what == "slots") {
    answer_slots(argument, done);
  } else if (what == "event") {
    await_event(argument.substr(0, space), static_cast<std::uint32_t>(second), [done] { done("ok"); });
  } else {
    return false;
  }
  return true;
}

/// Of every node that said something lately, this one included.
std::map<node_id, std::shared_ptr<const proto::NodeStatus>> cluster::fresh_statuses() const {
  std::map<node_id, std::shared_ptr<const proto::NodeStatus>> all;
  for (const auto& [node, heard] : desk_->statuses())
    if (heard.second < reachable_within)
      all[node] = heard.first;
  std::lock_guard lock{lock_};
  all[parts_.who->self] = std::make_shared<const proto::NodeStatus>(own_);
  return all;
}

/// Who keeps a partition is what its leader says, of several the newest term's: every node lists all partitions.
void cluster::note_full_nodes(std::vector<std::atomic<bool>>& partitions) const {
  auto statuses = fresh_statuses();
  std::set<std::uint32_t> full;
  for (const auto& [node, status] : statuses)
    if (status->memory_full())
      full.insert(node.value);
  auto is_full = [&](auto node) { return full.contains(node); };
  std::vector<std::pair<log_term, bool>> led(partitions.size());
  for (const auto& [node, status] : statuses)
    for (const auto& r : status->replicas()) {
      if (!r.leading() || r.partition() >= led.size() || r.term() <= led[r.partition()].first)
        continue;
      const auto& all = r.members();
      led[r.partition()] = {r.term(), std::any_of(all.voters().begin(), all.voters().end(), is_full) ||
                                          std::any_of(all.learners().begin(), all.learners().end(), is_full)};
    }
  for (std::size_t p = 0; p < led.size(); ++p)
    if (led[p].first != 0) // else as before
      partitions[p] = led[p].second;
}

/// Only with every leader's word: what nobody leads right now may be on that node alone. Of several who think they lead, the
/// newest term's counts.
std::string cluster::why_not_remove(node_id node) const {
  // By partition: in which term, and whether the node has a replica.
  std::map<std::uint32_t, std::pair<log_term, bool>> led;
  for (const auto& [from, status] : fresh_statuses())
    for (const auto& r : status->replicas()) {
      auto is_there = [node](const auto& nodes) {
        return std::find(nodes.begin(), nodes.end(), node.value) != nodes.end();
      };
      auto& best = led[r.partition()];
      if (r.leading() && r.term() > best.first)
        best = {r.term(), is_there(r.members().voters()) || is_there(r.members().learners())};
    }
  std::set<std::uint32_t> held;
  std::set<std::uint32_t> leaderless;
  for (std::uint32_t p = 0; p < parts_.routes->places().partitions(); ++p) {
    auto [term, is_held] = led[p];
    if (term == 0)
      leaderless.insert(p);
    if (is_held)
      held.insert(p);
  }
  if (!held.empty())
    return "it still holds replicas of partitions " + list_of(held) + "; wait until they have moved";
  if (!leaderless.empty())
    return "partitions " + list_of(leaderless) +
           " have no leader right now, and may be on this node alone: start it, or wait until they have one";
  return {};
}

/// Who has just begun to lead, or moved the last replica, says so within a moment.
void cluster::may_remove(node_id node, http::node_services::on_done done) {
  await([this, node] { return why_not_remove(node).empty(); }, remove_patience,
        [this, node, done = std::move(done)](bool) { done(why_not_remove(node)); });
}

} // namespace sluice::node
