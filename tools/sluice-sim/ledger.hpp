// What was simulated so far, for good: a file with one line of JSON per finished range of seeds.
#pragma once

#include "tally.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace sluice::simulation {

struct ledger_line {
  std::uint64_t first = 0, last = 0;
  std::string commit; // of the engine that ran them
  std::uint64_t seeds = 0, violations = 0, steps = 0;
  double virtual_hours = 0;
  tally counts;
  std::uint32_t crowd = 0; // as it was asked for
};

/// One range as JSON, without the line's end.
std::string to_json(const ledger_line& line);

/// Owned by one process; several may append to one file.
class ledger {
public:
  /// Reads what is there; a file that is not there is empty, a line that does not parse is left alone and not counted.
  explicit ledger(std::string path);

  /// A line of this commit, with such a crowd, covers all of it.
  bool has(std::uint64_t first, std::uint64_t last, const std::string& commit, std::uint32_t crowd) const;
  /// False: it could not be written.
  bool append(const ledger_line& line);

  /// All lines, added up: seeds, hours, commands, faults.
  std::string summary() const;

private:
  std::string path_;
  std::vector<std::string> lines_;
};

} // namespace sluice::simulation
