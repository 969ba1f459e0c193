// cluster: who is in, who leaves, how many copies, who leads; and certificates for the wire between nodes.
#include "cluster_certs.hpp"
#include "cluster_text.hpp"
#include "commands.hpp"
#include "fields.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

namespace sluice::ctl {

namespace {

constexpr const char* actions = "/admin/v1/cluster/actions/";

std::string node_body(const std::string& node) {
  std::string body;
  codec::json_writer{body}.begin_object().field("node", node).end_object();
  return body;
}

/// Tells what was done: "node b: draining", {"node":"b","result":"draining"}.
void tell(const settings& s, const std::string& kind, const std::string& what, const std::string& result) {
  if (!s.json)
    return put_line(kind + (what.empty() ? "" : " " + printable(what)) + ": " + result);
  std::string text;
  codec::json_writer w{text};
  w.begin_object();
  if (!what.empty())
    w.field(kind, what);
  w.field("result", result).end_object();
  put_line(text);
}

} // namespace

void make_join_token(const settings& s, const std::string& replaces, std::uint32_t ttl_seconds) {
  admin_api api{s};
  std::string body;
  codec::json_writer w{body};
  w.begin_object();
  if (!replaces.empty())
    w.field("node", replaces);
  w.field("ttlSeconds", ttl_seconds).end_object();
  auto made = api.send(verb::post, std::string{actions} + (replaces.empty() ? "join" : "replace"), body);
  std::vector<std::string> peers;
  for (const auto& peer : list_in(made.body, "peers"))
    peers.push_back(peer.text);
  auto token = text_in(made.body, "token");
  auto command = join_command(token, peers, replaces);
  if (s.json) {
    std::string text;
    codec::json_writer{text}
        .begin_object()
        .field("token", token)
        .field("expiresAt", text_in(made.body, "expiresAt"))
        .field("command", command)
        .end_object();
    return put_line(text);
  }
  put_line("token    " + printable(token) + "\nexpires  " + printable(text_in(made.body, "expiresAt")) + "\n\n" +
           (replaces.empty() ? "Run on the new node, with a name, a folder and addresses of its own:"
                             : "Run on the node, with an empty folder in place of the one that is gone:") +
           "\n\n  " + printable(command) + "\n");
  if (peers.empty())
    say("sluicectl: PEER-ADDRESS is the --peer-listen of a running node; this one has none");
  say("sluicectl: the token lets one node in, once, and is not shown again. Where nodes speak TLS, add --cluster-ca, "
      "--cluster-cert and --cluster-key");
}

void drain_node(const settings& s, const std::string& node, unsigned wait_seconds) {
  using clock = std::chrono::steady_clock;
  admin_api api{s};
  api.send(verb::post, std::string{actions} + "drain", node_body(node));
  if (wait_seconds == 0)
    return tell(s, "node", node, "draining");
  auto until = clock::now() + std::chrono::seconds{wait_seconds};
  progress shown{!s.json};
  for (;;) {
    auto cluster = api.get("/admin/v1/cluster").body;
    const auto& partitions = list_in(cluster, "partitions");
    auto led =
        std::all_of(partitions.begin(), partitions.end(), [](const auto& p) { return number_in(p, "leader") != 0; });
    // Without its leader nobody knows who holds it.
    auto left = std::max<std::size_t>(held_by(cluster, node), led ? 0 : 1);
    if (left == 0)
      break;
    if (clock::now() >= until)
      throw failure{exit_code::not_ready, "node " + node + " still holds " + std::to_string(left) +
                                              (left == 1 ? " partition" : " partitions") +
                                              "; it goes on draining, see: sluicectl cluster status"};
    shown.show("draining " + node + ", " + std::to_string(left) + " to go");
    std::this_thread::sleep_for(std::chrono::milliseconds{200});
  }
  shown.clear();
  tell(s, "node", node, "drained");
}

void activate_node(const settings& s, const std::string& node) {
  admin_api{s}.send(verb::post, std::string{actions} + "activate", node_body(node));
  tell(s, "node", node, "active");
}

void remove_node(const settings& s, const std::string& node) {
  admin_api{s}.send(verb::post, std::string{actions} + "remove", node_body(node));
  tell(s, "node", node, "removed");
}

void set_replication(const settings& s, std::uint32_t factor) {
  std::string body;
  codec::json_writer{body}.begin_object().field("factor", factor).end_object();
  admin_api{s}.send(verb::post, std::string{actions} + "replication", body);
  tell(s, "cluster", {},
       "each partition is held by " + std::to_string(factor) + (factor == 1 ? " member" : " members"));
}

void activate_feature(const settings& s, std::uint32_t level) {
  std::string body;
  codec::json_writer{body}.begin_object().field("level", level).end_object();
  admin_api{s}.send(verb::post, std::string{actions} + "activate-feature", body);
  tell(s, "cluster", {}, "feature level " + std::to_string(level) + " is active");
}

void transfer_partition(const settings& s, std::uint32_t partition, const std::string& to) {
  std::string body;
  codec::json_writer w{body};
  w.begin_object().field("partition", partition);
  if (!to.empty())
    w.field("to", to);
  w.end_object();
  admin_api{s}.send(verb::post, std::string{actions} + "transfer", body, "moving the leader");
  tell(s, "partition", std::to_string(partition),
       to.empty() ? "its leader hands over" : "its leader hands over to " + to);
}

void move_event(const settings& s, const std::string& event, std::uint32_t partition, unsigned wait_seconds) {
  using clock = std::chrono::steady_clock;
  admin_api api{s};
  std::string body;
  codec::json_writer{body}.begin_object().field("event", event).field("partition", partition).end_object();
  auto is_there = [&] {
    return flag_in(api.send(verb::post, std::string{actions} + "move", body, "moving the event").body, "moved");
  };
  auto until = clock::now() + std::chrono::seconds{wait_seconds};
  auto where = "partition " + std::to_string(partition);
  progress shown{!s.json};
  while (!is_there()) {
    if (wait_seconds == 0)
      return tell(s, "event", event, "on its way to " + where);
    if (clock::now() >= until)
      throw failure{exit_code::not_ready, "event " + event + " is not in " + where +
                                              " yet; it goes on, and saying the same again shows how far it is"};
    shown.show("moving " + event + " to " + where);
    std::this_thread::sleep_for(std::chrono::milliseconds{200});
  }
  shown.clear();
  tell(s, "event", event, "is in " + where);
}

void show_places(const settings& s, std::vector<std::string> events) {
  admin_api api{s};
  if (events.empty())
    events = event_ids_in(api.get("/api/v1/events").body);
  table t{{"EVENT", "PARTITION", "LEADER", "MOVING TO"}};
  for (const auto& event : events) {
    auto place = api.get("/admin/v1/events/" + url_part(event) + "/place");
    if (s.json) {
      put_line(place.text);
      continue;
    }
    bool moves = place.body.find("movingTo") != nullptr;
    t.add({printable(event), figure_in(place.body, "partition"), text_in(place.body, "leader"),
           moves ? figure_in(place.body, "movingTo") : "-"});
  }
  if (!s.json)
    t.print();
}

void rebalance_cluster(const settings& s) {
  admin_api{s}.send(verb::post, std::string{actions} + "rebalance", "{}", "spreading leaders");
  tell(s, "cluster", {}, "leaders are being spread");
}

void make_certificates(const settings& s, const std::filesystem::path& folder, const std::vector<std::string>& names) {
  auto made = make_cluster_certificates(folder, names);
  if (s.json) {
    std::string text;
    codec::json_writer w{text};
    w.begin_object().field("newAuthority", made.new_authority).key("files").begin_array();
    for (const auto& file : made.files)
      w.string(file.string());
    w.end_array().end_object();
    return put_line(text);
  }
  for (const auto& file : made.files)
    put_line(printable(file.string()));
  say("sluicectl: give each node its own .crt and .key, and all of them ca.crt; keep ca.key to yourself, away from the "
      "nodes");
}

} // namespace sluice::ctl
