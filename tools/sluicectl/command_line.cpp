#include "command_line.hpp"

#include "commands.hpp"
#include "core/facts_seal.hpp"
#include "core/text_id.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <functional>
#include <iostream>
#include <memory>

#ifndef SLUICE_VERSION
#define SLUICE_VERSION "dev"
#endif

namespace sluice::ctl {

namespace {

constexpr const char* about = "sluicectl: sets events up, runs them, and looks inside a node of Sluice.";
constexpr const char* footer =
    R"(The key of the admin API comes from --key-file FILE, else SLUICE_ADMIN_KEY, else the file SLUICE_ADMIN_KEY_FILE names,
else var/admin.key below the current folder, else the only var/*/admin.key; these two only for a node on this machine.

Exit codes: 0 done; 1 refused by the node or by a check, the message says why; 2 the command line is wrong;
3 no node can be reached; 4 the node is not ready, or did not answer in time: try again.
With --json results go to standard output, one JSON value per line, and failures as {"error": …} to standard error.)";

/// Ids go into paths: what can not be one is a mistake of the command line.
const CLI::Validator is_id{[](std::string& text) {
                             return is_valid_name(text)
                                        ? std::string{}
                                        : std::string{"an id is 1 to 64 characters of A-Z a-z 0-9 . _ ~ -"};
                           },
                           "ID"};

const CLI::Validator is_seal{[](std::string& text) {
                               return facts_seal_from(text)
                                          ? std::string{}
                                          : std::string{"a seal is a count, '-', and 64 hexadecimal digits"};
                             },
                             ""};

const CLI::Validator is_text{[](std::string& text) {
                               if (text.size() > 500)
                                 return std::string{"must be at most 500 bytes"};
                               return is_utf8(text) ? std::string{} : std::string{"must be text in UTF-8"};
                             },
                             "TEXT"};

/// Everything the options write to; lives as long as the command runs.
struct arguments {
  settings common;
  std::function<void()> run;

  std::vector<std::string> files;
  bool dry_run = false;
  bool force = false;
  bool yes = false;
  std::string event;
  std::string seal;
  std::vector<std::string> events;
  std::string text;
  std::string name;
  std::string role;
  std::string output;
  std::vector<std::pair<std::string, std::optional<std::uint32_t>>> admission;
  watch_options watch;
  plan_command plan;
  unsigned wait_seconds = 0;
  entity_question entity;
  log_question log;
  std::string node;
  std::vector<std::string> nodes;
  std::vector<std::string> node_options;
  std::uint32_t number = 0;
  std::uint32_t ttl_seconds = 3600;
  cluster_watch cluster;
};

CLI::App* add(CLI::App& parent, arguments& a, const std::string& name, const std::string& what,
              std::function<void()> run) {
  auto* command = parent.add_subcommand(name, what);
  command->callback([&a, run = std::move(run)] { a.run = run; });
  return command;
}

void add_files(CLI::App* command, arguments& a) {
  command->add_option("-f,--file", a.files, "event file, YAML or JSON; - is standard input")
      ->required()
      ->type_name("FILE");
}

void add_event(CLI::App* command, arguments& a) {
  command->add_option("event", a.event, "id of the event")->required()->check(is_id)->type_name("");
}

void add_seal(CLI::App* command, arguments& a) {
  command
      ->add_option("--seal", a.seal, "as printed some time ago: is all that was recorded then still there, unchanged?")
      ->check(is_seal)
      ->type_name("SEAL");
}

void add_event_commands(CLI::App& app, arguments& a) {
  auto& event = *app.add_subcommand("event", "set events up and run them");
  event.require_subcommand(1);

  auto* apply =
      add(event, a, "apply", "make events be as their files say", [&a] { apply_events(a.common, a.files, a.dry_run); });
  add_files(apply, a);
  apply->add_flag("--dry-run", a.dry_run, "show what would change, and change nothing");
  add_files(add(event, a, "check", "check event files without a node", [&a] { check_events(a.common, a.files); }), a);
  add(event, a, "list", "all events", [&a] { list_events(a.common); });
  add_event(add(event, a, "show", "an event's file", [&a] { show_event(a.common, a.event); }), a);
  for (const auto& [word, what] : {std::pair{"open", "start the sale now"},
                                   {"pause", "let nobody in for now; those inside go on"},
                                   {"resume", "go on after a pause; else take people in again after a drain"},
                                   {"drain", "let nobody new join; those in line are still served"},
                                   {"close", "end the sale"}})
    add_event(add(event, a, word, what, [&a, action = std::string{word}] { act_on_event(a.common, a.event, action); }),
              a);
  auto* remove = add(event, a, "delete", "delete an event with all that belongs to it",
                     [&a] { delete_event(a.common, a.event, a.force, a.yes); });
  add_event(remove, a);
  remove->add_flag("--force", a.force, "even with seats held or sold");
  remove->add_flag("--yes", a.yes, "do not ask");
  auto* message = add(event, a, "message", "show a message to everybody in line; an empty one takes it down",
                      [&a] { tell_event(a.common, a.event, a.text); });
  add_event(message, a);
  message->add_option("text", a.text, "the message")->required()->check(is_text)->type_name("");

  auto* set = add(event, a, "set", "change how people are let in, at once", [&a] {
    admission_change change;
    for (const auto& [field, value] : a.admission)
      if (value)
        change.emplace_back(field, *value);
    set_admission(a.common, a.event, change);
  });
  add_event(set, a);

  struct knob {
    const char* option;
    const char* field;
    const char* what;
  };

  constexpr knob knobs[] = {
      {"--users-per-minute", "usersPerMinute", "outflow of the line"},
      {"--max-active", "maxActiveUsers", "users admitted at a time"},
      {"--active-ttl", "activeTtlSeconds", "seconds an admitted visit lasts"},
      {"--claim-window", "claimWindowSeconds", "seconds a turn waits to be claimed"},
      {"--waiting-ttl", "waitingTtlSeconds", "seconds a ticket waits at most"},
      {"--batch-ms", "batchMs", "milliseconds between two batches of admissions"},
      {"--max-waiting", "maxWaitingUsers", "people in line at most; 0: no limit"},
  };
  for (const auto& k : knobs)
    a.admission.emplace_back(k.field, std::nullopt);
  for (std::size_t i = 0; i < std::size(knobs); ++i)
    set->add_option(knobs[i].option, a.admission[i].second, knobs[i].what)->type_name("N");

  add_event(add(event, a, "stats", "an event's figures", [&a] { show_stats(a.common, a.event); }), a);
  auto* watch = add(event, a, "watch", "events' figures, once a second", [&a] { watch_events(a.common, a.watch); });
  watch->add_option("event", a.watch.events, "ids; without, all events")->check(is_id)->type_name("");
  watch->add_option("--count", a.watch.count, "stop after so many looks")->type_name("N");
  watch->add_option("--interval-ms", a.watch.interval_ms, "time between two looks")
      ->check(CLI::Range(100u, 3'600'000u))
      ->type_name("N")
      ->capture_default_str();

  auto* plan = add(event, a, "import-plan", "turn a pretix seating plan into an event file",
                   [&a] { import_plan_file(a.common, a.plan); });
  auto& o = a.plan.options;
  plan->add_option("plan", a.plan.plan, "the plan, JSON; - is standard input")->required()->type_name("");
  plan->add_option("-o,--output", a.plan.output, "the event file to write; - is standard output")
      ->type_name("FILE")
      ->capture_default_str();
  plan->add_option("--id", o.id, "id of the event; without, made from its name")->check(is_id)->type_name("ID");
  plan->add_option("--name", o.name, "name of the event; without, the plan's")->type_name("TEXT");
  plan->add_option("--venue", o.venue, "where it is")->type_name("TEXT");
  plan->add_option("--starts-at", a.plan.starts_at, "when it begins; without, some day, to be changed in the file")
      ->type_name("TIME");
  plan->add_option("--time-zone", o.time_zone, "IANA name")->type_name("ZONE")->capture_default_str();
  plan->add_option("--currency", o.currency, "ISO 4217")->type_name("CODE")->capture_default_str();
  plan->add_option("--price", a.plan.prices, "price of a category in minor units: 'Stalls=4990' is 49.90; repeatable")
      ->type_name("CATEGORY=AMOUNT");
  plan->add_option("--default-price", o.default_price, "price of the other categories, in minor units")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1'000'000'000'000}))
      ->type_name("AMOUNT");
  plan->add_option("--block-seats", o.block_seats, "seats in a block at most")
      ->check(CLI::Range(std::size_t{1}, domain::block_seats_max))
      ->type_name("N")
      ->capture_default_str();
}

void add_node_commands(CLI::App& app, arguments& a) {
  auto* status = add(app, a, "status", "the node and its partitions", [&a] { show_status(a.common, a.wait_seconds); });
  status->add_option("--wait", a.wait_seconds, "wait so long for the node to be ready")->type_name("SECONDS");
  auto* verify = add(app, a, "verify", "recount events from the log: nothing sold twice, every seat accounted for",
                     [&a] { verify_events(a.common, a.events, a.seal); });
  verify->add_option("event", a.events, "ids; without, all events")->check(is_id)->type_name("");
  add_seal(verify, a);
  auto* audit = add(app, a, "audit", "what operators did to an event", [&a] { show_audit(a.common, a.event, a.seal); });
  add_event(audit, a);
  add_seal(audit, a);

  auto& key = *app.add_subcommand("key", "keys of the admin API");
  key.require_subcommand(1);
  add(key, a, "list", "names and roles", [&a] { list_keys(a.common); });
  auto* create =
      add(key, a, "create", "make a key, shown once", [&a] { create_key(a.common, a.name, a.role, a.output); });
  create->add_option("name", a.name, "a name for it")->required()->check(is_id)->type_name("");
  create->add_option("--role", a.role, "viewer, operator or admin")
      ->required()
      ->check(CLI::IsMember({"viewer", "operator", "admin"}))
      ->type_name("ROLE");
  create->add_option("-o,--output", a.output, "write the key to this new file, readable by you only")
      ->type_name("FILE");
  auto* remove = add(key, a, "delete", "take a key away", [&a] { delete_key(a.common, a.name); });
  remove->add_option("name", a.name, "its name")->required()->check(is_id)->type_name("");
}

void add_node(CLI::App* command, arguments& a) {
  command->add_option("node", a.node, "name of the node")->required()->check(is_id)->type_name("");
}

void add_token_ttl(CLI::App* command, arguments& a) {
  command->add_option("--ttl", a.ttl_seconds, "how long the token is good")
      ->check(CLI::Range(1u, 604'800u))
      ->type_name("SECONDS")
      ->capture_default_str();
}

/// Handed on to sluiced.
void add_node_options(CLI::App* command, arguments& a, std::initializer_list<const char*> options) {
  for (const auto* option : options)
    command
        ->add_option_function<std::string>(
            option,
            [&a, option](const std::string& value) {
              a.node_options.emplace_back(option);
              a.node_options.push_back(value);
            },
            "of sluiced")
        ->type_name("");
}

void add_founding_commands(CLI::App& cluster, arguments& a) {
  auto* init = add(cluster, a, "init", "found a cluster: becomes its first node, sluiced",
                   [&a] { init_cluster(a.output, a.node_options); });
  init->add_option("--data", a.output, "the node's data folder; must be empty")->required()->type_name("DIR");
  add_node_options(init, a,
                   {"--name", "--listen", "--peer-listen", "--payment-provider", "--config", "--partitions",
                    "--cluster-ca", "--cluster-cert", "--cluster-key"});
  auto* recover =
      add(cluster, a, "recover", "go on without the majority, with what this stopped node has; needs no other",
          [&a] { recover_cluster(a.output, a.text, a.force); });
  recover->add_option("id", a.text, "the cluster's id, as a confirmation")->required()->type_name("CLUSTER-ID");
  recover->add_option("--data", a.output, "the data folder of this node")->required()->type_name("DIR");
  recover->add_flag("--unsafe", a.force, "the others are gone for good, with what only they had");
}

void add_cluster_commands(CLI::App& app, arguments& a) {
  auto& cluster = *app.add_subcommand("cluster", "nodes, copies and leaders");
  cluster.require_subcommand(1);
  add_founding_commands(cluster, a);

  auto* status =
      add(cluster, a, "status", "nodes, partitions, leaders, lag, and what is wrong; exit code 1 if anything is",
          [&a] { show_cluster(a.common, a.cluster); });
  status->add_flag("--watch", a.cluster.watch, "look again and again");
  status->add_option("--count", a.cluster.count, "with --watch: stop after so many looks")->type_name("N");
  status->add_option("--interval-ms", a.cluster.interval_ms, "with --watch: time between two looks")
      ->check(CLI::Range(100u, 3'600'000u))
      ->type_name("N")
      ->capture_default_str();

  auto* token = add(cluster, a, "token", "a one-time token for a new node, and the command to run there",
                    [&a] { make_join_token(a.common, {}, a.ttl_seconds); });
  token->alias("join");
  add_token_ttl(token, a);
  auto* replace = add(cluster, a, "replace", "likewise for a node whose disk is gone: same name, new disk",
                      [&a] { make_join_token(a.common, a.node, a.ttl_seconds); });
  add_node(replace, a);
  add_token_ttl(replace, a);

  auto* drain = add(cluster, a, "drain", "move leaders and replicas away from a node; then it may be stopped",
                    [&a] { drain_node(a.common, a.node, a.wait_seconds); });
  add_node(drain, a);
  drain->add_option("--wait", a.wait_seconds, "wait so long for the last one to have moved")->type_name("SECONDS");
  add_node(
      add(cluster, a, "activate", "let a draining node take part again", [&a] { activate_node(a.common, a.node); }), a);
  add_node(add(cluster, a, "remove", "forget a drained node for good", [&a] { remove_node(a.common, a.node); }), a);

  auto* replication = add(cluster, a, "replication", "how many members hold each partition",
                          [&a] { set_replication(a.common, a.number); });
  replication->add_option("copies", a.number, "1, 3 or 5")
      ->required()
      ->check(CLI::IsMember({1u, 3u, 5u}))
      ->type_name("");
  auto* transfer = add(cluster, a, "transfer", "let another replica lead a partition",
                       [&a] { transfer_partition(a.common, a.number, a.node); });
  transfer->add_option("partition", a.number, "its number")->required()->type_name("");
  transfer->add_option("node", a.node, "who shall lead; without, whoever is best")->check(is_id)->type_name("");
  auto* move = add(
      cluster, a, "move",
      "bring an event to another partition; it stands still for a moment. Back to where it is leaving from: call that off",
      [&a] { move_event(a.common, a.event, a.number, a.wait_seconds); });
  add_event(move, a);
  move->add_option("partition", a.number, "its number")->required()->type_name("");
  move->add_option("--wait", a.wait_seconds, "wait so long for it to be there")->type_name("SECONDS");
  add(cluster, a, "where", "which partitions events are in, and who leads them",
      [&a] { show_places(a.common, a.events); })
      ->add_option("event", a.events, "ids; without, all events")
      ->check(is_id)
      ->type_name("");
  add(cluster, a, "rebalance", "spread the leaders evenly", [&a] { rebalance_cluster(a.common); });
  auto* feature =
      add(cluster, a, "activate-feature", "after an upgrade: use what only the new version understands, for good",
          [&a] { activate_feature(a.common, a.number); });
  feature->add_option("level", a.number, "the feature level")->required()->type_name("");

  add_seal(add(cluster, a, "audit", "what was done to keys, nodes and the cluster, and by whom",
               [&a] { show_cluster_audit(a.common, a.seal); }),
           a);
  auto* advice =
      add(cluster, a, "advise", "whether a node should come or go, and why", [&a] { advise(a.common, a.text); });
  advice->add_option("--hook", a.text, "run this command when there is advice, with the advice as JSON on its input")
      ->type_name("COMMAND");
  auto* certs = add(cluster, a, "certs",
                    "certificates for the wire between nodes, and an authority if there is none; needs no node",
                    [&a] { make_certificates(a.common, a.output, a.nodes); });
  certs->add_option("-o,--out", a.output, "folder for them; ca.crt and ca.key there are used if they exist")
      ->required()
      ->type_name("DIR");
  certs->add_option("name", a.nodes, "names of nodes")->required()->check(is_id)->type_name("");
}

void add_backup_commands(CLI::App& app, arguments& a) {
  auto& backup = *app.add_subcommand("backup", "copies of the live cluster, and a new one from them");
  backup.require_subcommand(1);
  add(backup, a, "create", "copy every partition as of now, with checksums; the node that is asked keeps it",
      [&a] { create_backup(a.common); });
  add(backup, a, "list", "what the node that is asked has", [&a] { list_backups(a.common); });
  auto* restore = add(backup, a, "restore", "begin a new cluster from a backup: becomes its first node, sluiced",
                      [&a] { restore_backup(a.common, a.text, a.output, a.node_options); });
  restore->add_option("--from", a.text, "the backup's folder")->required()->type_name("DIR");
  restore->add_option("--data", a.output, "the new node's data folder; must be empty")->required()->type_name("DIR");
  add_node_options(restore, a, {"--name", "--listen", "--peer-listen", "--payment-provider", "--config"});
}

/// KIND[/EVENT[/BLOCK or USER]] into its parts.
std::function<std::string(std::string&)> split_entity(entity_question& q) {
  return [&q](std::string& text) -> std::string {
    auto slash = text.find('/');
    auto rest = slash == std::string::npos ? std::string{} : text.substr(slash + 1);
    text.resize(std::min(slash, text.size()));
    constexpr std::string_view kinds[] = {"event", "seat_block", "area", "session", "catalogue", "ranking"};
    if (std::find(std::begin(kinds), std::end(kinds), text) == std::end(kinds))
      return "is event, seat_block, area, session, catalogue or ranking";
    slash = rest.find('/');
    auto last = slash == std::string::npos ? std::string{} : rest.substr(slash + 1);
    rest.resize(std::min(slash, rest.size()));
    if (!rest.empty() && text != "catalogue" && text != "ranking")
      q.event = rest;
    if (text == "session")
      q.user = last;
    else if (!last.empty() && !CLI::detail::lexical_cast(last, q.block))
      return "has a block that is no number";
    return {};
  };
}

void add_inspect_commands(CLI::App& app, arguments& a) {
  auto& inspect = *app.add_subcommand("inspect", "look inside the node");
  inspect.require_subcommand(1);
  add(inspect, a, "actors", "entities that are awake", [&a] { inspect_actors(a.common); });
  auto* entity = add(inspect, a, "entity", "the state of one entity", [&a] { inspect_entity(a.common, a.entity); });
  entity
      ->add_option("kind", a.entity.kind,
                   "event, seat_block, area, session, catalogue or ranking; or all in one, as inspect actors has it: "
                   "event/concert, seat_block/1/2")
      ->required()
      ->transform(CLI::Validator{split_entity(a.entity), ""})
      ->type_name("");
  entity->add_option("event", a.entity.event, "id or number of its event")->check(is_id)->type_name("");
  entity->add_option("--block", a.entity.block, "number of the block or area")->type_name("N");
  entity->add_option("--user", a.entity.user, "whose session")->type_name("ID");
  auto* log = add(inspect, a, "log", "a partition's latest entries", [&a] { inspect_log(a.common, a.log); });
  log->add_option("--partition", a.log.partition, "which one; without, the first")->type_name("P");
  log->add_option("--after", a.log.after, "from behind this index, instead of the latest")->type_name("INDEX");
  log->add_option("--limit", a.log.limit, "entries at most")
      ->check(CLI::Range(1u, 200u))
      ->type_name("N")
      ->capture_default_str();
}

} // namespace

exit_code run_command_line(int argc, const char* const* argv) {
  arguments a;
  CLI::App app{about};
  app.footer(footer);
  app.fallthrough();
  app.set_version_flag("--version", SLUICE_VERSION);
  app.require_subcommand(1);
  app.add_option("--url", a.common.url, "where the node listens")
      ->envname("SLUICE_URL")
      ->capture_default_str()
      ->type_name("URL");
  app.add_option("--key-file", a.common.key_file, "file with the admin key")->type_name("FILE");
  app.add_option("--ca", a.common.trust.authority,
                 "over https: the authority of the node's certificate; else those this machine trusts")
      ->envname("SLUICE_CA")
      ->check(CLI::ExistingFile)
      ->type_name("FILE");
  app.add_option("--server-name", a.common.trust.name,
                 "over https: whom the certificate is made out to, if not the URL's host")
      ->envname("SLUICE_SERVER_NAME")
      ->type_name("NAME");
  app.add_flag("--json", a.common.json, "results as JSON");
  app.add_option("--timeout", a.common.timeout_seconds, "patience with the node; 30, or 600 where a whole log is read")
      ->check(CLI::Range(1u, 86'400u))
      ->type_name("SECONDS");
  add_event_commands(app, a);
  add_node_commands(app, a);
  add_cluster_commands(app, a);
  add_backup_commands(app, a);
  add_inspect_commands(app, a);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    // CLI11 has a code per kind of mistake; ours are few and documented. Help is no mistake.
    if (auto words = app.remaining(true); !words.empty() && e.get_exit_code() != 0) {
      std::cerr << "'" << printable(words.front()) << "' is not known here\nRun with --help for more information.\n";
      return exit_code::usage;
    }
    return app.exit(e, std::cout, std::cerr) == 0 ? exit_code::ok : exit_code::usage;
  }
  try {
    a.run();
    return exit_code::ok;
  } catch (const failure& why) {
    report(why, a.common.json);
    return why.code();
  } catch (const std::exception& e) {
    report({exit_code::refused, e.what()}, a.common.json);
    return exit_code::refused;
  }
}

} // namespace sluice::ctl
