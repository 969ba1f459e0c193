// cluster advise: when to add a node, or to do without one, and why; for people, and for a hook that acts on it.
#include "cluster_text.hpp"
#include "commands.hpp"
#include "fields.hpp"

#include <cstdio>
#include <map>

namespace sluice::ctl {

namespace {

constexpr std::int64_t gib = std::int64_t{1} << 30;

bool is_active_member(const codec::document& n) {
  return text_in(n, "state") == "ACTIVE" && text_in(n, "role") == "MEMBER";
}

void advise_on_node(const codec::document& n, std::vector<advice>& out) {
  auto name = text_in(n, "name");
  if (text_in(n, "state") == "REMOVED")
    return;
  if (!flag_in(n, "reachable"))
    return out.push_back(
        {"replace", name, "it is not reachable; if its disk is gone, replace it, else start it again"});
  auto free = number_in(n, "diskFreeBytes");
  auto used = number_in(n, "diskUsedBytes");
  if (free > 0 && free < disk_worth_telling)
    out.push_back({"free-disk", name, "less than 2 GiB of disk are free there; a full disk ends the node"});
  else if (free > 0 && used > 0 && free * 100 / (free + used) < 10 && free < 50 * gib)
    out.push_back({"free-disk", name, "less than a tenth of its disk is free"});
  if (flag_in(n, "memoryFull"))
    out.push_back({"add", name,
                   "it has used 95 % of its memory limit and lets nobody new into the lines it keeps: another member "
                   "takes partitions off it, or raise its --memory-limit-mib"});
  auto load = number_in(n, "loadPercent");
  if (load >= 85)
    out.push_back({"add", name,
                   "its cores are " + std::to_string(load) +
                       " % busy: another bridge takes HTTP off it, another member takes partitions"});
}

} // namespace

std::vector<advice> cluster_advice(const codec::document& cluster) {
  std::vector<advice> all;
  std::int64_t members = 0;
  std::int64_t idle = 0;
  for (const auto& n : list_in(cluster, "nodes")) {
    advise_on_node(n, all);
    if (!is_active_member(n))
      continue;
    ++members;
    if (flag_in(n, "reachable") && number_in(n, "loadPercent") < 15 && !flag_in(n, "memoryFull"))
      ++idle;
  }
  auto replication = number_in(cluster, "replication");
  // One thing at a time: a hook that follows them must come to rest.
  if (members < 3)
    all.push_back({"add", "",
                   "with " + std::to_string(members) + (members == 1 ? " member" : " members") +
                       " the loss of one stops the cluster or loses what only it has; three survive it"});
  else if (replication < 3)
    all.push_back({"replicate", "", "each partition has one copy: sluicectl cluster replication 3"});
  else if (members < replication)
    all.push_back({"add", "",
                   "each partition should have " + std::to_string(replication) + " copies, and there are " +
                       std::to_string(members) + " members"});
  else if (members > replication && idle == members)
    all.push_back({"remove", "",
                   "all " + std::to_string(members) + " members are idle and " + std::to_string(replication) +
                       " would do: drain one, then remove it"});
  return all;
}

namespace {

std::string to_json(const std::vector<advice>& all) {
  std::string text;
  codec::json_writer w{text};
  w.begin_object().key("advice").begin_array();
  for (const auto& a : all)
    w.begin_object().field("action", a.action).field("node", a.node).field("why", a.why).end_object();
  w.end_array().end_object();
  return text;
}

/// The command gets the advice as JSON on its standard input.
void run_hook(const std::string& command, const std::string& json) {
  auto* to = ::popen(command.c_str(), "w");
  if (to == nullptr)
    throw failure{exit_code::refused, "can not run the hook '" + command + "'"};
  std::setvbuf(to, nullptr, _IONBF, 0); // whether it reads that is its own affair: what it returns counts
  std::fputs((json + "\n").c_str(), to);
  if (::pclose(to) != 0)
    throw failure{exit_code::refused, "the hook '" + command + "' failed"};
}

} // namespace

void advise(const settings& s, const std::string& hook) {
  auto all = cluster_advice(admin_api{s}.get("/admin/v1/cluster").body);
  if (s.json)
    put_line(to_json(all));
  else if (all.empty())
    put_line("nothing to change");
  else
    for (const auto& a : all)
      put_line(a.action + (a.node.empty() ? "" : " " + printable(a.node)) + ": " + a.why);
  if (!hook.empty() && !all.empty())
    run_hook(hook, to_json(all));
}

} // namespace sluice::ctl
