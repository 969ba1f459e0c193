// The commands, one function each. They print, and return ok or throw a failure.
#pragma once

#include "admin_api.hpp"
#include "failure.hpp"
#include "import_plan.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace sluice::ctl {

// events (event_commands.cpp)
void check_events(const settings& s, const std::vector<std::string>& files);
void apply_events(const settings& s, const std::vector<std::string>& files, bool dry_run);
void list_events(const settings& s);
void show_event(const settings& s, const std::string& event);
/// open, pause, resume or close.
void act_on_event(const settings& s, const std::string& event, const std::string& action);
void tell_event(const settings& s, const std::string& event, const std::string& text);
void delete_event(const settings& s, const std::string& event, bool force, bool yes);

/// Name in the API and value, in the order given.
using admission_change = std::vector<std::pair<std::string, std::uint32_t>>;
void set_admission(const settings& s, const std::string& event, const admission_change& change);
void show_stats(const settings& s, const std::string& event);

// watching (watch.cpp)
struct watch_options {
  std::vector<std::string> events; // empty: all there are
  std::uint64_t count = 0;         // 0: until interrupted
  std::uint32_t interval_ms = 1000;
};

void watch_events(const settings& s, const watch_options& options);

// plans (plan_command.cpp)
struct plan_command {
  std::string plan;
  std::string output = "-"; // standard output
  std::string starts_at;
  std::vector<std::string> prices; // NAME=AMOUNT
  import_options options;
};

void import_plan_file(const settings& s, plan_command c);

// the node (node_commands.cpp)
void show_status(const settings& s, unsigned wait_seconds);
/// `seal`: whether that one holds is asked, too; of one event. Empty: it is not.
void verify_events(const settings& s, std::vector<std::string> events, const std::string& seal);
void show_audit(const settings& s, const std::string& event, const std::string& seal);
void list_keys(const settings& s);
void create_key(const settings& s, const std::string& name, const std::string& role,
                const std::filesystem::path& output);
void delete_key(const settings& s, const std::string& name);

// the cluster (cluster_commands.cpp, cluster_status.cpp)
struct cluster_watch {
  bool watch = false;
  std::uint64_t count = 0; // 0: until interrupted
  std::uint32_t interval_ms = 1000;
};

void show_cluster(const settings& s, const cluster_watch& options);
/// For a new node, or with `replaces` for one in the place of the node of that name.
void make_join_token(const settings& s, const std::string& replaces, std::uint32_t ttl_seconds);
void drain_node(const settings& s, const std::string& node, unsigned wait_seconds);
void activate_node(const settings& s, const std::string& node);
void remove_node(const settings& s, const std::string& node);
void set_replication(const settings& s, std::uint32_t factor);
void activate_feature(const settings& s, std::uint32_t level);
void show_cluster_audit(const settings& s, const std::string& seal);
/// An empty `to`: whoever is best.
void transfer_partition(const settings& s, std::uint32_t partition, const std::string& to);
void rebalance_cluster(const settings& s);
/// Without events: all.
void show_places(const settings& s, std::vector<std::string> events);
/// Waits until it is there, for so long.
void move_event(const settings& s, const std::string& event, std::uint32_t partition, unsigned wait_seconds);
/// `hook`, if any, is run by the shell with the advice as JSON on its standard input, if there is advice.
void advise(const settings& s, const std::string& hook);
void make_certificates(const settings& s, const std::filesystem::path& folder, const std::vector<std::string>& names);

// the first node of a cluster (founding.cpp)
/// Becomes sluiced, with these options. Returns only by throwing.
void become_sluiced(std::vector<std::string> words, const std::vector<std::string>& more);
void init_cluster(const std::filesystem::path& data, const std::vector<std::string>& options);
/// The folder's node becomes the whole cluster. `cluster` is its id, typed as a confirmation.
void recover_cluster(const std::filesystem::path& data, const std::string& cluster, bool unsafe);

// backups (backup_commands.cpp)
void create_backup(const settings& s);
void list_backups(const settings& s);
/// Becomes the first node of the restored cluster, with further options of sluiced.
void restore_backup(const settings& s, const std::filesystem::path& backup, const std::filesystem::path& data,
                    const std::vector<std::string>& options);

// looking inside (inspect.cpp)
void inspect_actors(const settings& s);

struct entity_question {
  std::string kind;
  std::string event; // slug or number
  std::uint32_t block = 0;
  std::string user;
};

void inspect_entity(const settings& s, const entity_question& q);

struct log_question {
  std::optional<std::uint32_t> partition;
  std::optional<std::uint64_t> after; // empty: the latest
  std::uint32_t limit = 20;
};

void inspect_log(const settings& s, const log_question& q);

} // namespace sluice::ctl
