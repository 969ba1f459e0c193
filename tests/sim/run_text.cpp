#include "run_text.hpp"

#include <algorithm>
#include <charconv>
#include <sstream>

namespace sluice::simulation {

namespace {

template <class Number>
bool read_number(std::string_view text, Number& out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size();
}

bool read_faults(std::string_view list, run_options& options) {
  while (!list.empty()) {
    auto name = list.substr(0, list.find(','));
    auto known = std::find(fault_names.begin(), fault_names.end(), name);
    if (known == fault_names.end())
      return false;
    options.without.set(static_cast<std::size_t>(known - fault_names.begin()));
    list.remove_prefix(std::min(name.size() + 1, list.size()));
  }
  return true;
}

} // namespace

bool set_option(run_options& options, std::string_view name, std::string_view value) {
  if (name == "seed")
    return read_number(value, options.seed);
  if (name == "without")
    return read_faults(value, options);
  if (name == "users")
    return read_number(value, options.users_max) && options.users_max > 0;
  if (name == "events")
    return read_number(value, options.events_max) && options.events_max > 0;
  if (name == "partitions")
    return read_number(value, options.partitions_max) && options.partitions_max > 0;
  if (name == "nodes")
    return read_number(value, options.nodes_max) && options.nodes_max > 0;
  if (name == "crowd")
    return read_number(value, options.crowd);
  if (name == "storm") {
    std::int64_t milliseconds = 0;
    if (!read_number(value, milliseconds) || milliseconds < 0)
      return false;
    options.storm_max = milliseconds * ms;
    return true;
  }
  return false;
}

std::string command_line(const run_options& options, planted bug) {
  const run_options usual;
  std::string text = "--seed " + std::to_string(options.seed);
  if (options.without.any()) {
    std::string names;
    for (std::size_t i = 0; i < fault_names.size(); ++i)
      if (options.without[i])
        names += (names.empty() ? "" : ",") + std::string{fault_names[i]};
    text += " --without " + names;
  }
  auto limit = [&](const char* name, auto value, auto usually) {
    if (value != usually)
      text += std::string{" --"} + name + " " + std::to_string(value);
  };
  limit("users", options.users_max, usual.users_max);
  limit("events", options.events_max, usual.events_max);
  limit("partitions", options.partitions_max, usual.partitions_max);
  limit("nodes", options.nodes_max, usual.nodes_max);
  limit("crowd", options.crowd, usual.crowd);
  limit("storm", options.storm_max / ms, usual.storm_max / ms);
  if (bug != planted::none)
    text += " --bug " + std::string{name_of(bug)};
  return text;
}

std::optional<seed_file> read_seed_file(const std::string& text) {
  seed_file file;
  std::istringstream lines{text};
  bool has_seed = false;
  for (std::string line; std::getline(lines, line);) {
    line.resize(std::min(line.find('#'), line.size()));
    std::istringstream words{line};
    std::string name, value;
    if (!(words >> name))
      continue;
    if (!(words >> value))
      return std::nullopt;
    if (auto bug = planted_by_name(value); bug && name == "catches")
      file.catches = *bug;
    else if (!set_option(file.options, name, value))
      return std::nullopt;
    has_seed = has_seed || name == "seed";
  }
  return has_seed ? std::make_optional(std::move(file)) : std::nullopt;
}

std::optional<planted> planted_by_name(std::string_view name) {
  for (const auto& p : planted_names)
    if (p.name == name)
      return p.bug;
  return std::nullopt;
}

std::string_view name_of(planted bug) {
  for (const auto& p : planted_names)
    if (p.bug == bug)
      return p.name;
  return "none";
}

} // namespace sluice::simulation
