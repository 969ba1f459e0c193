#include "node/backup.hpp"

#include "cluster/partition/slots.hpp"
#include "codec/document.hpp"
#include "codec/times.hpp"
#include "core/text_id.hpp"
#include "http/crypto.hpp"
#include "sluice/peer.pb.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

namespace sluice::node {

namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds part_patience{10}; // pins of others end after 30 s at the latest: five tries of this

struct partition_file {
  std::uint32_t partition = 0;
  std::string name;
  std::uint64_t index = 0;
  std::uint64_t term = 0;
  std::uint64_t bytes = 0;
  std::string sha256;
};

void sync(const fs::path& path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 || ::fsync(fd) != 0) {
    if (fd >= 0)
      ::close(fd);
    throw std::runtime_error{"can not make " + path.string() + " durable"};
  }
  ::close(fd);
}

void append_part(std::ofstream& out, const std::string& part) {
  auto length = static_cast<std::uint32_t>(part.size());
  char head[4] = {static_cast<char>(length >> 24), static_cast<char>(length >> 16), static_cast<char>(length >> 8),
                  static_cast<char>(length)};
  out.write(head, sizeof(head));
  out.write(part.data(), static_cast<std::streamsize>(part.size()));
}

std::string hash_of_file(const fs::path& path, std::uint64_t& bytes) {
  std::ifstream in{path, std::ios::binary};
  http::sha256_stream hash;
  std::string some(1024 * 1024, '\0');
  bytes = 0;
  while (in.read(some.data(), static_cast<std::streamsize>(some.size())) || in.gcount() > 0) {
    hash.add({some.data(), static_cast<std::size_t>(in.gcount())});
    bytes += static_cast<std::uint64_t>(in.gcount());
  }
  return hash.hex_so_far();
}

bool has_slots_under_way(const std::string& record) {
  proto::PartitionRecord p;
  return !p.ParseFromString(record) || std::any_of(p.slots().begin(), p.slots().end(), [](const auto& s) {
    return partition::is_under_way(static_cast<partition::slot_state::stage>(s.stage()));
  });
}

/// Empty: nobody leads, or the leader went on having no time for it.
std::string read_part(const backup_request& request, partition_id partition, const proto::PullPart& pull) {
  auto until = std::chrono::steady_clock::now() + part_patience;
  for (;;) {
    auto answer = request.ask_leader(partition, "backup-part", pull.SerializeAsString());
    if (!answer.empty() || std::chrono::steady_clock::now() >= until)
      return answer;
    std::this_thread::sleep_for(std::chrono::milliseconds{250});
  }
}

/// One try: the leader may change, or take another checkpoint, in between. Says why another one is needed; empty: done.
std::string copy_partition(const backup_request& request, const fs::path& folder, partition_file& file) {
  partition_id partition{file.partition};
  std::istringstream begun{request.ask_leader(partition, "backup-begin", std::to_string(file.partition))};
  std::uint64_t checkpoint = 0;
  if (!(begun >> checkpoint >> file.index >> file.term) || checkpoint == 0)
    return "nobody leads it";
  std::ofstream out{folder / file.name, std::ios::binary | std::ios::trunc};
  proto::PullPart pull;
  pull.set_partition(file.partition);
  pull.set_checkpoint(checkpoint);
  // Replicas number their checkpoints each for itself: another leader's of that number is another.
  pull.set_index(file.index);
  pull.set_pull(request.reader);
  for (;;) {
    auto answer = read_part(request, partition, pull);
    proto::SnapshotPart part;
    if (!part.ParseFromString(answer) || part.gone() || part.checkpoint() != checkpoint)
      return pull.position().empty() ? "its checkpoint was replaced before it was read"
                                     : "its checkpoint went while it was read";
    if (pull.position().empty() && (part.record().empty() || has_slots_under_way(part.record())))
      return "an event was on its way a moment before";
    append_part(out, answer);
    pull.set_position(part.next());
    if (part.next().empty())
      break;
  }
  pull.set_checkpoint(0);
  request.ask_leader(partition, "backup-part", pull.SerializeAsString()); // done with it
  out.close();
  if (!out)
    throw std::runtime_error{"can not write " + (folder / file.name).string() + "; is the disk full?"};
  sync(folder / file.name);
  file.sha256 = hash_of_file(folder / file.name, file.bytes);
  return {};
}

