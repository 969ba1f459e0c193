#include "cluster/partition/wire.hpp"
#include "codec/document.hpp"
#include "core/text_id.hpp"
#include "http/crypto.hpp"
#include "node/backup.hpp"
#include "node/identity.hpp"
#include "sluice/peer.pb.h"
#include "storage/snapshot_sink.hpp"

#include <fstream>
#include <sstream>
#include <stdexcept>

namespace sluice::node {

namespace {

namespace fs = std::filesystem;

constexpr node_id first_node{1};

struct backed_up {
  std::uint32_t partition = 0;
  fs::path file;
  std::uint64_t index = 0;
  std::uint64_t term = 0;
  std::uint64_t bytes = 0;
  std::string sha256;
  std::uint64_t own_checkpoint = 0; // its number in the new store
};

struct manifest {
  std::string id;
  std::uint32_t epoch = 0;
  std::vector<backed_up> partitions;
};

[[noreturn]] void refuse(const fs::path& where, const std::string& why) {
  throw std::runtime_error{where.string() + ": " + why};
}

const codec::document& need(const fs::path& file, const codec::document& in, std::string_view name,
                            codec::document::kind kind) {
  const auto* value = in.find(name);
  if (value == nullptr || value->is != kind)
    refuse(file, "is no manifest of a backup: '" + std::string{name} + "' is missing or not what it should be");
  return *value;
}

std::uint64_t number(const fs::path& file, const codec::document& in, std::string_view name) {
  const auto& value = need(file, in, name, codec::document::kind::integer);
  if (value.integer < 0)
    refuse(file, "'" + std::string{name} + "' is below zero");
  return static_cast<std::uint64_t>(value.integer);
}

manifest read_manifest(const fs::path& backup) {
  auto file = backup / "manifest.json";
  std::ifstream in{file};
  if (!in)
    refuse(backup, "is no backup: there is no manifest.json in it");
  std::ostringstream text;
  text << in.rdbuf();
  auto parsed = codec::parse_json(text.str());
  if (!parsed)
    refuse(file, "is damaged");
  manifest m;
  m.id = need(file, *parsed, "id", codec::document::kind::string).text;
  m.epoch = static_cast<std::uint32_t>(number(file, *parsed, "epoch"));
  for (const auto& p : need(file, *parsed, "partitions", codec::document::kind::array).items) {
    backed_up b;
    b.partition = static_cast<std::uint32_t>(number(file, p, "id"));
    b.file = backup / fs::path{need(file, p, "file", codec::document::kind::string).text}.filename();
    b.index = number(file, p, "index");
    b.term = number(file, p, "term");
    b.bytes = number(file, p, "bytes");
    b.sha256 = need(file, p, "sha256", codec::document::kind::string).text;
    if (b.partition != m.partitions.size())
      refuse(file, "does not list its partitions in order");
    m.partitions.push_back(std::move(b));
  }
  if (m.partitions.empty())
    refuse(file, "names no partition");
  return m;
}

void check_file(const backed_up& b) {
  std::ifstream in{b.file, std::ios::binary};
  if (!in)
    refuse(b.file, "is missing");
  http::sha256_stream hash;
  std::string some(1024 * 1024, '\0');
  std::uint64_t bytes = 0;
  while (in.read(some.data(), static_cast<std::streamsize>(some.size())) || in.gcount() > 0) {
    hash.add({some.data(), static_cast<std::size_t>(in.gcount())});
    bytes += static_cast<std::uint64_t>(in.gcount());
  }
  if (bytes != b.bytes || hash.hex_so_far() != b.sha256)
    refuse(b.file, "is damaged: its size or SHA-256 is not what the manifest says");
}

/// Brings the pieces and facts in under a number no try before had; returns the partition's own record.
proto::PartitionRecord copy_in(storage::log_store& store, backed_up& b) {
  partition_id partition{b.partition};
  b.own_checkpoint = store.recover(partition).attempts + 1;
  storage::log_batch attempt;
  attempt.partition = partition;
  attempt.checkpoint_attempt = b.own_checkpoint;
  store.write({attempt});
  std::ifstream in{b.file, std::ios::binary};
  proto::PartitionRecord record;
  bool have_record = false;
  std::string position;
  unsigned char head[4];
  while (in.read(reinterpret_cast<char*>(head), sizeof(head))) {
    std::string bytes(
        std::uint32_t{head[0]} << 24 | std::uint32_t{head[1]} << 16 | std::uint32_t{head[2]} << 8 | head[3], '\0');
    proto::SnapshotPart part;
    if (!in.read(bytes.data(), static_cast<std::streamsize>(bytes.size())) || !part.ParseFromString(bytes) ||
        part.position() != position)
      refuse(b.file, "holds parts that make no sense");
    storage::chunk_place place{partition, part.checkpoint(), position};
    if (!storage::apply_chunk(store, place, b.own_checkpoint, {part.next(), part.bytes(), part.checksum()}))
      refuse(b.file, "holds a part that is damaged");
    if (!part.record().empty())
      have_record = record.ParseFromString(part.record());
    position = part.next();
  }
  if (!have_record || !position.empty() || record.index() != b.index)
    refuse(b.file, "is not whole");
  return record;
}

void put_in_force(storage::log_store& store, const backed_up& b, const proto::PartitionRecord& record) {
  raft::membership alone;
  alone.voters = {first_node};
  storage::log_batch batch;
  batch.partition = {b.partition};
  batch.vote = storage::vote_record{b.term, {}, false};
  batch.install = storage::install_record{
      {b.own_checkpoint, b.index, b.term, record.SerializeAsString(), partition::encode(alone)}};
  store.write({batch});
}

} // namespace

void restore_backup(storage::log_store& store, const fs::path& backup, const std::string& name) {
  if (store.get_fact("node") || (store.get_fact("partitions") && !store.get_fact("restoring")))
    throw std::runtime_error{"the data folder is not empty; restore into a new one"};
  auto m = read_manifest(backup);
  for (const auto& b : m.partitions)
    check_file(b);
  store.put_fact("restoring", "1");
  std::vector<proto::PartitionRecord> records;
  for (auto& b : m.partitions)
    records.push_back(copy_in(store, b));
  store.flush();
  for (std::size_t p = 0; p < records.size(); ++p)
    put_in_force(store, m.partitions[p], records[p]);
  // Last, so that a restore cut short is begun anew: the folder is nobody's until then.
  found_restored(store, name, static_cast<std::uint32_t>(m.partitions.size()), m.epoch + 1);
}

} // namespace sluice::node
