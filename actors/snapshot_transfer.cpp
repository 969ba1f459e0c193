#include "actors/snapshot_transfer.hpp"

#include "sluice/peer.pb.h"
#include "storage/snapshot_sink.hpp"

#include <spdlog/spdlog.h>

#include <utility>

namespace sluice::actors {

namespace {

constexpr std::chrono::milliseconds ask_again{500};
constexpr std::chrono::seconds patience{10}; // without progress
constexpr std::size_t part_bytes = 256 * 1024;

} // namespace

snapshot_transfer::snapshot_transfer(storage::log_store& store, hooks how)
    : store_{store}, how_{std::move(how)}, source_{store} {}

void snapshot_transfer::stop() {
  giver_.stop();
  taker_.stop();
}

snapshot_transfer::figures snapshot_transfer::count() const {
  std::lock_guard lock{lock_};
  auto f = figures_;
  f.pulling = pulls_.size();
  return f;
}

// ---- pulling ---------------------------------------------------------------------------------------------------------

void snapshot_transfer::fetch(partition_id partition, const partition::fetch_out& what) {
  std::lock_guard lock{lock_};
  auto known = pulls_.find(partition);
  if (known != pulls_.end())
    how_.given_up(partition, known->second.what.checkpoint);
  auto& p = pulls_[partition];
  p = pull{};
  p.id = next_id_++;
  p.what = what;
  p.progress_at = how_.now();
  p.begun = begun_[partition] >= what.checkpoint;
  activate_some();
}

void snapshot_transfer::begun(partition_id partition, std::uint64_t attempt) {
  std::lock_guard lock{lock_};
  begun_[partition] = std::max(begun_[partition], attempt);
  auto known = pulls_.find(partition);
  if (known == pulls_.end() || attempt < known->second.what.checkpoint)
    return;
  known->second.begun = true;
  activate_some();
}

void snapshot_transfer::activate_some() {
  std::size_t active = 0;
  for (const auto& [partition, p] : pulls_)
    active += p.active ? 1 : 0;
  for (auto& [partition, p] : pulls_) {
    if (p.active || !p.begun)
      continue;
    if (++active > pulls_max)
      return;
    p.active = true;
    p.progress_at = how_.now();
    ask(partition, p);
  }
}

void snapshot_transfer::ask(partition_id partition, pull& p) {
  p.asked_at = how_.now();
  proto::PeerItem item;
  auto& out = *item.mutable_pull();
  out.set_partition(partition.value);
  out.set_checkpoint(partition::checkpoint_in(p.what.ref));
  out.set_position(p.position);
  out.set_pull(p.id);
  out.set_index(p.what.ref.index);
  how_.send(p.what.from, item.SerializeAsString());
}

/// The source need not keep it any longer. If this is lost, it finds out by itself.
void snapshot_transfer::tell_done(partition_id partition, const pull& p) {
  proto::PeerItem item;
  item.mutable_pull()->set_partition(partition.value);
  item.mutable_pull()->set_pull(p.id);
  how_.send(p.what.from, item.SerializeAsString());
}

void snapshot_transfer::got(node_id from, const proto::SnapshotPart& part) {
  partition_id partition{part.partition()};
  std::lock_guard lock{lock_};
  auto known = pulls_.find(partition);
  if (known == pulls_.end())
    return;
  auto& p = known->second;
  if (p.id != part.pull() || p.what.from != from || p.position != part.position() || p.applying ||
      part.checkpoint() != partition::checkpoint_in(p.what.ref))
    return; // late, or a second answer to one question, or one that an earlier process here had asked
  if (part.gone())
    return end(partition, "it is not kept there any more; the newest will be offered");
  p.applying = true;
  taker_.run([this, partition, id = p.id, part] { apply(partition, id, part); });
}

void snapshot_transfer::apply(partition_id partition, std::uint64_t id, const proto::SnapshotPart& part) {
  std::uint64_t own = 0;
  {
    std::lock_guard lock{lock_};
    auto known = pulls_.find(partition);
    if (known == pulls_.end() || known->second.id != id)
      return;
    own = known->second.what.checkpoint;
  }
  storage::chunk_place place{partition, part.checkpoint(), part.position()};
  bool applied = storage::apply_chunk(store_, place, own, {part.next(), part.bytes(), part.checksum()});
  bool last = applied && part.next().empty();
  if (last)
    store_.flush(); // before the install that makes it count
  std::lock_guard lock{lock_};
  auto known = pulls_.find(partition);
  if (known == pulls_.end() || known->second.id != id)
    return;
  auto& p = known->second;
  p.applying = false;
  if (!applied) {
    ask(partition, p); // damaged on the way
    return;
  }
  ++figures_.parts_taken;
  figures_.bytes_taken += part.bytes().size();
  if (!part.record().empty())
    p.record = part.record();
  p.progress_at = how_.now();
  p.position = part.next();
  if (last)
    end(partition, p.record.empty() ? "it came without its record" : "");
  else
    ask(partition, p);
}

void snapshot_transfer::end(partition_id partition, const char* why) {
  auto p = std::move(pulls_.at(partition));
  pulls_.erase(partition);
  bool ok = *why == '\0';
  ++(ok ? figures_.pulled : figures_.failed);
  if (!ok)
    spdlog::warn("snapshot.failed partition={} index={} term={} from={} why={}", partition.value, p.what.ref.index,
                 p.what.ref.term, p.what.from.value, why);
  tell_done(partition, p);
  if (!ok)
    how_.given_up(partition, p.what.checkpoint);
  how_.fetched(partition, {p.what.ref, p.what.checkpoint, std::move(p.record), ok});
  activate_some();
}

void snapshot_transfer::tick() {
  std::lock_guard lock{lock_};
  auto now = how_.now();
  std::vector<partition_id> stuck;
  for (auto& [partition, p] : pulls_) {
    if (!p.active || p.applying)
      continue;
    if (p.progress_at + patience <= now)
      stuck.push_back(partition);
    else if (p.asked_at + ask_again <= now)
      ask(partition, p);
  }
  for (auto partition : stuck)
    end(partition, "nothing came for ten seconds; it will be offered again: is that node well, and the line to it?");
  source_.release_idle(now);
}

// ---- giving ----------------------------------------------------------------------------------------------------------

void snapshot_transfer::asked(node_id from, const proto::PullPart& pull) {
  giver_.run([this, from, pull] { give(from, pull); }, 64);
}

void snapshot_transfer::read(node_id reader, const proto::PullPart& pull, std::function<void(std::string)> done) {
  auto taken = giver_.run(
      [this, reader, pull, done] {
        proto::SnapshotPart part;
        if (pull.checkpoint() == 0)
          source_.close(reader, {pull.partition()});
        else if (!fill(reader, pull, part))
          return done({});
        done(part.SerializeAsString());
      },
      64);
  if (!taken)
    done({});
}

void snapshot_transfer::give(node_id from, const proto::PullPart& pull) {
  if (pull.checkpoint() == 0)
    return source_.close(from, {pull.partition()});
  proto::PeerItem item;
  if (fill(from, pull, *item.mutable_part()))
    how_.send(from, item.SerializeAsString());
}

/// False: others are being served; to be asked again in a moment.
bool snapshot_transfer::fill(node_id from, const proto::PullPart& pull, proto::SnapshotPart& out) {
  partition_id partition{pull.partition()};
  out.set_partition(pull.partition());
  out.set_checkpoint(pull.checkpoint());
  out.set_position(pull.position());
  out.set_pull(pull.pull());
  storage::snapshot_part part;
  auto given =
      source_.give(from, {partition, pull.checkpoint(), pull.position()}, pull.index(), part_bytes, how_.now(), part);
  if (given == storage::giving::busy)
    return false;
  if (given == storage::giving::gone) {
    out.set_gone(true);
    return true;
  }
  out.set_next(std::move(part.chunk.next));
  out.set_bytes(std::move(part.chunk.bytes));
  out.set_checksum(part.chunk.checksum);
  out.set_record(std::move(part.record));
  std::lock_guard lock{lock_};
  ++figures_.parts_given;
  return true;
}

} // namespace sluice::actors
