#include "node/identity.hpp"

#include "codec/message.hpp"
#include "core/assert.hpp"
#include "core/text_id.hpp"
#include "domain/feature_level.hpp"
#include "http/crypto.hpp"
#include "node/folder_lock.hpp"
#include "sluice/peer.pb.h"

#include <spdlog/spdlog.h>

#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sluice::node {

namespace {

[[noreturn]] void stop(const std::string& why) {
  fail_stop(why, __FILE__, __LINE__);
}

std::optional<std::string> read_secret(const std::filesystem::path& file) {
  struct stat info {};

  if (::stat(file.c_str(), &info) != 0)
    return std::nullopt;
  if ((info.st_mode & 077) != 0)
    stop(file.string() + " can be read by others; run: chmod 600 " + file.string());
  std::ifstream in{file};
  std::ostringstream text;
  text << in.rdbuf();
  auto content = text.str();
  while (!content.empty() && (content.back() == '\n' || content.back() == '\r' || content.back() == ' '))
    content.pop_back();
  return content;
}

} // namespace

void write_secret(const std::filesystem::path& file, const std::string& text) {
  auto temporary = file.string() + ".new";
  int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0)
    stop("can not write " + temporary + ": " + std::strerror(errno));
  auto line = text + "\n";
  bool ok = ::write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size()) && ::fsync(fd) == 0;
  ::close(fd);
  if (!ok || ::rename(temporary.c_str(), file.c_str()) != 0)
    stop("can not write " + file.string() + ": " + std::strerror(errno));
  int folder = ::open(file.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    ::fsync(folder);
    ::close(folder);
  }
}

namespace {

std::string fact(storage::log_store& store, const char* name) {
  return store.get_fact(name).value_or(std::string{});
}

std::uint64_t number_fact(storage::log_store& store, const char* name, std::uint64_t otherwise) {
  auto text = store.get_fact(name);
  return text ? std::stoull(*text) : otherwise;
}

/// Of this process: above that of every earlier one under this name, on this disk or one before, since peers drop what
/// an older process said. A few random bits on top, should a folder be put back from a backup.
std::uint64_t next_incarnation(storage::log_store& store, std::uint32_t generation) {
  auto starts = number_fact(store, "starts", 0) + 1;
  store.put_fact("starts", std::to_string(starts));
  std::uint16_t chance = 0;
  http::fill_random(&chance, sizeof(chance));
  return std::uint64_t{generation} << 48 | starts << 16 | chance;
}

void read_seal_key(const std::filesystem::path& data, identity& id) {
  auto file = data / "cluster.key";
  if (auto text = read_secret(file)) {
    auto bytes = from_hex(*text);
    if (!bytes || bytes->size() != 32)
      stop(file.string() + " is damaged; restore it from your backup");
    id.seal_key = std::move(*bytes);
  } else if (id.founded || !id.founder) {
    stop(file.string() +
         " is missing; without it the signing keys can not be read: restore it from your backup, or copy "
         "it from another node");
  } else {
    auto bytes = http::random_bytes<32>();
    write_secret(file, hex(bytes));
    id.seal_key.assign(bytes.begin(), bytes.end());
  }
}

void read_admin_key(const std::filesystem::path& data, identity& id) {
  auto file = data / "admin.key";
  if (auto text = read_secret(file)) {
    id.admin_key = std::move(*text);
  } else if (id.founder && !id.founded) {
    id.admin_key = "slk_" + base32(http::random_bytes<25>());
    write_secret(file, id.admin_key);
  }
}

std::vector<link::peer> peers_from(const google::protobuf::RepeatedPtrField<proto::KnownNode>& nodes) {
  std::vector<link::peer> peers;
  for (const auto& n : nodes)
    peers.push_back({{n.node()}, n.name(), n.address(), n.disk()});
  return peers;
}

proto::Joined ask_cluster(const config& settings, const identity& id, const std::string& peer_address,
                          const std::string& http_address) {
  domain::join_cluster request;
  request.token_hash = http::sha256_hex(settings.join_token);
  request.name = id.name;
  request.peer_address = peer_address;
  request.http_address = http_address;
  request.disk = id.disk;
  request.role = settings.bridge ? domain::node_role::bridge : domain::node_role::member;
  request.version = SLUICE_VERSION;
  request.feature_level = domain::feature_level();
  proto::Hello hello;
  hello.set_protocol(1);
  hello.set_name(id.name);
  hello.set_join(codec::encode(domain::message{request}));
  proto::Joined joined;
  try {
    auto bytes =
        link::ask_to_join(settings.join, settings.cluster_tls, hello.SerializeAsString(), std::chrono::seconds{10});
    if (!joined.ParseFromString(bytes) || joined.node() == 0 || joined.seal_key().size() != 32)
      throw start_failure{"can not join at " + settings.join + ": the answer makes no sense"};
  } catch (const std::runtime_error& e) {
    throw start_failure{"can not join the cluster at " + settings.join + ": " + e.what()};
  }
  return joined;
}

/// The facts that make the folder this node's are written last, so that a start cut short begins anew; the cluster
/// answers the same disk alike.
void join(storage::log_store& store, const config& settings, identity& id, const std::string& peer_address,
          const std::string& http_address) {
  auto joined = ask_cluster(settings, id, peer_address, http_address);
  write_secret(
      settings.data / "cluster.key",
      hex(std::span{reinterpret_cast<const std::uint8_t*>(joined.seal_key().data()), joined.seal_key().size()}));
  store.put_fact("partitions", std::to_string(joined.partitions()));
  store.put_fact("generation", std::to_string(joined.generation()));
  remember_peers(store, peers_from(joined.nodes()));
  remember_cluster(store, joined.cluster(), joined.epoch());
  store.put_fact("node", std::to_string(joined.node()));
  spdlog::info("cluster.joined id={} node={} name={}", joined.cluster(), joined.node(), id.name);
}

} // namespace

