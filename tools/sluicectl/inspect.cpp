// Looking inside: who is awake, what one entity holds, what a log says.
#include "commands.hpp"
#include "fields.hpp"

#include "codec/times.hpp"

#include <algorithm>
#include <charconv>
#include <map>

namespace sluice::ctl {

namespace {

std::optional<std::uint32_t> as_number(std::string_view text) {
  std::uint32_t number = 0;
  auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size())
    return std::nullopt;
  return number;
}

/// Events by their numbers, which entities and logs go by. Only the catalogue knows both.
std::map<std::int64_t, std::string> event_names(admin_api& api) {
  std::map<std::int64_t, std::string> names;
  auto catalogue = api.get("/admin/v1/inspect/entity?kind=catalogue");
  for (const auto& e : list_in(catalogue.body, "events"))
    names[number_in(e, "number")] = text_in(e, "slug");
  return names;
}

} // namespace

void inspect_actors(const settings& s) {
  admin_api api{s};
  auto all = api.get("/admin/v1/inspect/entities");
  if (s.json)
    return put_line(all.text);
  std::map<std::int64_t, std::string> names;
  try {
    names = event_names(api);
  } catch (const failure&) {
    // A viewer may see who is awake, not what they hold.
  }
  table t{{"ENTITY", "EVENT"}};
  for (const auto& e : list_in(all.body, "entities")) {
    auto slash = e.text.find('/');
    auto rest = std::string_view{e.text}.substr(slash == std::string::npos ? e.text.size() : slash + 1);
    auto number = as_number(rest.substr(0, rest.find('/')));
    auto name = number ? names.find(*number) : names.end();
    t.add({e.text, name == names.end() ? std::string{} : name->second});
  }
  t.print();
  if (auto active = number_in(all.body, "active"); active > static_cast<std::int64_t>(t.size()))
    put_line("… and " + grouped(active - static_cast<std::int64_t>(t.size())) + " more");
}

void inspect_entity(const settings& s, const entity_question& q) {
  bool of_event = q.kind != "catalogue" && q.kind != "ranking";
  if (of_event && q.event.empty())
    throw failure{exit_code::usage, "inspect entity " + q.kind + " needs the event: its id, or its number"};
  if ((q.kind == "seat_block" || q.kind == "area") && q.block == 0)
    throw failure{exit_code::usage, "inspect entity " + q.kind + " needs --block N, as inspect actors shows it"};
  if (q.kind == "session" && q.user.empty())
    throw failure{exit_code::usage, "inspect entity session needs --user ID"};
  admin_api api{s};
  auto target = "/admin/v1/inspect/entity?kind=" + q.kind;
  if (of_event) {
    std::optional<std::int64_t> number;
    for (const auto& [known, name] : event_names(api))
      if (name == q.event)
        number = known;
    if (!number)
      number = as_number(q.event);
    if (!number)
      throw failure{exit_code::refused, "there is no event '" + q.event + "'; see: sluicectl event list"};
    target += "&event=" + std::to_string(*number);
  }
  if (q.block != 0)
    target += "&block=" + std::to_string(q.block);
  if (!q.user.empty())
    target += "&user=" + url_part(q.user);
  auto entity = api.get(target);
  put_line(s.json ? entity.text : pretty(entity.body));
}

void inspect_log(const settings& s, const log_question& q) {
  admin_api api{s};
  auto target = "/admin/v1/inspect/log?partition=" + std::to_string(q.partition.value_or(0)) +
                "&limit=" + std::to_string(q.limit) + (q.after ? "&after=" + std::to_string(*q.after) : "");
  auto log = api.get(target);
  if (s.json)
    return put_line(log.text);
  table t{{"INDEX", "TERM", "AT", "LOG MS", "TO", "COMMAND"}};
  for (const auto& e : list_in(log.body, "entries")) {
    auto index = figure_in(e, "index");
    auto term = figure_in(e, "term");
    const auto& commands = list_in(e, "commands");
    if (commands.empty())
      t.add({index, term, "", "", "", text_in(e, "kind")});
    for (const auto& c : commands) {
      const auto* body = c.find("command");
      auto what = body && !body->fields.empty()
                      ? body->fields.front().name + " " + codec::canonical_json(body->fields.front().value)
                      : std::string{};
      constexpr std::size_t shown_max = 100;
      if (what.size() > shown_max) {
        what.resize(shown_max);
        while (!what.empty() && (static_cast<unsigned char>(what.back()) & 0x80) != 0)
          what.pop_back();
        what += "…";
      }
      t.add({index, term, codec::to_text(wall_time_from_ms(number_in(e, "wallTimeMs"))), figure_in(e, "logTimeMs"),
             text_in(c, "to"), what});
      index.clear();
      term.clear();
    }
  }
  t.print();
}

} // namespace sluice::ctl
