// The node, its proof, its keys.
#include "commands.hpp"
#include "fields.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

namespace sluice::ctl {

namespace {

/// Ready, or why not. Empty reasons and not ready: no answer at all.
struct readiness {
  bool ready = false;
  std::vector<std::string> reasons;
};

readiness ask_ready(admin_api& api) {
  auto a = api.try_get("/readyz");
  readiness r;
  if (a.status != 200 && a.status != 503)
    throw failure{exit_code::refused, "what listens at " + api.address().text() + " answered " +
                                          std::to_string(a.status) + " to /readyz; is --url right?"};
  r.ready = flag_in(a.body, "ready");
  for (const auto& reason : list_in(a.body, "reasons"))
    r.reasons.push_back(reason.text);
  if (!r.ready && r.reasons.empty())
    r.reasons.push_back(text_in(a.body, "detail"));
  return r;
}

std::string joined(const std::vector<std::string>& parts) {
  constexpr std::size_t shown_max = 5;
  std::string text;
  for (std::size_t i = 0; i < parts.size() && i < shown_max; ++i)
    text += (i > 0 ? "; " : "") + parts[i];
  if (parts.size() > shown_max)
    text += "; and " + std::to_string(parts.size() - shown_max) + " more";
  return text;
}

} // namespace

void show_status(const settings& s, unsigned wait_seconds) {
  using clock = std::chrono::steady_clock;
  auto until = clock::now() + std::chrono::seconds{wait_seconds};
  readiness now;
  for (;;) {
    try {
      admin_api asking{s};
      now = ask_ready(asking);
      if (now.ready || clock::now() >= until)
        break;
    } catch (const failure& why) {
      if (why.code() == exit_code::refused || clock::now() >= until)
        throw;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{100});
  }
  // Only now: a node that has just been founded has just written its key. Without one the state is known all the same, only not
  // its details.
  admin_api api{s};
  std::optional<admin_api::answer> cluster;
  if (api.has_key() && now.ready)
    cluster = api.get("/admin/v1/cluster");
  if (s.json) {
    std::string text;
    codec::json_writer w{text};
    w.begin_object().field("url", api.address().text()).field("ready", now.ready).key("reasons").begin_array();
    for (const auto& reason : now.reasons)
      w.string(reason);
    w.end_array();
    if (cluster)
      w.key("cluster").raw(cluster->text);
    w.end_object();
    put_line(text);
  } else {
    std::string text = "url      " + api.address().text() + "\nready    " + (now.ready ? "yes" : "no") + "\n";
    if (cluster) {
      text += "cluster  " + printable(text_in(cluster->body, "clusterId")) + "\nversion  " +
              printable(text_in(cluster->body, "version")) + "\n";
      for (const auto& node : list_in(cluster->body, "nodes"))
        text += "node     " + figure_in(node, "id") + "  " +
                printable(text_in(node, node.find("httpAddress") != nullptr ? "httpAddress" : "listen")) + "  " +
                printable(text_in(node, "state")) + "\n";
      put(text + "\n");
      table t{{"PARTITION", "LEADER", "TERM", "INDEX", "COMMIT", "CHECKPOINT", "LAG", "ACTIVE", "PAYING"}};
      for (const auto& p : list_in(cluster->body, "partitions"))
        t.add({figure_in(p, "id"), figure_in(p, "leader"), figure_in(p, "term"), figure_in(p, "index"),
               figure_in(p, "commitIndex"), figure_in(p, "checkpointIndex"), figure_in(p, "lag"),
               figure_in(p, "activeEntities"), figure_in(p, "openEffects")});
      t.print();
    } else {
      put(text);
      if (now.ready)
        say("sluicectl: with an admin key there is more to see");
    }
  }
  if (!now.ready)
    throw failure{exit_code::not_ready, "the node is not ready: " + joined(now.reasons)};
}

namespace {

std::string with_seal(const std::string& path, const std::string& seal) {
  return seal.empty() ? path : path + "?seal=" + seal;
}

/// What the answer says of the seal that was asked about. Nothing else counts if it is broken.
void check_seal(const codec::document& answer, const std::string& what, const std::string& seal) {
  if (seal.empty())
    return;
  if (answer.find("sealHolds") == nullptr)
    throw failure{exit_code::refused, "the node that leads it is of a version that knows no seals; upgrade it first"};
  if (!flag_in(answer, "sealHolds"))
    throw failure{exit_code::refused, "the seal of " + what +
                                          " is broken: of the facts it was made of, one is missing, was "
                                          "changed, or stands elsewhere; compare with a backup of that time"};
}

void show_seal(const codec::document& answer, const std::string& seal) {
  put_line("seal " + printable(text_in(answer, "seal")) + (seal.empty() ? "" : "; the one given holds"));
}

} // namespace

void verify_events(const settings& s, std::vector<std::string> events, const std::string& seal) {
  if (!seal.empty() && events.size() != 1)
    throw failure{exit_code::usage, "--seal is of one event: name it"};
  admin_api api{s};
  if (events.empty())
    events = event_ids_in(api.get("/api/v1/events").body);
  if (events.empty() && !s.json)
    put_line("no events, nothing to verify");
  std::vector<std::string> wrong;
  for (const auto& event : events) {
    auto path = with_seal("/admin/v1/events/" + url_part(event) + "/verify", seal);
    auto proof = api.get(path, "verifying " + event, true);
    const auto& p = proof.body;
    bool ok = flag_in(p, "ok");
    if (!ok)
      wrong.push_back(event);
    if (s.json)
      put_line(proof.text);
    check_seal(p, event, seal);
    if (s.json)
      continue;
    put_line(printable(event) + (ok ? ": ok" : ": NOT OK") + ", " + grouped(number_in(p, "facts")) +
             " facts recounted up to index " + figure_in(p, "index"));
    table t{{"BLOCK", "CAPACITY", "AVAILABLE", "HELD", "CONFIRMED", "BLOCKED", "OK"}};
    auto row = [&](const std::string& name, const codec::document& d, const std::string& verdict) {
      t.add({name, figure_in(d, "capacity"), figure_in(d, "available"), figure_in(d, "held"), figure_in(d, "confirmed"),
             figure_in(d, "blocked"), verdict});
    };
    for (const auto& block : list_in(p, "blocks"))
      row(text_in(block, "id"), block, flag_in(block, "ok") ? "yes" : "NO");
    row("all", p, ok ? "yes" : "NO");
    t.print();
    for (const auto& m : list_in(p, "mismatches"))
      put_line("  " + printable(text_in(m, "block")) + ": the machines say available " + figure_in(m, "available") +
               ", held " + figure_in(m, "held") + ", confirmed " + figure_in(m, "confirmed") + ", blocked " +
               figure_in(m, "blocked") + "; moves that fit no hold: " + figure_in(m, "strangeMoves"));
    put_line("oversold " + figure_in(p, "oversold") + ", seats with two owners " + figure_in(p, "seatsWithTwoOwners") +
             ", admitted out of order " + figure_in(p, "admissionInversions") + ", unreadable facts " +
             figure_in(p, "unreadable"));
    show_seal(p, seal);
  }
  if (!wrong.empty())
    throw failure{exit_code::refused, "the log and the machines disagree about " + joined(wrong)};
}

void show_audit(const settings& s, const std::string& event, const std::string& seal) {
  admin_api api{s};
  auto path = with_seal("/admin/v1/events/" + url_part(event) + "/audit", seal);
  auto audit = api.get(path, "reading the log of " + event, true);
  if (s.json)
    put_line(audit.text);
  check_seal(audit.body, event, seal);
  if (s.json)
    return;
  table t{{"INDEX", "AT", "WHAT", "BY", "USERS/MIN", "MAX ACTIVE"}};
  for (const auto& r : list_in(audit.body, "records"))
    t.add({figure_in(r, "index"), text_in(r, "at"), text_in(r, "what"), text_in(r, "by"),
           figure_in(r, "usersPerMinute"), figure_in(r, "maxActiveUsers")});
  t.print();
  show_seal(audit.body, seal);
}

void show_cluster_audit(const settings& s, const std::string& seal) {
  admin_api api{s};
  auto audit = api.get(with_seal("/admin/v1/cluster/audit", seal), "reading the log", true);
  if (s.json)
    put_line(audit.text);
  check_seal(audit.body, "the cluster", seal);
  if (s.json)
    return;
  table t{{"INDEX", "AT", "WHAT", "NAME", "DETAIL", "BY"}};
  for (const auto& r : list_in(audit.body, "records"))
    t.add({figure_in(r, "index"), text_in(r, "at"), text_in(r, "what"), text_in(r, "subject"), text_in(r, "detail"),
           text_in(r, "by")});
  t.print();
  show_seal(audit.body, seal);
}

// ---- keys ------------------------------------------------------------------------------------------------------------

void list_keys(const settings& s) {
  admin_api api{s};
  auto keys = api.get("/admin/v1/keys");
  if (s.json)
    return put_line(keys.text);
  table t{{"NAME", "ROLE"}};
  for (const auto& key : list_in(keys.body, "keys"))
    t.add({text_in(key, "name"), text_in(key, "role")});
  t.print();
}

void create_key(const settings& s, const std::string& name, const std::string& role,
                const std::filesystem::path& output) {
  admin_api api{s};
  // The file first: a key that can not be kept is better not made.
  int fd = -1;
  if (!output.empty()) {
    fd = ::open(output.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
      throw failure{exit_code::refused, "can not create " + output.string() + ": " + std::strerror(errno)};
  }
  admin_api::answer made;
  try {
    std::string body;
    codec::json_writer{body}.begin_object().field("name", name).field("role", role).end_object();
    made = api.send(verb::post, "/admin/v1/keys", body);
  } catch (...) {
    if (fd >= 0) {
      ::close(fd);
      ::unlink(output.c_str());
    }
    throw;
  }
  auto key = text_in(made.body, "key");
  if (fd < 0) {
    put_line(s.json ? made.text : key);
    if (!s.json)
      say("sluicectl: this is the only time the key of '" + name + "' (" + role + ") is shown");
    return;
  }
  auto line = key + "\n";
  bool kept = ::write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size()) && ::fsync(fd) == 0;
  ::close(fd);
  if (!kept)
    throw failure{exit_code::refused,
                  "can not write " + output.string() + "; delete the key '" + name + "' and try again"};
  if (!s.json)
    return put_line(name + ": created, " + role + ", kept in " + output.string());
  std::string text;
  codec::json_writer{text}
      .begin_object()
      .field("name", name)
      .field("role", role)
      .field("file", output.string())
      .end_object();
  put_line(text);
}

void delete_key(const settings& s, const std::string& name) {
  admin_api api{s};
  api.send(verb::delete_, "/admin/v1/keys/" + url_part(name));
  if (!s.json)
    return put_line(name + ": deleted");
  std::string text;
  codec::json_writer{text}.begin_object().field("name", name).field("result", "deleted").end_object();
  put_line(text);
}

} // namespace sluice::ctl
