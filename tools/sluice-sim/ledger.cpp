#include "ledger.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string_view>

namespace sluice::simulation {

namespace {

/// The number behind `"name":`; lines are ours, so the first occurrence is it.
double number_in(const std::string& line, std::string_view name) {
  auto key = "\"" + std::string{name} + "\":";
  auto at = line.find(key);
  return at == std::string::npos ? 0 : std::strtod(line.c_str() + at + key.size(), nullptr);
}

std::string text_in(const std::string& line, std::string_view name) {
  auto key = "\"" + std::string{name} + "\":\"";
  auto at = line.find(key);
  if (at == std::string::npos)
    return {};
  at += key.size();
  return line.substr(at, line.find('"', at) - at);
}

bool is_line(const std::string& line) {
  return line.starts_with("{\"first\":") && line.ends_with("}}");
}

template <class Names, class Counts>
std::string counts_as_json(const Names& names, const Counts& counts) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i)
    text += (text.empty() ? "{\"" : ",\"") + std::string{names[i]} + "\":" + std::to_string(counts[i]);
  return text + "}";
}

std::string hours_text(double hours) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", hours);
  return text;
}

} // namespace

std::string to_json(const ledger_line& l) {
  return "{\"first\":" + std::to_string(l.first) + ",\"last\":" + std::to_string(l.last) + ",\"commit\":\"" + l.commit +
         "\",\"crowd\":" + std::to_string(l.crowd) + ",\"seeds\":" + std::to_string(l.seeds) +
         ",\"violations\":" + std::to_string(l.violations) + ",\"virtual_hours\":" + hours_text(l.virtual_hours) +
         ",\"steps\":" + std::to_string(l.steps) + ",\"commits\":" + std::to_string(l.counts.entries) +
         ",\"commands\":" + std::to_string(l.counts.commands) + ",\"leaders\":" + std::to_string(l.counts[deed::led]) +
         ",\"faults\":" + counts_as_json(fault_names, l.counts.faults) + "}";
}

ledger::ledger(std::string path) : path_{std::move(path)} {
  std::ifstream in{path_};
  for (std::string line; std::getline(in, line);)
    if (is_line(line))
      lines_.push_back(line);
}

bool ledger::has(std::uint64_t first, std::uint64_t last, const std::string& commit, std::uint32_t crowd) const {
  for (const auto& line : lines_)
    if (text_in(line, "commit") == commit && number_in(line, "crowd") == crowd &&
        number_in(line, "first") <= static_cast<double>(first) && number_in(line, "last") >= static_cast<double>(last))
      return true;
  return false;
}

bool ledger::append(const ledger_line& line) {
  lines_.push_back(to_json(line));
  std::ofstream out{path_, std::ios::app};
  out << lines_.back() << '\n';
  return static_cast<bool>(out.flush());
}

std::string ledger::summary() const {
  double hours = 0;
  std::map<std::string_view, std::uint64_t> sums;
  std::map<std::string, std::uint64_t> faults, commits;
  for (const auto& line : lines_) {
    hours += number_in(line, "virtual_hours");
    for (std::string_view name : {"seeds", "violations", "steps", "commits", "commands", "leaders"})
      sums[name] += static_cast<std::uint64_t>(number_in(line, name));
    for (auto name : fault_names)
      faults[std::string{name}] += static_cast<std::uint64_t>(number_in(line, name));
    commits[text_in(line, "commit")] += static_cast<std::uint64_t>(number_in(line, "seeds"));
  }
  std::string text = hours_text(hours) + " virtual hours in " + std::to_string(lines_.size()) + " ranges\n";
  for (const auto& [name, sum] : sums)
    text += "  " + std::string{name} + " " + std::to_string(sum) + "\n";
  text += "faults\n";
  constexpr std::uint64_t wanted = 10'000; // of each class
  std::uint64_t all = 0;
  for (const auto& [name, sum] : faults) {
    text +=
        "  " + name + " " + std::to_string(sum) + (sum < wanted ? ", less than " + std::to_string(wanted) : "") + "\n";
    all += sum;
  }
  text += "  all " + std::to_string(all) + "\nseeds by commit\n";
  for (const auto& [name, sum] : commits)
    text += "  " + (name.empty() ? "?" : name) + " " + std::to_string(sum) + "\n";
  return text;
}

} // namespace sluice::simulation
