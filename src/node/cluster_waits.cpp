// What operators ask for and is done a little later: their answer waits until it is.
#include "node/cluster.hpp"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <memory>
#include <utility>

namespace sluice::node {

namespace {

constexpr std::size_t waits_max = 1'000;
constexpr std::chrono::milliseconds transfer_patience{3'000}; // below the bridge's own deadline of 5 s
constexpr std::chrono::milliseconds spread_patience{500};

} // namespace

void cluster::await(std::function<bool()> is_over, std::chrono::milliseconds patience,
                    std::function<void(bool in_time)> done) {
  if (is_over())
    return done(true);
  {
    std::lock_guard lock{lock_};
    if (waits_.size() < waits_max) {
      waits_.push_back({std::move(is_over), clock::now() + patience, std::move(done)});
      return;
    }
  }
  done(false);
}

void cluster::settle_waits() {
  std::vector<wait> all, open;
  std::vector<std::pair<std::function<void(bool)>, bool>> over;
  {
    std::lock_guard lock{lock_};
    all.swap(waits_);
  }
  for (auto& w : all) {
    bool is_over = w.is_over();
    if (is_over || clock::now() >= w.until)
      over.emplace_back(std::move(w.done), is_over);
    else
      open.push_back(std::move(w));
  }
  {
    std::lock_guard lock{lock_};
    std::move(open.begin(), open.end(), std::back_inserter(waits_));
  }
  for (auto& [done, in_time] : over)
    done(in_time);
}

/// The leader is asked, not obeyed at once: whether somebody took over is seen by who leads.
void cluster::transfer(partition_id partition, node_id to, http::node_services::on_done done) {
  auto from = parts_.routes->leader_of(partition);
  if (!from)
    return done("partition " + std::to_string(partition.value) + " has no leader right now; try again");
  if (from == to)
    return done({});
  auto argument = std::to_string(partition.value) + " " + std::to_string(to.value);
  if (from == parts_.who->self)
    answer("transfer", argument, [](const std::string&) {});
  else
    desk_->ask(from, "transfer", argument, [](const std::optional<std::string>&) {}); // silence is seen below
  auto is_over = [this, partition, from, to] {
    auto leader = parts_.routes->leader_of(partition);
    return leader && (to ? leader == to : leader != from);
  };
  await(std::move(is_over), transfer_patience, [this, partition, to, done = std::move(done)](bool in_time) {
    if (in_time)
      return done({});
    auto leader = parts_.routes->leader_of(partition);
    done("partition " + std::to_string(partition.value) +
         (leader ? " is led by '" + name_of(leader) + "'" : " has no leader right now") + "; perhaps " +
         (to ? "'" + name_of(to) + "' holds no replica of it that votes, or none up to date"
             : "no other voter is up to date") +
         ": see `sluicectl cluster status`");
  });
}

std::string cluster::name_of(node_id node) const {
  for (const auto& n : parts_.models->catalogue()->nodes)
    if (n.id == node)
      return n.name;
  return std::to_string(node.value);
}

void cluster::rebalance(http::node_services::on_done done) {
  rebalance_wished_ = true;
  for (auto node : reachable_others())
    desk_->ask(node, "rebalance", {}, [](const std::optional<std::string>&) {});
  done({});
}

std::vector<node_id> cluster::reachable_others() const {
  std::vector<node_id> others;
  for (const auto& n : parts_.models->catalogue()->nodes)
    if (n.id != parts_.who->self && n.state != domain::node_state::removed && links_->is_open(n.id))
      others.push_back(n.id);
  return others;
}

void cluster::await_event(const std::string& slug, std::uint32_t revision, std::function<void()> done) {
  auto knows = [this, slug, revision] {
    auto event = parts_.models->find(slug);
    auto plan = event ? event->plan() : nullptr;
    return plan && plan->placed().revision >= revision;
  };
  await(std::move(knows), spread_patience, [done = std::move(done)](bool) { done(); });
}

void cluster::spread(const std::string& slug, std::uint32_t revision, std::function<void()> done) {
  struct state {
    std::atomic<std::size_t> left{0};
    std::atomic<bool> told{false};
    std::function<void()> done;
  };

  auto others = reachable_others();
  if (others.empty())
    return done();
  auto s = std::make_shared<state>();
  s->left = others.size();
  s->done = std::move(done);
  auto argument = slug + " " + std::to_string(revision);
  for (auto node : others)
    desk_->ask(node, "event", argument, [s](const std::optional<std::string>&) {
      if (--s->left == 0 && !s->told.exchange(true))
        s->done();
    });
  await([s] { return s->told.load(); }, spread_patience,
        [s](bool) {
          if (!s->told.exchange(true))
            s->done();
        });
}

} // namespace sluice::node
