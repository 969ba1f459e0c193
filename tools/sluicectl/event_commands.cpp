// Setting events up and running them.
#include "codec/event_file.hpp"
#include "codec/times.hpp"
#include "commands.hpp"
#include "event_text.hpp"
#include "fields.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <iostream>

#include <unistd.h>

namespace sluice::ctl {

namespace {

std::string path_of(const std::string& event) {
  return "/admin/v1/events/" + url_part(event);
}

std::string seats_text(std::int64_t count) {
  return grouped(count) + (count == 1 ? " place" : " places");
}

/// What a change's values mean to people: times are sent as milliseconds.
std::string value_text(const std::string& pointer, const std::string& value) {
  bool is_time = pointer == "/startsAt" || pointer == "/sale/opensAt" || pointer == "/sale/closesAt";
  std::int64_t ms = 0;
  if (!is_time || std::from_chars(value.data(), value.data() + value.size(), ms).ptr != value.data() + value.size())
    return value;
  return codec::to_text(wall_time_from_ms(ms));
}

/// Sends a file and adds path and line to whatever the node has against it.
admin_api::answer send_file(admin_api& api, const event_file& file, verb method, const std::string& target) {
  try {
    return api.send(method, target, file.json(), "sending " + file.path);
  } catch (const failure& why) {
    throw failure{why.code(), file.path + ": " + why.message(), located(file, why.mistakes()), why.problem()};
  }
}

void show_difference(const event_file& file, const codec::document& plan) {
  const auto& changes = list_in(plan, "changes");
  const auto& id = file.definition.id;
  if (!flag_in(plan, "exists"))
    return put_line(printable(id) + ": would be created, " + seats_text(number_in(plan, "capacity")));
  if (changes.empty() && number_in(plan, "leftOut") == 0)
    return put_line(printable(id) + ": no changes");
  std::string text = printable(id) + ": would change\n";
  for (const auto& c : changes) {
    auto pointer = text_in(c, "pointer");
    const auto* before = c.find("before");
    const auto* after = c.find("after");
    text += before == nullptr ? "  + " : after == nullptr ? "  - " : "  ~ ";
    text += printable(pointer) + "  ";
    if (before != nullptr)
      text += printable(value_text(pointer, before->text));
    if (before != nullptr && after != nullptr)
      text += " -> ";
    if (after != nullptr)
      text += printable(value_text(pointer, after->text));
    text += '\n';
  }
  if (auto left_out = number_in(plan, "leftOut"); left_out > 0)
    text += "  … and " + grouped(left_out) + " more\n";
  put(text);
}

std::vector<event_file> read_all(const settings& s, const std::vector<std::string>& files) {
  progress shown{!s.json};
  shown.show("reading …");
  return read_events(files);
}

} // namespace

void check_events(const settings& s, const std::vector<std::string>& files) {
  for (const auto& file : read_all(s, files)) {
    auto capacity = static_cast<std::int64_t>(file.definition.capacity());
    if (!s.json) {
      put_line(printable(file.path) + ": sound; " + printable(file.definition.id) + ", " + seats_text(capacity));
      continue;
    }
    std::string text;
    codec::json_writer w{text};
    w.begin_object().field("file", file.path).field("ok", true).field("id", file.definition.id);
    w.field("capacity", capacity).end_object();
    put_line(text);
  }
}

void apply_events(const settings& s, const std::vector<std::string>& files, bool dry_run) {
  // All files are sound before the first one is sent.
  auto events = read_all(s, files);
  admin_api api{s};
  for (const auto& file : events) {
    const auto& id = file.definition.id;
    if (dry_run) {
      auto plan = send_file(api, file, verb::post, path_of(id) + "/plan");
      if (!s.json) {
        show_difference(file, plan.body);
        continue;
      }
      std::string text;
      codec::json_writer w{text};
      bool exists = flag_in(plan.body, "exists");
      bool differs = !list_in(plan.body, "changes").empty() || number_in(plan.body, "leftOut") > 0;
      w.begin_object().field("file", file.path).field("id", id);
      w.field("result", !exists ? "would-be-created" : differs ? "would-change" : "unchanged");
      w.key("plan").raw(plan.text).end_object();
      put_line(text);
      continue;
    }
    auto done = send_file(api, file, verb::put, path_of(id));
    const char* outcome = done.status == 201 ? "created" : flag_in(done.body, "changed") ? "changed" : "unchanged";
    if (s.json) {
      std::string text;
      codec::json_writer w{text};
      w.begin_object().field("file", file.path).field("id", id).field("result", outcome);
      w.field("revision", number_in(done.body, "revision")).end_object();
      put_line(text);
    } else {
      put_line(printable(id) + ": " + outcome + ", revision " + figure_in(done.body, "revision") + ", " +
               seats_text(static_cast<std::int64_t>(file.definition.capacity())));
    }
  }
}

void list_events(const settings& s) {
  admin_api api{s};
  auto all = api.get("/api/v1/events");
  if (s.json)
    return put_line(all.text);
  table t{{"ID", "PHASE", "STARTS", "PLACES", "NAME"}};
  for (const auto& e : list_in(all.body, "events"))
    t.add(
        {text_in(e, "id"), text_in(e, "phase"), text_in(e, "startsAt"), figure_in(e, "capacity"), text_in(e, "name")});
  if (t.size() == 0)
    return put_line("no events; make one with: sluicectl event apply -f event.yaml");
  t.print();
}

void show_event(const settings& s, const std::string& event) {
  admin_api api{s};
  auto file = api.get(path_of(event), "reading " + event);
  if (s.json)
    return put_line(file.text);
  std::vector<codec::document_error> errors;
  auto definition = codec::read_event_file(file.body, errors);
  // A newer node may know more than this program; then JSON says it all.
  put(errors.empty() ? write_yaml(definition) : pretty(file.body) + "\n");
}

void act_on_event(const settings& s, const std::string& event, const std::string& action) {
  admin_api api{s};
  api.send(verb::post, path_of(event) + "/actions/" + action);
  std::string done = action == "open"     ? "opened"
                     : action == "pause"  ? "paused"
                     : action == "resume" ? "resumed"
                     : action == "drain"  ? "draining"
                                          : "closed";
  if (!s.json)
    return put_line(event + ": " + done);
  std::string text;
  codec::json_writer w{text};
  w.begin_object().field("id", event).field("result", done).end_object();
  put_line(text);
}

void tell_event(const settings& s, const std::string& event, const std::string& message) {
  admin_api api{s};
  std::string body;
  codec::json_writer w{body};
  w.begin_object().field("message", message).end_object();
  api.send(verb::post, path_of(event) + "/actions/message", body);
  if (!s.json)
    return put_line(event + (message.empty() ? ": message taken down" : ": message shown to everybody in line"));
  std::string text;
  codec::json_writer{text}.begin_object().field("id", event).field("message", message).end_object();
  put_line(text);
}

void delete_event(const settings& s, const std::string& event, bool force, bool yes) {
  admin_api api{s};
  auto stats = api.get(path_of(event) + "/stats").body;
  if (!yes) {
    if (isatty(STDIN_FILENO) != 1 || isatty(STDERR_FILENO) != 1)
      throw failure{exit_code::usage, "event delete asks on a terminal; without one, add --yes"};
    std::cerr << "Event '" << event << "' is " << text_in(stats, "phase") << ": " << figure_in(stats, "waitingUsers")
              << " waiting, " << figure_in(stats, "activeUsers") << " active, " << figure_in(stats, "held") << " held, "
              << figure_in(stats, "confirmed") << " sold for "
              << printable(money(number_in(stats, "revenue"), text_in(stats, "currency")))
              << ".\nIts line, seats and reservations go with it. Type its id to delete it: " << std::flush;
    std::string typed;
    std::getline(std::cin, typed);
    if (typed != event)
      throw failure{exit_code::refused, "not deleted"};
  }
  try {
    api.send(verb::delete_, path_of(event) + (force ? "?force=true" : ""));
  } catch (const failure& why) {
    if (force || why.problem().find("EVENT_IN_SALE") == std::string::npos)
      throw;
    throw failure{why.code(), why.message() + "; --force deletes it anyway", {}, why.problem()};
  }
  if (!s.json)
    return put_line(event + ": deleted");
  std::string text;
  codec::json_writer{text}.begin_object().field("id", event).field("result", "deleted").end_object();
  put_line(text);
}

void set_admission(const settings& s, const std::string& event, const admission_change& change) {
  if (change.empty())
    throw failure{exit_code::usage, "event set needs something to set, such as --users-per-minute 600"};
  admin_api api{s};
  std::string body;
  codec::json_writer w{body};
  w.begin_object();
  for (const auto& [name, value] : change)
    w.field(name, value);
  w.end_object();
  auto before = api.get(path_of(event)).body;
  auto done = api.send(verb::patch, path_of(event) + "/admission", body);
  const auto* was = before.find("admission");
  bool changed = false;
  std::string lines;
  for (const auto& [name, value] : change) {
    auto old = was ? number_in(*was, name) : 0;
    changed = changed || old != value;
    lines += "  " + name + "  " + std::to_string(old) +
             (old == value ? " (as it was)" : " -> " + std::to_string(value)) + "\n";
  }
  if (!s.json)
    return put(event + (changed ? ": changed, at once\n" : ": unchanged\n") + lines);
  std::string text;
  codec::json_writer{text}
      .begin_object()
      .field("id", event)
      .field("result", changed ? "changed" : "unchanged")
      .field("revision", number_in(done.body, "revision"))
      .key("admission")
      .raw(body)
      .end_object();
  put_line(text);
}

void show_stats(const settings& s, const std::string& event) {
  admin_api api{s};
  auto stats = api.get(path_of(event) + "/stats");
  if (s.json)
    return put_line(stats.text);
  table t{{"FIGURE", "VALUE"}};
  for (const auto& [name, value] : stats.body.fields)
    if (name == "revenue")
      t.add({name, money(value.integer, text_in(stats.body, "currency"))});
    else if (name != "currency")
      t.add({name, value.is == codec::document::kind::integer ? std::to_string(value.integer) : value.text});
  t.print();
}

} // namespace sluice::ctl