std::string too_old_for(std::uint32_t level) {
  if (level <= domain::feature_level())
    return {};
  return "the cluster is at feature level " + std::to_string(level) + ", and this program knows " +
         std::to_string(domain::feature_level()) + " at most; start a newer one on this folder";
}

identity load_identity(storage::log_store& store, const config& settings, const std::string& peer_address,
                       const std::string& http_address) {
  if (auto why = too_old_for(static_cast<std::uint32_t>(number_fact(store, "feature-level", 0))); !why.empty())
    throw start_failure{why};
  identity id;
  id.name = settings.name;
  if (!store.get_fact("disk")) {
    std::uint64_t disk = 0;
    http::fill_random(&disk, sizeof(disk));
    store.put_fact("disk", std::to_string(disk));
  }
  id.disk = number_fact(store, "disk", 0);
  if (!store.get_fact("node"))
    store.put_fact("name", settings.name);
  else if (fact(store, "name") != settings.name)
    throw start_failure{"this data folder is node '" + fact(store, "name") + "', not '" + settings.name +
                        "'; start it with --name " + fact(store, "name")};
  bool was_here = store.get_fact("partitions").has_value(); // a folder of before nodes had numbers is its founder's
  if (!store.get_fact("node") && !was_here && !settings.join.empty())
    join(store, settings, id, peer_address, http_address);
  if (!store.get_fact("node") && (was_here || settings.join.empty())) {
    if (settings.bridge)
      throw start_failure{"a bridge holds no replica and can not be the first node; give it --join and --join-token"};
    if (!was_here)
      store.put_fact("partitions", std::to_string(settings.partitions));
    store.put_fact("founder", "1");
    store.put_fact("node", "1");
  }
  id.self = {static_cast<std::uint32_t>(number_fact(store, "node", 0))};
  id.partitions = static_cast<std::uint32_t>(number_fact(store, "partitions", 0));
  if (settings.partitions != config{}.partitions && settings.partitions != id.partitions)
    throw start_failure{"this cluster has " + std::to_string(id.partitions) +
                        " partitions, which was fixed when it was founded; start without --partitions"};
  id.generation = static_cast<std::uint32_t>(number_fact(store, "generation", 1));
  id.incarnation = next_incarnation(store, id.generation);
  id.founder = store.get_fact("founder").has_value();
  id.founding_epoch = static_cast<std::uint32_t>(number_fact(store, "founding-epoch", 1));
  id.looked_through = static_cast<std::uint32_t>(number_fact(store, "looked-through", 1));
  std::istringstream lost{fact(store, "lost")};
  for (partition_id partition; lost >> partition.value; lost.ignore()) // "3, 5"
    id.lost.push_back(partition);
  id.founded = store.get_fact("founded").has_value();
  id.cluster = fact(store, "cluster");
  id.epoch = static_cast<std::uint32_t>(number_fact(store, "epoch", 0));
  id.feature_level = static_cast<std::uint32_t>(number_fact(store, "feature-level", 0));
  proto::Joined known;
  if (known.ParseFromString(fact(store, "peers")))
    id.peers = peers_from(known.nodes());
  read_seal_key(settings.data, id);
  read_admin_key(settings.data, id);
  return id;
}

void found_restored(storage::log_store& store, const std::string& name, std::uint32_t partitions, std::uint32_t epoch) {
  std::uint64_t disk = 0;
  http::fill_random(&disk, sizeof(disk));
  store.put_fact("disk", std::to_string(disk));
  store.put_fact("name", name);
  store.put_fact("partitions", std::to_string(partitions));
  store.put_fact("founding-epoch", std::to_string(epoch));
  store.put_fact("founder", "1");
  store.put_fact("node", "1");
}

std::string left_fact(partition_id partition) {
  return "left-" + std::to_string(partition.value);
}

void remember_cluster(storage::log_store& store, const std::string& cluster, std::uint32_t epoch) {
  store.put_fact("cluster", cluster);
  store.put_fact("epoch", std::to_string(epoch));
  store.put_fact("founded", "1");
}

void remember_feature_level(storage::log_store& store, std::uint32_t level) {
  store.put_fact("feature-level", std::to_string(level));
}

void remember_peers(storage::log_store& store, const std::vector<link::peer>& peers) {
  proto::Joined known;
  for (const auto& p : peers) {
    auto& n = *known.add_nodes();
    n.set_node(p.node.value);
    n.set_name(p.name);
    n.set_address(p.address);
    n.set_disk(p.disk);
  }
  store.put_fact("peers", known.SerializeAsString());
}

} // namespace sluice::node