/// Where all slots are. An event that changes partitions while they are read one after the other would be in both, or in
/// none.
std::vector<std::string> slots_now(const backup_request& request) {
  std::vector<std::string> all;
  for (std::uint32_t p = 0; p < request.partitions; ++p) {
    for (int tries = 1; tries <= 10 && all.size() <= p; ++tries) {
      auto text = request.ask_leader({p}, "slots", std::to_string(p));
      if (!text.empty())
        all.push_back(std::move(text));
      else
        std::this_thread::sleep_for(std::chrono::milliseconds{300}); // nobody leads right now
    }
    if (all.size() <= p)
      throw std::runtime_error{"partition " + std::to_string(p) + " can not be asked; is there a leader?"};
    if (all.back().starts_with("moving"))
      throw std::runtime_error{"an event is on its way to or from partition " + std::to_string(p) +
                               "; try again when it is there"};
  }
  return all;
}

std::string manifest_text(const backup_request& request, const std::string& id, const std::string& at,
                          const std::vector<partition_file>& files) {
  std::string text;
  codec::json_writer w{text};
  w.begin_object().field("format", 1).field("id", id).field("createdAt", at).field("clusterId", request.cluster);
  w.field("epoch", request.epoch).field("version", request.version).key("partitions").begin_array();
  std::uint64_t bytes = 0;
  for (const auto& f : files) {
    w.begin_object().field("id", f.partition).field("file", f.name).field("index", f.index).field("term", f.term);
    w.field("bytes", f.bytes).field("sha256", f.sha256).end_object();
    bytes += f.bytes;
  }
  w.end_array().field("bytes", bytes).end_object();
  return text;
}

std::string read_whole(const fs::path& file) {
  std::ifstream in{file, std::ios::binary};
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

} // namespace

std::string make_backup(const backup_request& request) {
  auto now = std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now());
  auto at = codec::to_text(now);
  auto id = "backup-" + at.substr(0, 10) + "-" + hex(http::random_bytes<4>());
  auto partial = request.folder / (id + ".partial");
  std::error_code failed;
  fs::create_directories(partial, failed);
  if (failed)
    throw std::runtime_error{"can not create " + partial.string() + ": " + failed.message()};
  try {
    auto slots = slots_now(request);
    std::vector<partition_file> files(request.partitions);
    for (std::uint32_t next = 1; next <= request.partitions; ++next) {
      // The catalogue's last: it may list what the others have not yet, but it knows every number that was given.
      auto p = next % request.partitions;
      files[p].partition = p;
      files[p].name = "p-" + std::to_string(p) + ".parts";
      int tries = 1;
      for (std::string why; !(why = copy_partition(request, partial, files[p])).empty();) {
        if (++tries > 5)
          throw std::runtime_error{
              "partition " + std::to_string(p) +
              " could not be read: nobody leads it, or what it has to copy changes too fast; try again"};
        spdlog::info("backup.again id={} partition={} term={} index={} try={} why={}", id, p, files[p].term,
                     files[p].index, tries, why);
        std::this_thread::sleep_for(std::chrono::milliseconds{500});
      }
    }
    if (slots_now(request) != slots)
      throw std::runtime_error{"an event changed partitions meanwhile; try again"};
    auto manifest = manifest_text(request, id, at, files);
    std::ofstream out{partial / "manifest.json"};
    out << manifest << '\n';
    out.close();
    if (!out)
      throw std::runtime_error{"can not write " + (partial / "manifest.json").string() + "; is the disk full?"};
    sync(partial / "manifest.json");
    sync(partial);
    fs::rename(partial, request.folder / id);
    sync(request.folder);
    spdlog::info("backup.made id={} folder={}", id, request.folder.string());
    return manifest;
  } catch (...) {
    fs::remove_all(partial, failed);
    throw;
  }
}

std::string list_backups(const fs::path& folder) {
  std::vector<std::pair<fs::file_time_type, std::string>> found; // oldest first
  std::error_code failed;
  // Whatever can not be looked at (another's folder, one that is being removed) is none of ours.
  for (fs::directory_iterator at{folder, failed}, end; !failed && at != end; at.increment(failed)) {
    std::error_code hidden;
    auto made = fs::last_write_time(at->path() / "manifest.json", hidden);
    if (hidden || at->path().extension() == ".partial")
      continue;
    auto manifest = read_whole(at->path() / "manifest.json");
    if (codec::parse_json(manifest))
      found.emplace_back(made, std::move(manifest));
  }
  std::sort(found.begin(), found.end());
  std::string text;
  codec::json_writer w{text};
  w.begin_object().field("folder", folder.string()).key("backups").begin_array();
  for (auto& [made, manifest] : found) {
    while (!manifest.empty() && manifest.back() == '\n')
      manifest.pop_back();
    w.raw(manifest);
  }
  w.end_array().end_object();
  return text;
}

} // namespace sluice::node
